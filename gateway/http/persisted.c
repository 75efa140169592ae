#include "gateway/http/persisted.h"

#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/buffer.h"
#include "common/list.h"

enum { HASH_BYTES = crypto_hash_sha256_BYTES, FILE_MAX = 1024 * 1024, SHARE_MAX = 8 };

typedef struct {
    UT_hash_handle hh;
    list_node_t node; /* in `recent`, the newest last; trusted ones are in no list */
    unsigned char hash[HASH_BYTES];
    bool trusted;
    size_t size;
    char text[]; /* NUL-terminated */
} entry_t;

struct persisted {
    persisted_options_t options;
    entry_t *entries; /* by hash */
    list_t recent;
    size_t bytes; /* of those in recent */
};

persisted_t *persisted_new(const persisted_options_t *options)
{
    persisted_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->options = *options;
    list_init(&self->recent);
    return self;
}

static void s_remove(persisted_t *self, entry_t *entry)
{
    HASH_DEL(self->entries, entry);
    if (!entry->trusted)
        self->bytes -= entry->size;
    list_remove(&entry->node);
    free(entry);
}

void persisted_destroy(persisted_t **self_p)
{
    persisted_t *self = *self_p;
    if (!self)
        return;
    entry_t *entry, *next;
    HASH_ITER(hh, self->entries, entry, next)
    s_remove(self, entry);
    free(self);
    *self_p = NULL;
}

static entry_t *s_find(persisted_t *self, const unsigned char hash[HASH_BYTES])
{
    entry_t *entry;
    HASH_FIND(hh, self->entries, hash, HASH_BYTES, entry);
    return entry;
}

static void s_add(persisted_t *self,
                  const unsigned char hash[HASH_BYTES],
                  const char *text,
                  size_t size,
                  bool trusted)
{
    entry_t *entry = malloc(sizeof *entry + size + 1);
    if (!entry)
        abort(); /* sizes were bounded before */
    list_init(&entry->node);
    memcpy(entry->hash, hash, HASH_BYTES);
    entry->trusted = trusted;
    entry->size = size;
    if (size)
        memcpy(entry->text, text, size);
    entry->text[size] = '\0';
    HASH_ADD_KEYPTR(hh, self->entries, entry->hash, HASH_BYTES, entry);
    if (trusted)
        return;
    list_append(&self->recent, &entry->node);
    self->bytes += size;
}

/* ---- trusted ---- */

static bool s_is_document(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && dot != name && (!strcmp(dot, ".graphql") || !strcmp(dot, ".gql"));
}

static err_code_t s_load_file(persisted_t *self, const char *path, err_t *err)
{
    char *text = malloc(FILE_MAX + 1);
    FILE *file = fopen(path, "rb");
    if (!text)
        abort();
    if (!file) {
        free(text);
        return err_set(err, ERR_CONFIG, "--trusted-documents: %.120s: %s", path, strerror(errno));
    }
    size_t size = fread(text, 1, FILE_MAX + 1, file);
    bool good = !ferror(file) && size <= FILE_MAX && !memchr(text, '\0', size);
    fclose(file);
    unsigned char hash[HASH_BYTES];
    crypto_hash_sha256(hash, (const unsigned char *)text, size);
    if (good && !s_find(self, hash))
        s_add(self, hash, text, size, true);
    free(text);
    return good ? ERR_OK
                : err_set(err, ERR_CONFIG, "--trusted-documents: %.120s is no document", path);
}

err_code_t persisted_load(persisted_t *self, const char *dir, err_t *err)
{
    DIR *folder = opendir(dir);
    if (!folder)
        return err_set(err, ERR_CONFIG, "--trusted-documents: %.120s: %s", dir, strerror(errno));
    err_code_t code = ERR_OK;
    for (struct dirent *item; !code && (item = readdir(folder)) != NULL;) {
        char path[4096];
        if (!s_is_document(item->d_name))
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, item->d_name);
        code = s_load_file(self, path, err);
    }
    closedir(folder);
    return code;
}

/* ---- requests ---- */

/* {"version":1,"sha256Hash":"…"} */
static err_code_t s_read_hash(const json_t *map, unsigned char hash[HASH_BYTES], err_t *err)
{
    const json_t *version = json_object_get(map, "version");
    const json_t *text = json_object_get(map, "sha256Hash");
    size_t size = 0;
    if (!json_is_integer(version) || json_integer_value(version) != 1)
        return err_set(err, ERR_BAD_USER_INPUT, "\"persistedQuery\" must be of version 1");
    if (!json_is_string(text) || json_string_length(text) != 2 * HASH_BYTES ||
        sodium_hex2bin(hash, HASH_BYTES, json_string_value(text), 2 * HASH_BYTES, NULL, &size,
                       NULL) ||
        size != HASH_BYTES)
        return err_set(err, ERR_BAD_USER_INPUT, "\"sha256Hash\" must be 64 hex digits");
    return ERR_OK;
}

/* Keeps a text that a client registers; one that would push out many others is not kept. */
static void
s_learn(persisted_t *self, const unsigned char hash[HASH_BYTES], const char *text, size_t size)
{
    size_t most = self->options.max_bytes;
    if (size > most / SHARE_MAX)
        return;
    while (self->bytes + size > most)
        s_remove(self, LIST_ITEM(list_first(&self->recent), entry_t, node));
    s_add(self, hash, text, size, false);
}

static void s_touch(persisted_t *self, entry_t *entry)
{
    if (entry->trusted)
        return;
    list_remove(&entry->node);
    list_append(&self->recent, &entry->node);
}

/* The text came along. */
static err_code_t s_take_text(persisted_t *self,
                              const graphql_request_t *request,
                              const unsigned char *named,
                              err_t *err)
{
    unsigned char hash[HASH_BYTES];
    if (!named && !self->options.only_trusted)
        return ERR_OK;
    crypto_hash_sha256(hash, (const unsigned char *)request->query, request->query_size);
    if (named && memcmp(hash, named, HASH_BYTES) != 0)
        return err_set(err, ERR_BAD_USER_INPUT, "\"sha256Hash\" is not the hash of \"query\"");
    entry_t *entry = s_find(self, hash);
    if (self->options.only_trusted && (!entry || !entry->trusted))
        return err_set(err, ERR_FORBIDDEN, "only trusted documents are executed here");
    if (entry)
        s_touch(self, entry);
    else if (self->options.max_bytes)
        s_learn(self, hash, request->query, request->query_size);
    return ERR_OK;
}

err_code_t persisted_resolve(persisted_t *self,
                             const graphql_request_t *request,
                             const char **text,
                             size_t *size,
                             err_t *err)
{
    const json_t *map = json_object_get(request->extensions, "persistedQuery");
    unsigned char hash[HASH_BYTES];
    *text = request->query;
    *size = request->query_size;
    if (map && s_read_hash(map, hash, err))
        return ERR_BAD_USER_INPUT;
    if (request->query)
        return s_take_text(self, request, map ? hash : NULL, err);
    entry_t *entry = s_find(self, hash);
    if (entry) {
        s_touch(self, entry);
        *text = entry->text;
        *size = entry->size;
        return ERR_OK;
    }
    if (self->options.only_trusted)
        return err_set(err, ERR_FORBIDDEN, "only trusted documents are executed here");
    if (!self->options.max_bytes)
        return err_set(err, ERR_PERSISTED_QUERY_NOT_SUPPORTED, "PersistedQueryNotSupported");
    return err_set(err, ERR_PERSISTED_QUERY_NOT_FOUND, "PersistedQueryNotFound");
}
