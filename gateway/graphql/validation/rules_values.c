#include "gateway/graphql/type/literal.h"
#include "gateway/graphql/validation/rules.h"

static bool s_report(void *arg, ast_loc_t loc, const char *message)
{
    validation_t *self = arg;
    if (!*message) {
        self->errors->out_of_memory = true;
        self->stopped = true;
        return false;
    }
    v_error(self, "ValuesOfCorrectType", loc, "%s", message);
    return !v_is_full(self);
}

void rule_values_of_correct_type(validation_t *self,
                                 const ast_value_t *value,
                                 const schema_ref_t *type)
{
    literal_check_t check = {
        .arena = self->scratch, .suggestions = v_suggests(self), .report = s_report, .arg = self};
    literal_check(&check, value, type);
}

void rule_unique_input_field_names(validation_t *self, const ast_value_t *value)
{
    v_stamp(self);
    for (uint32_t i = 0; i < value->object.count && !v_is_full(self); i++) {
        const ast_object_field_t *field = &value->object.fields[i];
        if (v_is_new(self, field->name))
            continue;
        const ast_object_field_t *first = value->object.fields;
        while (first->name != field->name)
            first++;
        ast_loc_t locations[] = {first->loc, field->loc};
        v_error_at(self, "UniqueInputFieldNames", locations, 2,
                   "There can be only one input field named \"%s\".", field->name->data);
    }
}
