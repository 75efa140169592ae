#include "gateway/graphql/validation/rules.h"

void rule_overlapping_fields_can_be_merged(validation_t *self)
{
    (void)self;
}
