#include "store/accounts/master_key.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert((int)MASTER_KEY_SIZE == (int)crypto_kdf_KEYBYTES, "the master key feeds crypto_kdf");

struct master_key {
    uint8_t bytes[MASTER_KEY_SIZE]; /* the struct is in guarded, locked memory */
};

master_key_t *master_key_new(const uint8_t bytes[MASTER_KEY_SIZE])
{
    if (sodium_init() < 0)
        abort();
    master_key_t *self = sodium_malloc(sizeof *self);
    if (!self)
        abort();
    memcpy(self->bytes, bytes, sizeof self->bytes);
    return self;
}

void master_key_destroy(master_key_t **self_p)
{
    sodium_free(*self_p);
    *self_p = NULL;
}

/* The whole file, at most size bytes; -1 with errno. */
static ssize_t s_slurp(const char *path, uint8_t *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    size_t total = 0;
    ssize_t n;
    while (total < size && (n = read(fd, out + total, size - total)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int errnum = errno;
            close(fd);
            errno = errnum;
            return -1;
        }
        total += (size_t)n;
    }
    close(fd);
    return (ssize_t)total;
}

static int s_is_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Raw bytes or hex digits with white space behind them. */
static int s_decode(const uint8_t *text, size_t size, uint8_t out[MASTER_KEY_SIZE])
{
    if (size == MASTER_KEY_SIZE) {
        memcpy(out, text, MASTER_KEY_SIZE);
        return 0;
    }
    while (size > 0 && s_is_space(text[size - 1]))
        size--;
    size_t decoded = 0;
    return size == 2 * MASTER_KEY_SIZE &&
                   sodium_hex2bin(out, MASTER_KEY_SIZE, (const char *)text, size, NULL, &decoded,
                                  NULL) == 0 &&
                   decoded == MASTER_KEY_SIZE
               ? 0
               : -1;
}

master_key_t *master_key_read(const char *keys_dir, err_t *err)
{
    master_key_t *self = NULL;
    uint8_t text[2 * MASTER_KEY_SIZE + 16], bytes[MASTER_KEY_SIZE];
    char path[4096];
    if (!keys_dir || !*keys_dir) {
        err_set(err, ERR_CONFIG, "the store needs --keys: master.key there seals its signing keys");
        return NULL;
    }
    if (snprintf(path, sizeof path, "%s/master.key", keys_dir) >= (int)sizeof path) {
        err_set(err, ERR_CONFIG, "--keys: the path is too long");
        return NULL;
    }
    ssize_t size = s_slurp(path, text, sizeof text);
    if (size < 0)
        err_set(err, ERR_CONFIG, "%.150s: %s (parley-store keygen makes it)", path,
                strerror(errno));
    else if (s_decode(text, (size_t)size, bytes) < 0)
        err_set(err, ERR_CONFIG, "%.150s is no master key: it wants 64 hex digits", path);
    else
        self = master_key_new(bytes);
    sodium_memzero(text, sizeof text);
    sodium_memzero(bytes, sizeof bytes);
    return self;
}

void master_key_derive(const master_key_t *self, subkey_t purpose, uint8_t out[SUBKEY_SIZE])
{
    crypto_kdf_derive_from_key(out, SUBKEY_SIZE, (uint64_t)purpose, "prlystor", self->bytes);
}
