#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/table.h"

enum { NAMES = 4, NAME_SIZE = 24 };

/* The hash that uthash takes if nobody says otherwise is the same for all of these. */
static const char s_names[NAMES][NAME_SIZE + 1] = {
    "uvinwvxpmnxwOOOOOOOOOOOO",
    "sydexgleczquCRv0}o3!Q_::",
    "vvtnbrpsusrwMrjDBc,>cpq;",
    "bzxjkexwnbng41+&)X^or9]1",
};

static void test_names_that_share_the_public_hash(void **state)
{
    (void)state;
    unsigned public[NAMES], own[NAMES];
    for (int i = 0; i < NAMES; i++) {
        HASH_JEN(s_names[i], NAME_SIZE, public[i]);
        HASH_VALUE(s_names[i], NAME_SIZE, own[i]);
        assert_int_equal(public[i], public[0]);
        for (int j = 0; j < i; j++)
            assert_int_not_equal(own[i], own[j]);
    }
}

static void test_a_name_is_found_again(void **state)
{
    (void)state;
    unsigned first, again;
    HASH_VALUE(s_names[0], NAME_SIZE, first);
    HASH_VALUE(s_names[0], NAME_SIZE, again);
    assert_int_equal(first, again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_that_share_the_public_hash),
        cmocka_unit_test(test_a_name_is_found_again),
    };
    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
