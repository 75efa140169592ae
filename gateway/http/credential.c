#include "gateway/http/credential.h"

#include <string.h>

err_code_t credential_check(auth_t *auth,
                            token_memo_t *memo,
                            const char *authorization,
                            const char *api_key,
                            identity_t **identity,
                            err_t *err)
{
    *identity = NULL;
    if (authorization && *authorization && memo)
        return auth_verify_again(auth, memo, authorization, strlen(authorization), identity, err);
    if (authorization && *authorization)
        return auth_verify(auth, authorization, strlen(authorization), identity, err);
    if (api_key && *api_key)
        return auth_verify_api_key(auth, api_key, strlen(api_key), identity, err);
    return ERR_OK;
}
