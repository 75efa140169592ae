/* gateway/graphql/document_cache.h: prepared documents by their text, the least recently used one
 * thrown out first. Everything in it belongs to one schema: asked with another, it begins anew.
 * One owner; loop thread only. */
#ifndef PARLEY_GATEWAY_GRAPHQL_DOCUMENT_CACHE_H
#define PARLEY_GATEWAY_GRAPHQL_DOCUMENT_CACHE_H

#include "gateway/graphql/graphql.h"

typedef struct document_cache document_cache_t;

typedef struct {
    uint64_t hits;
    uint64_t misses; /* invalid documents too: those are never kept */
    uint64_t evictions;
    size_t documents; /* now */
    size_t bytes;     /* now */
} document_cache_counts_t;

/* Keeps at most max_documents (0: any number) of at most max_bytes together. A document of more
 * than an eighth of that is prepared each time. Aborts if out of memory. */
document_cache_t *document_cache_new(size_t max_documents, size_t max_bytes);
void document_cache_destroy(document_cache_t **self_p);

/* The document of that text, kept or prepared now; the caller gives the reference back. NULL, and a
 * whole response appended, if it is not valid (see gql_document_prepare). limits and introspection
 * are to be the same for all calls. */
gql_document_t *document_cache_get(document_cache_t *self,
                                   gql_schema_t *schema,
                                   const char *text,
                                   size_t size,
                                   const gql_limits_t *limits,
                                   bool introspection,
                                   buffer_t *response);

/* The same, but NULL if it is not kept: nothing is prepared. */
gql_document_t *document_cache_find(document_cache_t *self,
                                    const gql_schema_t *schema,
                                    const char *text,
                                    size_t size);

/* Forgets all documents. */
void document_cache_clear(document_cache_t *self);

/* The document, if it is kept, costs more than it did. */
void document_cache_weigh(document_cache_t *self, const gql_document_t *document);

document_cache_counts_t document_cache_counts(const document_cache_t *self);

#endif
