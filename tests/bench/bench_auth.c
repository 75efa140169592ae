/* What a credential costs: bench_auth prints nanoseconds of CPU time for a token that is known, for
 * one that is not, and for an API key. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "gateway/auth/auth.h"
#include "store/accounts/access_token.h"

enum { KNOWN = 1000000, UNKNOWN = 2000, TOKENS = 1000, KEYS = 300000 };

static void s_must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench_auth: %s\n", what);
    exit(EXIT_FAILURE);
}

static double s_cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void s_print(const char *what, double began_s, int count)
{
    printf("%-14s %8.0f ns\n", what, (s_cpu_s() - began_s) * 1e9 / count);
}

static void s_verify(auth_t *auth, const char *token)
{
    identity_t *identity = NULL;
    err_t err = ERR_INIT;
    s_must(auth_verify(auth, token, strlen(token), &identity, &err) == ERR_OK, err.text);
    identity_unref(&identity);
}

int main(void)
{
    err_t err = ERR_INIT;
    uint8_t bytes[MASTER_KEY_SIZE] = {1};
    s_must(sodium_init() >= 0, "libsodium");
    master_key_t *master = master_key_new(bytes);
    keyring_t *keyring = keyring_new(master);
    new_signing_key_t fresh;
    s_must(keyring_generate(keyring, &fresh, &err) == ERR_OK, err.text);
    keyring_row_t row = {.generation = 1,
                         .kid = fresh.kid,
                         .alg = fresh.alg,
                         .sealed = fresh.sealed,
                         .sealed_size = fresh.sealed_size};
    s_must(keyring_load(keyring, &row, 1, &err) == ERR_OK, err.text);
    auth_t *auth = auth_new(&(auth_options_t){.api_key = "the key of the bench"});
    json_t *issuer = json_pack("{s:s, s:s, s:o}", "iss", "i", "clientId", "c", "jwks",
                               keyring_jwks(keyring, clock_unix_us()));
    s_must(auth_set_issuer(auth, "store", issuer, &err) == ERR_OK, err.text);
    static const char nothing[] = "{\"epoch\":\"00c0ffee00c0ffee\",\"seq\":0,\"reset\":true}";
    bool has_more;
    auth_follow(auth, "store");
    auth_apply(auth, "store", (json_slice_t){nothing, sizeof nothing - 1}, &has_more, &err);
    static char *tokens[UNKNOWN];
    access_token_spec_t spec = {.issuer = "i",
                                .client_id = "c",
                                .sub = "0190c0de-0000-7000-8000-000000000001",
                                .username = "somebody",
                                .session = "0190c0de-0000-7000-8000-000000000002",
                                .now_us = clock_unix_us()};
    int64_t expires_at_us;
    for (int i = 0; i < UNKNOWN; i++)
        s_must((tokens[i] = access_token_issue(keyring_signer(keyring, clock_unix_us()), &spec,
                                               &expires_at_us, &err)) != NULL,
               err.text);
    double began_s = s_cpu_s();
    for (int i = 0; i < UNKNOWN; i++)
        s_verify(auth, tokens[i]);
    s_print("unknown token", began_s, UNKNOWN);
    began_s = s_cpu_s();
    for (int i = 0; i < KNOWN; i++)
        s_verify(auth, tokens[i % TOKENS]);
    s_print("known token", began_s, KNOWN);
    began_s = s_cpu_s();
    for (int i = 0; i < KEYS; i++) {
        identity_t *identity = NULL;
        auth_verify_api_key(auth, "the key of the bench", 20, &identity, &err);
        identity_unref(&identity);
    }
    s_print("API key", began_s, KEYS);
    for (int i = 0; i < UNKNOWN; i++)
        free(tokens[i]);
    json_decref(issuer);
    auth_destroy(&auth);
    keyring_destroy(&keyring);
    master_key_destroy(&master);
    return EXIT_SUCCESS;
}
