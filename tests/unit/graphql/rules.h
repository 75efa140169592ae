/* What the tests of validation's rules share: a schema, and cases. */
#ifndef PARLEY_TESTS_RULES_H
#define PARLEY_TESTS_RULES_H

#include "front.h"

typedef struct {
    const char *document;
    const char *errors; /* sorted */
} rule_case_t;

/* The state is the schema then. */
int rules_set_up(void **state);
int rules_tear_down(void **state);

/* All of good (up to NULL) are valid, and each of bad (up to one without a document) has its
 * errors. */
void rules_check(const schema_t *schema, const char *const *good, const rule_case_t *bad);

#endif
