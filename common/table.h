/* common/table.h: uthash's tables for keys that clients or services choose. The hash is keyed with
 * a secret of the process: uthash's own is public, and whoever named rooms that share a hash would
 * make each look-up walk through all of them. Loop thread. */
#ifndef PARLEY_COMMON_TABLE_H
#define PARLEY_COMMON_TABLE_H

#include "common/address_key.h"

#ifdef UTHASH_H
#error "uthash.h was included before: its tables have the public hash"
#endif
#define HASH_FUNCTION(key, size, hash) ((hash) = (unsigned)key_of((key), (size)))
#include <uthash.h>

#endif
