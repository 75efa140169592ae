/* gateway/http/rate_limits.h: how many operations a second a client may start: per connection, per
 * address and per handle, whatever front they come in by. Memory is fixed. Loop thread only.
 *
 * What costs more than an operation (a credential that does not count) is charged for on top, so
 * that a flood of it is refused at a fraction of the rate. */
#ifndef PARLEY_GATEWAY_HTTP_RATE_LIMITS_H
#define PARLEY_GATEWAY_HTTP_RATE_LIMITS_H

#include <stdint.h>

#include "common/buffer.h"
#include "common/err.h"
#include "common/json.h"
#include "common/token_bucket.h"
#include "gateway/auth/identity.h"

typedef struct rate_limits rate_limits_t;

/* Operations a second; 0: no limit. A second's worth may come at once. */
typedef struct {
    int64_t connection, handle, address;
} rate_options_t;

/* A connection's part; zeroed at first. */
typedef struct {
    token_bucket_t bucket;
} rate_connection_t;

/* What a credential costs that does not count, in operations: its signature was checked, or it was
 * only read, since nobody can say now whose it is (an honest client may come again soon). */
enum { RATE_WRONG_CREDENTIAL = 25, RATE_UNKNOWN_CREDENTIAL = 5 };

/* Never NULL. */
rate_limits_t *rate_limits_new(const rate_options_t *options);
void rate_limits_destroy(rate_limits_t **self_p);

/* All functions below: self may be NULL (no limits). address is a key of common/address_key.h;
 * connection may be NULL. */

/* An operation is to start, nobody has looked at its credential yet. 0, or in how many milliseconds
 * it may be tried again (counted in parley_rate_limited_total). */
int64_t rate_limits_take(rate_limits_t *self, uint64_t address, rate_connection_t *connection);
/* The same right after it, by whose it is; identity may be NULL. */
int64_t rate_limits_take_handle(rate_limits_t *self, const identity_t *identity);
/* Has the address no operation left? Nothing is taken: 0, or milliseconds as above. */
int64_t rate_limits_look(rate_limits_t *self, uint64_t address);
/* The client has shown a credential that does not count. code: that of credential_check. */
void rate_limits_charge_credential(rate_limits_t *self, uint64_t address, err_code_t code);

/* Appends the response {"errors":[…]} with RATE_LIMITED and retryAfterMs. */
void rate_limits_write(buffer_t *out, int64_t retry_after_ms);

/* Of a whole response: was all of it refused by a service's limit (no data, and its first error is
 * RATE_LIMITED)? Then in how many milliseconds it may be tried again, at least 1; else 0. */
int64_t rate_limits_read(json_slice_t response);

#endif
