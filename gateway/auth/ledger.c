#include "gateway/auth/ledger.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/cursor.h"
#include "common/log.h"
#include "common/metrics.h"

#include <uthash.h>

enum { ID_MAX = 64, NAME_MAX_BYTES = 1024 };

typedef struct {
    UT_hash_handle hh; /* by id; in the order in which they were told */
    int64_t until_us;
    char id[];
} session_t;

typedef struct {
    UT_hash_handle hh;    /* by hash */
    UT_hash_handle by_id; /* by the identity's sub */
    uint8_t hash[LEDGER_HASH_SIZE];
    identity_t *identity;
    uint64_t round; /* of telling everything, in which it was there last */
    char id[];
} api_key_t;

struct ledger {
    char *service;
    char epoch[EPOCH_SIZE];
    uint64_t seq;
    bool is_known;
    bool is_telling_all; /* parts of a whole are still to come */
    uint64_t round;
    int64_t forgot_at_us;
    int64_t complained_at_us;
    size_t max_sessions;
    metric_t *forgotten;
    session_t *sessions;
    api_key_t *keys, *keys_by_id;
};

ledger_t *ledger_new(const char *service, size_t max_sessions)
{
    ledger_t *self = calloc(1, sizeof *self);
    if (!self || !(self->service = strdup(service)))
        abort();
    self->max_sessions = max_sessions;
    self->forgotten = metrics_counter(
        "parley_sessions_forgotten_total",
        "Ended sessions that were forgotten for want of room before their tokens expired.", NULL);
    return self;
}

static void s_forget_session(ledger_t *self, session_t *session)
{
    HASH_DEL(self->sessions, session);
    free(session);
}

static void s_forget_key(ledger_t *self, api_key_t *key)
{
    HASH_DEL(self->keys, key);
    HASH_DELETE(by_id, self->keys_by_id, key);
    identity_unref(&key->identity);
    free(key);
}

void ledger_destroy(ledger_t **self_p)
{
    ledger_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    session_t *session, *next_session;
    HASH_ITER(hh, self->sessions, session, next_session)
    {
        s_forget_session(self, session);
    }
    api_key_t *key, *next_key;
    HASH_ITER(hh, self->keys, key, next_key)
    {
        s_forget_key(self, key);
    }
    free(self->service);
    free(self);
}

/* ---- sessions ---- */

static session_t *s_find_session(const ledger_t *self, const char *id)
{
    session_t *session = NULL;
    HASH_FIND_STR(self->sessions, id, session);
    return session;
}

/* Those whose tokens have all expired. */
static void s_forget_old(ledger_t *self, int64_t now_us)
{
    self->forgot_at_us = now_us;
    session_t *session, *next;
    HASH_ITER(hh, self->sessions, session, next)
    {
        if (session->until_us <= now_us)
            s_forget_session(self, session);
    }
}

static bool s_is_time(int64_t now_us, int64_t last_us)
{
    return now_us - last_us >= (int64_t)LEDGER_FORGET_EVERY_S * 1000000;
}

/* There is no room: the one that was told of first goes, although tokens of it may be left. */
static void s_forget_first(ledger_t *self, int64_t now_us)
{
    metric_inc(self->forgotten);
    s_forget_session(self, self->sessions);
    if (!s_is_time(now_us, self->complained_at_us))
        return;
    self->complained_at_us = now_us;
    log_error("too many sessions have ended: the tokens of the first are good again",
              log_str("service", self->service), log_int("limit", (int64_t)self->max_sessions),
              log_int("forgotten", metric_value(self->forgotten)), LOG_END);
}

static void s_end_session(ledger_t *self, const char *id, int64_t until_us, int64_t now_us)
{
    session_t *session = s_find_session(self, id);
    if (session) {
        session->until_us = until_us;
        return;
    }
    if (until_us <= now_us)
        return; /* no token of it can live */
    if (HASH_COUNT(self->sessions) >= self->max_sessions && s_is_time(now_us, self->forgot_at_us))
        s_forget_old(self, now_us);
    if (HASH_COUNT(self->sessions) >= self->max_sessions)
        s_forget_first(self, now_us);
    size_t size = strlen(id) + 1;
    session = calloc(1, sizeof *session + size);
    if (!session)
        abort();
    session->until_us = until_us;
    memcpy(session->id, id, size);
    HASH_ADD_STR(self->sessions, id, session);
}

/* ---- keys ---- */

static api_key_t *s_find_key(const ledger_t *self, const char *id)
{
    api_key_t *key = NULL;
    HASH_FIND(by_id, self->keys_by_id, id, strlen(id), key);
    return key;
}

static identity_t *
s_identity(const ledger_t *self, const char *id, const json_t *change, const char *name)
{
    const char *rights = json_string_value(json_object_get(change, "rights"));
    identity_spec_t spec = {
        .provider = IDENTITY_API_KEY,
        .handle = name,
        .sub = id,
        .issuer_service = self->service,
        .is_read_only = !rights || strcmp(rights, "write") != 0,
        .expires_at_us = json_integer_value(json_object_get(change, "expires")) * 1000,
    };
    return identity_new(&spec);
}

static bool s_is_hash(const char *text, uint8_t hash[LEDGER_HASH_SIZE])
{
    size_t size = 0;
    return text &&
           sodium_base642bin(hash, LEDGER_HASH_SIZE, text, strlen(text), NULL, &size, NULL,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
           size == LEDGER_HASH_SIZE;
}

/* A new key, or what is new about one. */
static bool s_put_key(ledger_t *self, const char *id, const json_t *change)
{
    uint8_t hash[LEDGER_HASH_SIZE];
    const char *name = json_string_value(json_object_get(change, "name"));
    if (!name || !*name || strlen(name) > NAME_MAX_BYTES ||
        !s_is_hash(json_string_value(json_object_get(change, "hash")), hash))
        return false;
    identity_t *identity = s_identity(self, id, change, name);
    api_key_t *key = s_find_key(self, id);
    bool is_same = key && memcmp(key->hash, hash, sizeof hash) == 0 &&
                   identity_expires_at_us(key->identity) == identity_expires_at_us(identity) &&
                   strcmp(identity_rights_key(key->identity), identity_rights_key(identity)) == 0;
    if (is_same) {
        key->round = self->round;
        identity_unref(&identity);
        return true;
    }
    if (key)
        s_forget_key(self, key);
    api_key_t *namesake = NULL;
    HASH_FIND(hh, self->keys, hash, sizeof hash, namesake);
    if (namesake || HASH_COUNT(self->keys) >= LEDGER_KEYS_MAX) {
        identity_unref(&identity);
        return false;
    }
    size_t size = strlen(id) + 1;
    key = calloc(1, sizeof *key + size);
    if (!key)
        abort();
    memcpy(key->hash, hash, sizeof hash);
    memcpy(key->id, id, size);
    key->identity = identity;
    key->round = self->round;
    HASH_ADD(hh, self->keys, hash, sizeof key->hash, key);
    HASH_ADD_KEYPTR(by_id, self->keys_by_id, key->id, size - 1, key);
    return true;
}

/* Everything was told: what was not among it is gone. */
static bool s_drop_untold(ledger_t *self)
{
    bool has_dropped = false;
    api_key_t *key, *next;
    HASH_ITER(hh, self->keys, key, next)
    {
        if (key->round == self->round)
            continue;
        s_forget_key(self, key);
        has_dropped = true;
    }
    return has_dropped;
}

/* ---- answers ---- */

static const char *s_id(const json_t *change, const char *name)
{
    const char *id = json_string_value(json_object_get(change, name));
    return id && *id && strlen(id) <= ID_MAX ? id : NULL;
}

static bool
s_apply_change(ledger_t *self, const json_t *change, int64_t now_us, ledger_news_t *news)
{
    const char *id;
    const json_t *until = json_object_get(change, "until");
    if ((id = s_id(change, "session")) && json_is_integer(until)) {
        s_end_session(self, id, json_integer_value(until) * 1000, now_us);
        news->has_ended = true;
    } else if ((id = s_id(change, "revoked"))) {
        api_key_t *key = s_find_key(self, id);
        if (key)
            s_forget_key(self, key);
        news->has_ended = true;
    } else if ((id = s_id(change, "key"))) {
        news->has_ended |= s_find_key(self, id) != NULL; /* it may be worth less now */
        return s_put_key(self, id, change);
    } else {
        return false;
    }
    return true;
}

/* Takes what is there, and leaves out what it does not understand. */
static void
s_apply_changes(ledger_t *self, const json_t *answer, int64_t now_us, ledger_news_t *news)
{
    const json_t *changes = json_object_get(answer, "changes");
    for (size_t i = 0; i < json_array_size(changes); i++)
        s_apply_change(self, json_array_get(changes, i), now_us, news);
}

err_code_t
ledger_apply(ledger_t *self, json_slice_t text, int64_t now_us, ledger_news_t *news, err_t *err)
{
    *news = (ledger_news_t){.has_more = false};
    json_t *answer = json_loadb(text.data, text.size, 0, NULL);
    const char *epoch = json_string_value(json_object_get(answer, "epoch"));
    const json_t *seq = json_object_get(answer, "seq");
    if (!epoch || strlen(epoch) != EPOCH_SIZE - 1 || !json_is_integer(seq) ||
        json_integer_value(seq) < 0) {
        json_decref(answer);
        return err_set(err, ERR_PROTOCOL, "the answer to AUTH has no epoch and seq");
    }
    if (json_is_true(json_object_get(answer, "reset"))) {
        self->round++;
        self->is_telling_all = true;
    }
    s_apply_changes(self, answer, now_us, news);
    news->has_more = json_is_true(json_object_get(answer, "more"));
    if (self->is_telling_all && !news->has_more) {
        self->is_telling_all = false;
        self->is_known = true;
        news->has_ended |= s_drop_untold(self);
    }
    memcpy(self->epoch, epoch, EPOCH_SIZE);
    self->seq = (uint64_t)json_integer_value(seq);
    if (s_is_time(now_us, self->forgot_at_us))
        s_forget_old(self, now_us);
    json_decref(answer);
    return ERR_OK;
}

/* ---- looking ---- */

const char *ledger_service(const ledger_t *self)
{
    return self->service;
}

bool ledger_is_known(const ledger_t *self)
{
    return self->is_known;
}

const char *ledger_epoch(const ledger_t *self)
{
    return self->epoch;
}

uint64_t ledger_seq(const ledger_t *self)
{
    return self->seq;
}

bool ledger_has_ended(const ledger_t *self, const char *session)
{
    return s_find_session(self, session) != NULL;
}

identity_t *ledger_key(const ledger_t *self, const uint8_t hash[LEDGER_HASH_SIZE], int64_t now_us)
{
    api_key_t *key = NULL;
    HASH_FIND(hh, self->keys, hash, LEDGER_HASH_SIZE, key);
    if (!key)
        return NULL;
    int64_t until_us = identity_expires_at_us(key->identity);
    return until_us && until_us <= now_us ? NULL : key->identity;
}

bool ledger_keeps_key(const ledger_t *self, const identity_t *identity)
{
    const api_key_t *key = s_find_key(self, identity_sub(identity));
    return key && strcmp(identity_rights_key(key->identity), identity_rights_key(identity)) == 0;
}
