#include "gateway/auth/follower.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/log.h"

enum {
    WAIT_MS = 5000,      /* a call is held for so long … */
    DEADLINE_MS = 12000, /* … and given up after this */
    RETRY_MS = 100,
    RETRY_MAX_MS = 1600,
    ARGS_MAX = 256,
};

/* A service that is followed. */
typedef struct thread thread_t;
struct thread {
    thread_t *next;
    follower_t *owner;
    service_call_t *call; /* NULL: waits for the timer */
    loop_timer_t *retry;
    unsigned wait_ms;
    char service[];
};

struct follower {
    loop_t *loop;
    services_t *services;
    auth_t *auth;
    void (*on_ended)(void *arg);
    void *arg;
    thread_t *threads;
};

static void s_ask(void *arg);

static void s_ask_later(thread_t *thread)
{
    loop_timer_start(thread->retry, thread->wait_ms, 0);
    thread->wait_ms = thread->wait_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : thread->wait_ms * 2;
}

static void s_on_answer(void *arg, const service_answer_t *answer)
{
    thread_t *thread = arg;
    follower_t *self = thread->owner;
    err_t err = ERR_INIT;
    bool has_more = false;
    uint64_t generation = auth_generation(self->auth);
    thread->call = NULL;
    if (!answer->ok) {
        s_ask_later(thread);
        return;
    }
    if (auth_apply(self->auth, thread->service, answer->json, &has_more, &err)) {
        log_error("what a service says of sessions and API keys is not understood",
                  log_str("service", thread->service), log_str("reason", err.text), LOG_END);
        s_ask_later(thread);
        return;
    }
    thread->wait_ms = RETRY_MS;
    if (auth_generation(self->auth) != generation)
        self->on_ended(self->arg);
    s_ask(thread);
}

static void s_ask(void *arg)
{
    thread_t *thread = arg;
    follower_t *self = thread->owner;
    uint64_t seq;
    const char *epoch = auth_followed_to(self->auth, thread->service, &seq);
    buffer_t args = BUFFER_INIT(ARGS_MAX);
    buffer_printf(&args, "{\"epoch\":\"%s\",\"after\":%" PRIu64 ",\"waitMs\":%d}", epoch, seq,
                  (int)WAIT_MS);
    service_request_t request = {
        .service = thread->service,
        .field = "AUTH",
        .args = {.data = args.data, .size = args.size},
        .selection = {.data = ""},
        .identity = {.data = ""},
        .resume = {.data = ""},
        .deadline_ms = clock_unix_ms() + DEADLINE_MS,
        .is_long_poll = true,
    };
    thread->call = services_call(self->services, &request, s_on_answer, thread);
    buffer_free(&args);
}

follower_t *follower_new(
    loop_t *loop, services_t *services, auth_t *auth, void (*on_ended)(void *arg), void *arg)
{
    follower_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    *self = (follower_t){
        .loop = loop, .services = services, .auth = auth, .on_ended = on_ended, .arg = arg};
    return self;
}

void follower_update(follower_t *self)
{
    for (size_t i = 0; i < services_count(self->services); i++) {
        const service_manifest_t *manifest = services_manifest(self->services, i);
        if (!manifest->has_auth || !auth_follow(self->auth, manifest->name))
            continue;
        size_t size = strlen(manifest->name) + 1;
        thread_t *thread = calloc(1, sizeof *thread + size);
        if (!thread)
            abort();
        memcpy(thread->service, manifest->name, size);
        thread->owner = self;
        thread->wait_ms = RETRY_MS;
        thread->retry = loop_timer_new(self->loop, s_ask, thread);
        thread->next = self->threads;
        self->threads = thread;
        s_ask(thread);
    }
}

void follower_destroy(follower_t **self_p)
{
    follower_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    while (self->threads) {
        thread_t *thread = self->threads;
        self->threads = thread->next;
        service_call_cancel(&thread->call);
        loop_timer_destroy(&thread->retry);
        free(thread);
    }
    free(self);
}
