/* Requests to the user pool, and access tokens in their bodies. The first byte says which:
 *   't'  the rest is an access token
 *   else the first line is X-Amz-Target, the rest the body
 * A request that is taken has what its operation needs; nobody has a signing key, so no token may
 * ever be accepted. */
#include <jansson.h>
#include <sodium.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "store/accounts/access_token.h"
#include "store/accounts/cognito_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static keyring_t *s_keyring(void)
{
    uint8_t bytes[MASTER_KEY_SIZE] = {1};
    new_signing_key_t key;
    err_t err = ERR_INIT;
    master_key_t *master = master_key_new(bytes);
    keyring_t *keys = keyring_new(master);
    master_key_destroy(&master);
    if (keyring_generate(keys, &key, &err) != ERR_OK)
        abort();
    keyring_row_t row = {.generation = 1,
                         .kid = key.kid,
                         .alg = key.alg,
                         .sealed = key.sealed,
                         .sealed_size = key.sealed_size};
    if (keyring_load(keys, &row, 1, &err) != ERR_OK)
        abort();
    return keys;
}

static void s_token(const char *text, size_t size)
{
    static keyring_t *keys;
    if (!keys)
        keys = s_keyring();
    access_claims_t claims;
    err_t err = ERR_INIT;
    if (access_token_read(keys, "i", "c", text, size, 1, &claims, &err) == ERR_OK || !err.code)
        abort();
}

static void s_check_refusal(const cognito_refusal_t *refusal)
{
    if (refusal->error == COGNITO_OK || refusal->error >= COGNITO_ERRORS ||
        !*cognito_error_name(refusal->error) || !*refusal->message ||
        !utf8_is_valid(refusal->message, strlen(refusal->message)))
        abort();
}

static void s_attributes(const json_t *list)
{
    cognito_attributes_t attributes;
    cognito_refusal_t refusal = {0};
    if (!cognito_attributes_read(list, &attributes, &refusal)) {
        s_check_refusal(&refusal);
        return;
    }
    char *text = json_dumps(attributes.others, JSON_COMPACT);
    if (!text || (attributes.email && !attributes.has_email) ||
        json_object_get(attributes.others, "sub"))
        abort();
    free(text);
    json_decref(attributes.others);
}

static void s_request(const char *text, size_t size)
{
    char target[128] = "";
    const char *line = memchr(text, '\n', size);
    size_t head = line ? (size_t)(line - text) : size;
    if (head >= sizeof target)
        return;
    memcpy(target, text, head);
    const char *body = line ? line + 1 : "";
    cognito_request_t request;
    cognito_refusal_t refusal = {0};
    if (!cognito_request_read(target, body, line ? size - head - 1 : 0, &request, &refusal)) {
        if (request.body)
            abort();
        s_check_refusal(&refusal);
        return;
    }
    if (request.operation >= COGNITO_OPERATIONS || !json_is_object(request.body))
        abort();
    s_attributes(json_object_get(request.body, "UserAttributes"));
    json_decref(request.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (sodium_init() < 0)
        abort();
    const char *text = (const char *)data;
    if (size > 0 && data[0] == 't')
        s_token(text + 1, size - 1);
    else
        s_request(text, size);
    return 0;
}
