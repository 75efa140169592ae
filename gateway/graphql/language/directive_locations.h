/* gateway/graphql/language/directive_locations.h: where directives may stand, by name (GraphQL
 * 2025-09 3.13). Constants; any thread. */
#ifndef PARLEY_GATEWAY_GRAPHQL_LANGUAGE_DIRECTIVE_LOCATIONS_H
#define PARLEY_GATEWAY_GRAPHQL_LANGUAGE_DIRECTIVE_LOCATIONS_H

enum { DIRECTIVE_LOCATIONS = 19 };

/* "QUERY" and so on, in the order of the specification. */
extern const char *const directive_location_names[DIRECTIVE_LOCATIONS];

#endif
