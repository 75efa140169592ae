/* gateway/bus/manifest.h: what an instance announced in answer to HELLO (proto/bus.md 3), checked.
 * Immutable and counted: the instance and the service it is active for share it. Loop thread. */
#ifndef PARLEY_GATEWAY_BUS_MANIFEST_H
#define PARLEY_GATEWAY_BUS_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "gateway/bus/services.h"

enum { MANIFEST_MAX = 1024 * 1024, MANIFEST_HASH_SIZE = 16 };

typedef struct manifest manifest_t;

/* Reads the body of an answer to HELLO. NULL and ERR_PROTOCOL with a sentence if it is no manifest,
 * or one of another service than `service`. The caller holds the one reference. */
manifest_t *manifest_read(const char *body, size_t size, const char *service, err_t *err);
manifest_t *manifest_ref(manifest_t *self);
void manifest_unref(manifest_t **self_p);

/* What others see; its epoch is the one in this manifest. */
const service_manifest_t *manifest_view(const manifest_t *self);
const char *manifest_instance(const manifest_t *self);
const char *manifest_incarnation(const manifest_t *self);
/* NULL: no streams. */
const char *manifest_events(const manifest_t *self);
bool manifest_is_ready(const manifest_t *self);
/* MANIFEST_HASH_SIZE bytes over all that instances of one version have in common: version, sdl,
 * idempotent, routes, issuer. */
const uint8_t *manifest_hash(const manifest_t *self);
bool manifest_is_same(const manifest_t *a, const manifest_t *b);
/* Does the sdl have the field ("Mutation.createMessage")? */
bool manifest_has_field(const manifest_t *self, const char *field);
/* Is the mutation listed in `idempotent`? */
bool manifest_is_idempotent(const manifest_t *self, const char *field);

#endif
