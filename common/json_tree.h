/* common/json_tree.h: JSON text as jansson's tree, for text that json_validate has accepted. What
 * comes out is what json_loadb makes with JSON_ALLOW_NUL and JSON_DECODE_ANY, at a fraction of the
 * cost: that reads byte by byte through a callback. Pure; any thread. */
#ifndef PARLEY_COMMON_JSON_TREE_H
#define PARLEY_COMMON_JSON_TREE_H

#include <jansson.h>

#include "common/json.h"

/* A new reference. NULL, as from jansson, for what its tree cannot hold: an integer beyond 64 bits,
 * a number beyond a double, a key with a NUL in it. */
json_t *json_tree(json_slice_t value);

#endif
