#include "gateway/schema_source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/metrics.h"
#include "gateway/bus/service_list.h"
#include "gateway/bus/services.h"

enum { SDL_MAX = 16 * 1024 * 1024, READ_CHUNK = 64 * 1024, ID_SIZE = 32 };

static const char s_extension[] = ".graphql";

/* ---- files ---- */

err_code_t read_file(const char *path, buffer_t *out, err_t *err)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return err_set(err, ERR_CONFIG, "%s: %s", path, strerror(errno));
    size_t start = out->size, got = 0;
    char chunk[READ_CHUNK];
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0)
        buffer_put(out, chunk, got);
    int errnum = ferror(file) ? errno : 0;
    fclose(file);
    if (errnum)
        return err_set(err, ERR_CONFIG, "%s: %s", path, strerror(errnum));
    if (out->failed)
        return err_set(err, ERR_CONFIG, "%s: larger than %zu bytes", path, out->limit);
    if (out->size > start && !utf8_is_valid(out->data + start, out->size - start))
        return err_set(err, ERR_CONFIG, "%s: is no UTF-8 text", path);
    return ERR_OK;
}

/* The caller frees it. */
static char *s_service_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *name = strdup(slash ? slash + 1 : path);
    if (!name)
        abort();
    size_t size = strlen(name), cut = sizeof s_extension - 1;
    if (size > cut && !strcmp(name + size - cut, s_extension))
        name[size - cut] = '\0';
    return name;
}

gql_schema_t *schema_from_files(char *const *paths, size_t count, err_t *err)
{
    gql_source_t *sources = calloc(count + 1, sizeof *sources);
    buffer_t *texts = calloc(count + 1, sizeof *texts);
    char **names = calloc(count + 1, sizeof *names);
    if (!sources || !texts || !names)
        abort();
    gql_schema_t *schema = NULL;
    for (size_t i = 0; i < count; i++) {
        texts[i] = (buffer_t)BUFFER_INIT(SDL_MAX);
        if (read_file(paths[i], &texts[i], err))
            goto done;
        names[i] = s_service_name(paths[i]);
        sources[i] = (gql_source_t){
            .service = names[i], .sdl = texts[i].data ? texts[i].data : "", .size = texts[i].size};
    }
    schema = gql_schema_build(sources, count, err);
done:
    for (size_t i = 0; i < count; i++) {
        buffer_free(&texts[i]);
        free(names[i]);
    }
    free(names);
    free(texts);
    free(sources);
    return schema;
}

/* ---- services ---- */

/* One inquiry: the loop runs until all have answered, time is over, or somebody wants it to end. */
typedef struct {
    loop_t *loop;
    services_t *services;
    size_t wanted; /* services with a name of their own */
    bool interrupted;
} inquiry_t;

static void s_on_change(void *arg)
{
    inquiry_t *self = arg;
    if (services_count(self->services) == self->wanted)
        loop_stop(self->loop);
}

static void s_on_timeout(void *arg)
{
    inquiry_t *self = arg;
    loop_stop(self->loop);
}

static void s_on_stop_signal(void *arg)
{
    inquiry_t *self = arg;
    self->interrupted = true;
    loop_stop(self->loop);
}

static bool s_is_before(const service_entry_t *entries, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (!strcmp(entries[i].name, entries[index].name))
            return true;
    return false;
}

static bool s_has_answered(const services_t *services, const char *name)
{
    for (size_t i = 0; i < services_count(services); i++)
        if (!strcmp(services_manifest(services, i)->name, name))
            return true;
    return false;
}

/* The manifests as a schema, or who is missing. */
static gql_schema_t *s_conclude(const inquiry_t *self,
                                const service_entry_t *entries,
                                size_t entry_count,
                                int64_t waited_ms,
                                err_t *err)
{
    for (size_t i = 0; i < entry_count; i++) {
        if (s_has_answered(self->services, entries[i].name))
            continue;
        if (self->interrupted)
            err_set(err, ERR_UNAVAILABLE, "interrupted");
        else
            err_set(err, ERR_TIMEOUT, "service %s at %s announced no schema within %lld ms",
                    entries[i].name, entries[i].endpoint, (long long)waited_ms);
        return NULL;
    }
    size_t count = services_count(self->services);
    gql_source_t *sources = calloc(count + 1, sizeof *sources);
    if (!sources)
        abort();
    for (size_t i = 0; i < count; i++) {
        const service_manifest_t *manifest = services_manifest(self->services, i);
        sources[i] = (gql_source_t){
            .service = manifest->name, .sdl = manifest->sdl, .size = strlen(manifest->sdl)};
    }
    gql_schema_t *schema = gql_schema_build(sources, count, err);
    free(sources);
    return schema;
}

gql_schema_t *schema_from_services(const options_t *options, err_t *err)
{
    static const services_listener_t listener = {.on_change = s_on_change};
    service_entry_t *entries = NULL;
    size_t entry_count = 0;
    inquiry_t self = {.wanted = 0};
    gql_schema_t *schema = NULL;
    char id[ID_SIZE];
    snprintf(id, sizeof id, "schema-%ld", (long)getpid());
    /* What the bus has to say (keys that do not fit, a manifest that is none) is the reason for a
     * silence; its everyday news is not. */
    log_init("gateway", id, LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    if (service_list_read(options->services, &entries, &entry_count, err))
        return NULL;
    for (size_t i = 0; i < entry_count; i++)
        self.wanted += !s_is_before(entries, i);
    self.loop = loop_new();
    loop_timer_t *timer = loop_timer_new(self.loop, s_on_timeout, &self);
    services_options_t services = {
        .loop = self.loop,
        .list = options->services,
        .gateway_id = id,
        .security = {.keys_dir = options->keys, .own = "gateway", .plain_tcp = options->plain_tcp},
        .max_in_flight = 1, /* nothing is called */
    };
    self.services = services_new(&services, err);
    if (self.services) {
        services_listen(self.services, &listener, &self);
        loop_on_stop_signal(self.loop, s_on_stop_signal, &self);
        loop_timer_start(timer, (uint64_t)options->call_timeout_ms, 0);
        loop_run(self.loop);
        schema = s_conclude(&self, entries, entry_count, options->call_timeout_ms, err);
    }
    services_destroy(&self.services);
    loop_timer_destroy(&timer);
    loop_destroy(&self.loop);
    metrics_shutdown();
    free(entries);
    return schema;
}
