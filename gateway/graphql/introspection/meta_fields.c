#include "gateway/graphql/introspection/meta_fields.h"

static const struct {
    const char *type;
    const char *field;
    meta_field_t id;
} s_fields[] = {
    {"__Schema", "description", META_SCHEMA_DESCRIPTION},
    {"__Schema", "types", META_SCHEMA_TYPES},
    {"__Schema", "queryType", META_SCHEMA_QUERY_TYPE},
    {"__Schema", "mutationType", META_SCHEMA_MUTATION_TYPE},
    {"__Schema", "subscriptionType", META_SCHEMA_SUBSCRIPTION_TYPE},
    {"__Schema", "directives", META_SCHEMA_DIRECTIVES},
    {"__Type", "kind", META_TYPE_KIND},
    {"__Type", "name", META_TYPE_NAME},
    {"__Type", "description", META_TYPE_DESCRIPTION},
    {"__Type", "specifiedByURL", META_TYPE_SPECIFIED_BY_URL},
    {"__Type", "fields", META_TYPE_FIELDS},
    {"__Type", "interfaces", META_TYPE_INTERFACES},
    {"__Type", "possibleTypes", META_TYPE_POSSIBLE_TYPES},
    {"__Type", "enumValues", META_TYPE_ENUM_VALUES},
    {"__Type", "inputFields", META_TYPE_INPUT_FIELDS},
    {"__Type", "ofType", META_TYPE_OF_TYPE},
    {"__Type", "isOneOf", META_TYPE_IS_ONE_OF},
    {"__Field", "name", META_FIELD_NAME},
    {"__Field", "description", META_FIELD_DESCRIPTION},
    {"__Field", "args", META_FIELD_ARGS},
    {"__Field", "type", META_FIELD_TYPE},
    {"__Field", "isDeprecated", META_FIELD_IS_DEPRECATED},
    {"__Field", "deprecationReason", META_FIELD_DEPRECATION_REASON},
    {"__InputValue", "name", META_INPUT_NAME},
    {"__InputValue", "description", META_INPUT_DESCRIPTION},
    {"__InputValue", "type", META_INPUT_TYPE},
    {"__InputValue", "defaultValue", META_INPUT_DEFAULT_VALUE},
    {"__InputValue", "isDeprecated", META_INPUT_IS_DEPRECATED},
    {"__InputValue", "deprecationReason", META_INPUT_DEPRECATION_REASON},
    {"__EnumValue", "name", META_VALUE_NAME},
    {"__EnumValue", "description", META_VALUE_DESCRIPTION},
    {"__EnumValue", "isDeprecated", META_VALUE_IS_DEPRECATED},
    {"__EnumValue", "deprecationReason", META_VALUE_DEPRECATION_REASON},
    {"__Directive", "name", META_DIRECTIVE_NAME},
    {"__Directive", "description", META_DIRECTIVE_DESCRIPTION},
    {"__Directive", "isRepeatable", META_DIRECTIVE_IS_REPEATABLE},
    {"__Directive", "locations", META_DIRECTIVE_LOCATIONS},
    {"__Directive", "args", META_DIRECTIVE_ARGS},
    {"__Directive", "isDeprecated", META_DIRECTIVE_IS_DEPRECATED},
    {"__Directive", "deprecationReason", META_DIRECTIVE_DEPRECATION_REASON},
};

meta_field_t meta_field_of(const schema_field_t *field)
{
    if (field->kind == SCHEMA_FIELD_SCHEMA)
        return META_QUERY_SCHEMA;
    if (field->kind == SCHEMA_FIELD_TYPE)
        return META_QUERY_TYPE;
    if (field->kind != SCHEMA_FIELD_PLAIN || !field->parent->is_introspection)
        return META_NONE;
    for (size_t i = 0; i < sizeof s_fields / sizeof s_fields[0]; i++)
        if (name_is(field->parent->name, s_fields[i].type) &&
            name_is(field->name, s_fields[i].field))
            return s_fields[i].id;
    return META_NONE;
}
