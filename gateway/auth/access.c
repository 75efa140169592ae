#include "gateway/auth/access.h"

static const gql_provider_t s_bits[] = {
    [IDENTITY_USER_POOL] = GQL_USER_POOL,
    [IDENTITY_OIDC] = GQL_OIDC,
    [IDENTITY_API_KEY] = GQL_API_KEY,
};

static bool s_may(void *arg, const gql_rule_t *rule)
{
    const identity_t *identity = arg;
    if (!identity)
        return false;
    if (rule->providers & s_bits[identity_provider(identity)])
        return true;
    for (uint32_t i = 0; i < rule->group_count; i++)
        if (identity_provider(identity) == IDENTITY_USER_POOL &&
            identity_in_group(identity, rule->groups[i]))
            return true;
    return false;
}

gql_access_t access_of(identity_t *identity)
{
    return (gql_access_t){
        .may = s_may, .arg = identity, .is_read_only = identity && identity_is_read_only(identity)};
}
