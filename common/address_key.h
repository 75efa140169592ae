/* common/address_key.h: clients told apart by their address, as short keys for tables. The hash is
 * keyed with a secret of the process, so that nobody can aim at somebody else's slot. Loop thread.
 */
#ifndef PARLEY_COMMON_ADDRESS_KEY_H
#define PARLEY_COMMON_ADDRESS_KEY_H

#include <stddef.h>
#include <stdint.h>

/* The key of any bytes. */
uint64_t key_of(const void *data, size_t size);

/* The key of an address as text (NULL and "" are one and the same unknown client). Addresses of
 * IPv6 count by their first 64 bits: one machine has all that follow. */
uint64_t address_key(const char *address);

#endif
