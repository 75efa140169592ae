#include "gateway/graphql/validation/rules.h"

void rule_known_directive(validation_t *self,
                          const ast_directive_t *directive,
                          schema_location_t location)
{
    const schema_directive_t *definition = directive->definition;
    if (!definition)
        v_error(self, "KnownDirectives", directive->loc, "Unknown directive \"@%s\".",
                directive->name->data);
    else if (!(definition->locations >> location & 1))
        v_error(self, "KnownDirectives", directive->loc, "Directive \"@%s\" may not be used on %s.",
                directive->name->data, schema_location_name(location));
}

void rule_unique_directives_per_location(validation_t *self, const ast_directives_t *directives)
{
    if (directives->count < 2)
        return;
    v_stamp(self);
    for (uint32_t i = 0; i < directives->count && !v_is_full(self); i++) {
        const ast_directive_t *directive = &directives->items[i];
        if (!directive->definition || directive->definition->is_repeatable ||
            v_is_new(self, directive->name))
            continue;
        const ast_directive_t *first = directives->items;
        while (first->name != directive->name)
            first++;
        ast_loc_t locations[] = {first->loc, directive->loc};
        v_error_at(self, "UniqueDirectivesPerLocation", locations, 2,
                   "The directive \"@%s\" can only be used once at this location.",
                   directive->name->data);
    }
}
