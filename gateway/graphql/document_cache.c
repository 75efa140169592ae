#include "gateway/graphql/document_cache.h"

#include <stdlib.h>
#include <string.h>

#include "common/list.h"
#include "gateway/graphql/language/names.h"

/* Seeded: nobody can prepare texts that collide. */
#define HASH_FUNCTION(key, size, hash) ((hash) = name_hash((const char *)(key), (size)))
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <uthash.h>

enum { LARGEST_SHARE = 8 /* of max_bytes, for one document */ };

typedef struct {
    UT_hash_handle hh;
    list_node_t node; /* in `recent` */
    gql_document_t *document;
    size_t cost;
    size_t size;
    char text[];
} entry_t;

struct document_cache {
    entry_t *entries; /* hash table */
    list_t recent;    /* least recently used first */
    gql_schema_t *schema;
    size_t max_documents;
    size_t max_bytes;
    document_cache_counts_t counts;
};

document_cache_t *document_cache_new(size_t max_documents, size_t max_bytes)
{
    document_cache_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    list_init(&self->recent);
    self->max_documents = max_documents;
    self->max_bytes = max_bytes;
    return self;
}

static void s_remove(document_cache_t *self, entry_t *entry)
{
    HASH_DEL(self->entries, entry);
    list_remove(&entry->node);
    self->counts.documents--;
    self->counts.bytes -= entry->cost;
    gql_document_unref(&entry->document);
    free(entry);
}

static entry_t *s_oldest(document_cache_t *self)
{
    return LIST_ITEM(list_first(&self->recent), entry_t, node);
}

void document_cache_clear(document_cache_t *self)
{
    while (!list_is_empty(&self->recent))
        s_remove(self, s_oldest(self));
    gql_schema_unref(&self->schema);
}

void document_cache_destroy(document_cache_t **self_p)
{
    document_cache_t *self = *self_p;
    if (!self)
        return;
    document_cache_clear(self);
    free(self);
    *self_p = NULL;
}

/* What the entry holds now: plans are added while a document is used. */
static void s_weigh(document_cache_t *self, entry_t *entry)
{
    self->counts.bytes -= entry->cost;
    entry->cost = sizeof *entry + entry->size + gql_document_cost(entry->document);
    self->counts.bytes += entry->cost;
}

static bool s_is_over(const document_cache_t *self)
{
    return self->counts.bytes > self->max_bytes ||
           (self->max_documents && self->counts.documents > self->max_documents);
}

/* Throws out old ones until the rest fits; `spared` (the newest) stays. */
static void s_evict(document_cache_t *self, const entry_t *spared)
{
    while (s_is_over(self) && s_oldest(self) != spared) {
        s_remove(self, s_oldest(self));
        self->counts.evictions++;
    }
}

static void s_keep(document_cache_t *self, gql_document_t *document, const char *text, size_t size)
{
    size_t cost = gql_document_cost(document);
    if (cost > self->max_bytes / LARGEST_SHARE)
        return;
    entry_t *entry = calloc(1, sizeof *entry + size);
    if (!entry)
        return;
    entry->document = gql_document_ref(document);
    entry->size = size;
    memcpy(entry->text, text, size);
    HASH_ADD_KEYPTR(hh, self->entries, entry->text, size, entry);
    list_append(&self->recent, &entry->node);
    self->counts.documents++;
    s_weigh(self, entry);
    s_evict(self, entry);
}

gql_document_t *document_cache_find(document_cache_t *self,
                                    const gql_schema_t *schema,
                                    const char *text,
                                    size_t size)
{
    entry_t *entry = NULL;
    if (self->schema != schema)
        return NULL;
    HASH_FIND(hh, self->entries, text, size, entry);
    if (!entry)
        return NULL;
    self->counts.hits++;
    list_remove(&entry->node);
    list_append(&self->recent, &entry->node);
    s_weigh(self, entry);
    s_evict(self, entry);
    return gql_document_ref(entry->document);
}

gql_document_t *document_cache_get(document_cache_t *self,
                                   gql_schema_t *schema,
                                   const char *text,
                                   size_t size,
                                   const gql_limits_t *limits,
                                   bool introspection,
                                   buffer_t *response)
{
    gql_document_t *document = document_cache_find(self, schema, text, size);
    if (document)
        return document;
    if (self->schema != schema) {
        document_cache_clear(self);
        self->schema = gql_schema_ref(schema);
    }
    self->counts.misses++;
    document = gql_document_prepare(schema, text, size, limits, introspection, response);
    if (document)
        s_keep(self, document, text, size);
    return document;
}

void document_cache_weigh(document_cache_t *self, const gql_document_t *document)
{
    for (list_node_t *node = self->recent.prev; node != &self->recent; node = node->prev) {
        entry_t *entry = LIST_ITEM(node, entry_t, node);
        if (entry->document != document)
            continue;
        s_weigh(self, entry);
        s_evict(self, entry);
        return;
    }
}

document_cache_counts_t document_cache_counts(const document_cache_t *self)
{
    return self->counts;
}
#pragma GCC diagnostic pop
