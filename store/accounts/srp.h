/* store/accounts/srp.h: the server's half of SRP-6a (RFC 5054 2.5) as Amazon Cognito's clients
 * compute it: the 3072-bit group of RFC 3526 4, SHA-256, numbers in the bytes of Java's BigInteger
 * (a zero byte before a high bit), and HKDF (RFC 5869) with 16 bytes of output. Pure; any thread.
 * Each exponentiation takes about a millisecond: off the loop (hasher_run). */
#ifndef PARLEY_STORE_ACCOUNTS_SRP_H
#define PARLEY_STORE_ACCOUNTS_SRP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SRP_NUMBER_SIZE = 384, /* below the prime, big-endian, zero-filled */
    SRP_HEX_SIZE = 2 * SRP_NUMBER_SIZE + 1,
    SRP_SALT_SIZE = 16,
    SRP_SECRET_SIZE = 32, /* the server's exponent b */
    SRP_KEY_SIZE = 16,
    SRP_SIGNATURE_SIZE = 32,
};

/* Whose password: pool is the part of the pool's id behind "_". Borrowed. */
typedef struct {
    const char *pool;
    const char *user; /* as USER_ID_FOR_SRP says it */
} srp_name_t;

/* v = g^x. */
void srp_verifier(const srp_name_t *name,
                  const char *password,
                  size_t size,
                  const uint8_t salt[SRP_SALT_SIZE],
                  uint8_t verifier[SRP_NUMBER_SIZE]);

/* B = k·v + g^b. */
void srp_server_public(const uint8_t verifier[SRP_NUMBER_SIZE],
                       const uint8_t secret[SRP_SECRET_SIZE],
                       uint8_t server_public[SRP_NUMBER_SIZE]);

/* Reads a client's A, hex digits of either case. False if it is no number from 1 to prime - 1:
 * a multiple of the prime would make the key known to everybody. */
bool srp_parse_public(const char *hex, size_t size, uint8_t client_public[SRP_NUMBER_SIZE]);

/* The key that both sides share if the client's password is the verifier's: of S = (A·v^u)^b.
 * False if u is 0, which no client survives either. */
bool srp_server_key(const uint8_t verifier[SRP_NUMBER_SIZE],
                    const uint8_t secret[SRP_SECRET_SIZE],
                    const uint8_t client_public[SRP_NUMBER_SIZE],
                    uint8_t key[SRP_KEY_SIZE]);

/* What a client proves its key with: HMAC over pool, user, the secret block's bytes and the
 * timestamp's text. */
void srp_signature(const uint8_t key[SRP_KEY_SIZE],
                   const srp_name_t *name,
                   const uint8_t *block,
                   size_t block_size,
                   const char *timestamp,
                   size_t timestamp_size,
                   uint8_t signature[SRP_SIGNATURE_SIZE]);

/* The number in hex, lower case, without leading zeros, and a NUL. */
void srp_print(const uint8_t number[SRP_NUMBER_SIZE], char out[SRP_HEX_SIZE]);

#endif
