/* tests/unit/graphql/run_case.h: runs one execution as a host would, with the answers of services
 * given as JSON. For the golden files and for the comparison with graphql-js. */
#ifndef PARLEY_TESTS_UNIT_GRAPHQL_RUN_CASE_H
#define PARLEY_TESTS_UNIT_GRAPHQL_RUN_CASE_H

#include <jansson.h>

#include "gateway/graphql/graphql.h"

/* The schema of a service called "test". */
gql_schema_t *run_case_schema(const char *sdl, err_t *err);

/* A case is a JSON map:
 *   document    text
 *   operation   name (optional)
 *   variables   (optional)
 *   limits      by member name of gql_limits_t (optional)
 *   identity    who asks, {"provider", "groups", "readOnly"}; without it nobody does (optional)
 *   introspection  false to switch it off (optional)
 *   answers     what services answer, by field ("Query.pet", or "Query.pet:alias" for one call);
 *               a value, {"$text": "raw bytes"} or {"$error": {"code", "message", "extensions"}};
 *               for a batch, a map from the text of a parent to the item, as {"$batch": {…}}
 *   order       "reverse" to answer the last call first (optional)
 *   events      for a subscription: payloads of events, in order
 *   event_calls false to render events without calls also where they need some
 * The result is a new reference to
 *   {"response": …, "calls": [[{"field", "service", "args", "selection"}, …], …], "faults": […],
 * "takes": …} calls being one list for each flush; for a subscription, "source" is its call and
 * "events" are the responses. arena_fail_at > 0 makes that allocation of the execution's arena, and
 * all behind it, fail. */
json_t *run_case(gql_schema_t *schema, const json_t *test_case, size_t arena_fail_at);

#endif
