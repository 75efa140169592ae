#include "gateway/http/rate_limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/address_key.h"
#include "common/clock.h"
#include "common/metrics.h"
#include "gateway/http/graphql_error.h"

/* Who is forgotten begins anew, so this bounds nobody but those who share a set of the table. */
enum { TABLE_ENTRIES = 64 * 1024, UNKNOWN_WAIT_MS = 1000 };

static const int64_t SECOND_NS = 1000000000;

struct rate_limits {
    token_rate_t connection, handle, address;
    token_table_t *handles, *addresses;
    int64_t now_ns; /* of the last operation: its two questions come one right after the other */
    metric_t *by_connection, *by_handle, *by_address;
};

static token_rate_t s_rate(int64_t per_second)
{
    return token_rate(per_second, SECOND_NS, per_second);
}

static metric_t *s_counter(const char *by)
{
    char labels[32];
    snprintf(labels, sizeof labels, "by=\"%s\"", by);
    return metrics_counter("parley_rate_limited_total",
                           "Operations refused because too many came, by what was counted.",
                           labels);
}

rate_limits_t *rate_limits_new(const rate_options_t *options)
{
    rate_limits_t *self = calloc(1, sizeof *self);
    if (!self)
        abort();
    self->connection = s_rate(options->connection);
    self->handle = s_rate(options->handle);
    self->address = s_rate(options->address);
    self->handles = token_table_new(TABLE_ENTRIES);
    self->addresses = token_table_new(TABLE_ENTRIES);
    self->by_connection = s_counter("connection");
    self->by_handle = s_counter("handle");
    self->by_address = s_counter("address");
    return self;
}

void rate_limits_destroy(rate_limits_t **self_p)
{
    rate_limits_t *self = *self_p;
    if (!self)
        return;
    token_table_destroy(&self->handles);
    token_table_destroy(&self->addresses);
    free(self);
    *self_p = NULL;
}

static int64_t s_take(token_rate_t rate, token_bucket_t *bucket, int64_t now_ns, metric_t *refused)
{
    int64_t late_ns = token_take(rate, bucket, now_ns);
    if (!late_ns)
        return 0;
    metric_inc(refused);
    return (late_ns + 999999) / 1000000;
}

int64_t rate_limits_take(rate_limits_t *self, uint64_t address, rate_connection_t *connection)
{
    int64_t wait_ms = 0;
    if (!self)
        return 0;
    self->now_ns = clock_mono_us() * 1000;
    if (connection && self->connection.interval_ns)
        wait_ms = s_take(self->connection, &connection->bucket, self->now_ns, self->by_connection);
    if (!wait_ms && self->address.interval_ns)
        wait_ms = s_take(self->address, token_table_find(self->addresses, address), self->now_ns,
                         self->by_address);
    return wait_ms;
}

int64_t rate_limits_take_handle(rate_limits_t *self, const identity_t *identity)
{
    if (!self || !identity || !self->handle.interval_ns)
        return 0;
    const char *who = identity_sub(identity);
    if (!who || !*who)
        who = identity_handle(identity);
    token_bucket_t *bucket = token_table_find(self->handles, key_of(who, strlen(who)));
    return s_take(self->handle, bucket, self->now_ns, self->by_handle);
}

int64_t rate_limits_look(rate_limits_t *self, uint64_t address)
{
    if (!self || !self->address.interval_ns)
        return 0;
    token_bucket_t copy = *token_table_find(self->addresses, address);
    return s_take(self->address, &copy, clock_mono_us() * 1000, self->by_address);
}

void rate_limits_charge_credential(rate_limits_t *self, uint64_t address, err_code_t code)
{
    int64_t operations = code == ERR_UNAVAILABLE ? RATE_UNKNOWN_CREDENTIAL : RATE_WRONG_CREDENTIAL;
    if (self && self->address.interval_ns)
        token_charge(self->address, token_table_find(self->addresses, address), operations,
                     clock_mono_us() * 1000);
}

void rate_limits_write(buffer_t *out, int64_t retry_after_ms)
{
    char extensions[64];
    int size = snprintf(extensions, sizeof extensions,
                        "{\"retryAfterMs\":%lld,\"outcome\":\"none\"}", (long long)retry_after_ms);
    graphql_error_write(out, err_code_name(ERR_RATE_LIMITED),
                        "too many operations, try again later",
                        (json_slice_t){.data = extensions, .size = (size_t)size});
}

int64_t rate_limits_read(json_slice_t response)
{
    json_slice_t data, error, extensions, value;
    int64_t wait_ms = 0;
    if (graphql_error_code(response) != ERR_RATE_LIMITED ||
        (json_get(response, "data", &data) && json_kind(data) != JSON_NULL_VALUE))
        return 0;
    json_walk_t walk = json_walk(graphql_error_list(response));
    if (json_walk_item(&walk, &error) && json_get(error, "extensions", &extensions) &&
        json_get(extensions, "retryAfterMs", &value) && json_to_int64(value, &wait_ms) &&
        wait_ms > 0)
        return wait_ms;
    return UNKNOWN_WAIT_MS;
}
