#include "gateway/graphql/introspection/introspect.h"

#include <string.h>

#include "gateway/graphql/introspection/meta_fields.h"
#include "gateway/graphql/type/print_schema.h"

enum { ARGUMENTS_MAX_BYTES = 64 * 1024 };

/* What an object of an introspection type stands for; which member is used follows from the type.
 */
typedef union {
    const schema_t *schema;
    const schema_ref_t *type; /* __Type */
    const schema_field_t *field;
    const schema_input_t *input;
    const schema_enum_value_t *value;
    const schema_directive_t *directive;
} subject_t;

/* Appends one field's value. False if null has to go on; the error is added. */
static bool
s_value(introspection_t *self, plan_field_t *field, subject_t subject, const path_t *path);

static bool s_out_of_memory(introspection_t *self)
{
    self->errors->out_of_memory = true;
    return false;
}

/* ---- leaves ---- */
static bool s_put_text(introspection_t *self, const char *text)
{
    if (text)
        buffer_put_json_string(self->out, text, strlen(text));
    else
        buffer_put_str(self->out, "null");
    return true;
}

static bool s_put_name(introspection_t *self, const name_t *name)
{
    buffer_put_json_string(self->out, name->data, name->size);
    return true;
}

static bool s_put_bool(introspection_t *self, bool value)
{
    buffer_put_str(self->out, value ? "true" : "false");
    return true;
}

static bool s_put_default(introspection_t *self, const ast_value_t *value)
{
    if (!value)
        return s_put_text(self, NULL);
    buffer_t text = BUFFER_INIT(self->out->limit);
    schema_print_value(value, &text);
    buffer_put_json_string(self->out, text.data, text.size);
    self->out->failed |= text.failed;
    buffer_free(&text);
    return true;
}

static bool s_put_kind(introspection_t *self, const schema_ref_t *type)
{
    static const char *const kinds[] = {"SCALAR", "OBJECT", "INTERFACE",
                                        "UNION",  "ENUM",   "INPUT_OBJECT"};
    if (type->kind == SCHEMA_REF_NAMED)
        return s_put_text(self, kinds[type->type->kind]);
    return s_put_text(self, type->kind == SCHEMA_REF_LIST ? "LIST" : "NON_NULL");
}

/* ---- objects and lists ---- */
static bool
s_put_object(introspection_t *self, plan_field_t *field, subject_t subject, const path_t *path)
{
    plan_set_t *set = plan_below(self->plan, field, field->definition->type->type);
    if (!set)
        return s_out_of_memory(self);
    buffer_put_char(self->out, '{');
    for (uint32_t i = 0; i < set->field_count; i++) {
        plan_field_t *below = &set->fields[i];
        path_t position = {.above = path, .field = below};
        buffer_put(self->out, below->key + (i == 0), below->key_size - (i == 0));
        size_t mark = self->out->size;
        if (s_value(self, below, subject, &position))
            continue;
        if (below->non_null)
            return false;
        self->out->size = mark;
        buffer_put_str(self->out, "null");
    }
    buffer_put_char(self->out, '}');
    return !self->out->failed;
}

static bool
s_put_type(introspection_t *self, plan_field_t *field, const schema_ref_t *type, const path_t *path)
{
    if (!type)
        return s_put_text(self, NULL);
    return s_put_object(self, field, (subject_t){.type = type}, path);
}

static bool s_put_named(introspection_t *self,
                        plan_field_t *field,
                        const schema_type_t *type,
                        const path_t *path)
{
    return s_put_type(self, field, type ? self->plan->schema->named_refs[type->id] : NULL, path);
}

/* One more item of a list; *path counts them. */
static bool s_put_item(introspection_t *self, plan_field_t *field, subject_t subject, path_t *path)
{
    if (path->index)
        buffer_put_char(self->out, ',');
    bool ok = s_put_object(self, field, subject, path);
    path->index++;
    return ok;
}

static bool s_put_types(introspection_t *self,
                        plan_field_t *field,
                        const schema_type_t *const *types,
                        uint32_t count,
                        const path_t *path)
{
    path_t item = {.above = path};
    buffer_put_char(self->out, '[');
    for (uint32_t i = 0; i < count; i++) {
        subject_t subject = {.type = self->plan->schema->named_refs[types[i]->id]};
        if (!s_put_item(self, field, subject, &item))
            return false;
    }
    buffer_put_char(self->out, ']');
    return true;
}

/* ---- arguments ---- */

/* The text of the field's only argument, or data NULL; false after an error. */
static bool s_argument(introspection_t *self,
                       const plan_field_t *field,
                       const path_t *path,
                       json_slice_t *value)
{
    const schema_field_t *definition = field->definition;
    buffer_t args = BUFFER_INIT(ARGUMENTS_MAX_BYTES);
    bool ok = coerce_arguments(definition->arguments, definition->argument_count, field->nodes[0],
                               self->variables, self->errors, path, &args);
    value->data = NULL;
    if (ok) {
        char *copy = args.failed ? NULL : arena_memdup(self->arena, args.data, args.size);
        if (!copy)
            ok = s_out_of_memory(self);
        else if (!json_get((json_slice_t){copy, args.size}, definition->arguments[0].name->data,
                           value))
            value->data = NULL;
    }
    buffer_free(&args);
    return ok;
}

/* The argument includeDeprecated; false after an error. */
static bool s_include_deprecated(introspection_t *self,
                                 const plan_field_t *field,
                                 const path_t *path,
                                 bool *include)
{
    json_slice_t value;
    *include = false;
    if (field->nodes[0]->field.argument_count == 0)
        return true;
    if (!s_argument(self, field, path, &value))
        return false;
    *include = value.data && value.data[0] == 't';
    return true;
}

/* The n-th of things that may be deprecated. */
typedef subject_t (*nth_fn)(const void *all, uint32_t n, bool *is_deprecated);

static subject_t s_nth_input(const void *all, uint32_t n, bool *is_deprecated)
{
    const schema_input_t *input = (const schema_input_t *)all + n;
    *is_deprecated = input->deprecation_reason != NULL;
    return (subject_t){.input = input};
}

static subject_t s_nth_field(const void *all, uint32_t n, bool *is_deprecated)
{
    const schema_field_t *field = (const schema_field_t *)all + n;
    *is_deprecated = field->deprecation_reason != NULL;
    return (subject_t){.field = field};
}

static subject_t s_nth_value(const void *all, uint32_t n, bool *is_deprecated)
{
    const schema_enum_value_t *value = (const schema_enum_value_t *)all + n;
    *is_deprecated = value->deprecation_reason != NULL;
    return (subject_t){.value = value};
}

static bool s_put_each(introspection_t *self,
                       plan_field_t *field,
                       nth_fn nth,
                       const void *all,
                       uint32_t count,
                       const path_t *path)
{
    bool include_deprecated, is_deprecated;
    path_t item = {.above = path};
    if (!s_include_deprecated(self, field, path, &include_deprecated))
        return false;
    buffer_put_char(self->out, '[');
    for (uint32_t i = 0; i < count; i++) {
        subject_t subject = nth(all, i, &is_deprecated);
        if ((include_deprecated || !is_deprecated) && !s_put_item(self, field, subject, &item))
            return false;
    }
    buffer_put_char(self->out, ']');
    return true;
}

/* ---- the types of introspection, field by field ---- */
static bool s_schema_field(introspection_t *self,
                           plan_field_t *field,
                           const schema_t *schema,
                           const path_t *path)
{
    bool all;
    path_t item = {.above = path};
    switch (field->introspection) {
    case META_SCHEMA_DESCRIPTION:
        return s_put_text(self, schema->description);
    case META_SCHEMA_TYPES:
        return s_put_types(self, field, schema->types, schema->type_count, path);
    case META_SCHEMA_QUERY_TYPE:
        return s_put_named(self, field, schema->query, path);
    case META_SCHEMA_MUTATION_TYPE:
        return s_put_named(self, field, schema->mutation, path);
    case META_SCHEMA_SUBSCRIPTION_TYPE:
        return s_put_named(self, field, schema->subscription, path);
    default: /* META_SCHEMA_DIRECTIVES; none of them is ever deprecated */
        if (!s_include_deprecated(self, field, path, &all))
            return false;
        buffer_put_char(self->out, '[');
        for (uint32_t i = 0; i < schema->directive_count; i++) {
            subject_t subject = {.directive = schema->directives[i]};
            if (!schema->directives[i]->is_hidden && !s_put_item(self, field, subject, &item))
                return false;
        }
        buffer_put_char(self->out, ']');
        return true;
    }
}

static bool s_type_field(introspection_t *self,
                         plan_field_t *field,
                         const schema_ref_t *ref,
                         const path_t *path)
{
    /* a list or non-null has only kind and ofType */
    const schema_type_t *type = ref->kind == SCHEMA_REF_NAMED ? ref->type : NULL;
    schema_kind_t kind = ref->type->kind;
    if (field->introspection == META_TYPE_KIND)
        return s_put_kind(self, ref);
    if (field->introspection == META_TYPE_OF_TYPE)
        return s_put_type(self, field, type ? NULL : ref->of, path);
    if (!type)
        return s_put_text(self, NULL);
    bool has_fields = kind == SCHEMA_OBJECT || kind == SCHEMA_INTERFACE;
    switch (field->introspection) {
    case META_TYPE_NAME:
        return s_put_name(self, type->name);
    case META_TYPE_DESCRIPTION:
        return s_put_text(self, type->description);
    case META_TYPE_SPECIFIED_BY_URL:
        return s_put_text(self, kind == SCHEMA_SCALAR ? type->specified_by_url : NULL);
    case META_TYPE_FIELDS:
        return has_fields
                   ? s_put_each(self, field, s_nth_field, type->fields, type->field_count, path)
                   : s_put_text(self, NULL);
    case META_TYPE_INTERFACES:
        return has_fields ? s_put_types(self, field, type->interfaces, type->interface_count, path)
                          : s_put_text(self, NULL);
    case META_TYPE_POSSIBLE_TYPES:
        return schema_type_is_abstract(type)
                   ? s_put_types(self, field, type->possible, type->possible_count, path)
                   : s_put_text(self, NULL);
    case META_TYPE_ENUM_VALUES:
        return kind == SCHEMA_ENUM
                   ? s_put_each(self, field, s_nth_value, type->values, type->value_count, path)
                   : s_put_text(self, NULL);
    case META_TYPE_INPUT_FIELDS:
        return kind == SCHEMA_INPUT_OBJECT
                   ? s_put_each(self, field, s_nth_input, type->inputs, type->input_count, path)
                   : s_put_text(self, NULL);
    default: /* META_TYPE_IS_ONE_OF */
        return kind == SCHEMA_INPUT_OBJECT ? s_put_bool(self, type->is_one_of)
                                           : s_put_text(self, NULL);
    }
}

static bool s_field_field(introspection_t *self,
                          plan_field_t *field,
                          const schema_field_t *subject,
                          const path_t *path)
{
    switch (field->introspection) {
    case META_FIELD_NAME:
        return s_put_name(self, subject->name);
    case META_FIELD_DESCRIPTION:
        return s_put_text(self, subject->description);
    case META_FIELD_ARGS:
        return s_put_each(self, field, s_nth_input, subject->arguments, subject->argument_count,
                          path);
    case META_FIELD_TYPE:
        return s_put_type(self, field, subject->type, path);
    case META_FIELD_IS_DEPRECATED:
        return s_put_bool(self, subject->deprecation_reason != NULL);
    default: /* META_FIELD_DEPRECATION_REASON */
        return s_put_text(self, subject->deprecation_reason);
    }
}

static bool s_input_field(introspection_t *self,
                          plan_field_t *field,
                          const schema_input_t *subject,
                          const path_t *path)
{
    switch (field->introspection) {
    case META_INPUT_NAME:
        return s_put_name(self, subject->name);
    case META_INPUT_DESCRIPTION:
        return s_put_text(self, subject->description);
    case META_INPUT_TYPE:
        return s_put_type(self, field, subject->type, path);
    case META_INPUT_DEFAULT_VALUE:
        return s_put_default(self, subject->default_value);
    case META_INPUT_IS_DEPRECATED:
        return s_put_bool(self, subject->deprecation_reason != NULL);
    default: /* META_INPUT_DEPRECATION_REASON */
        return s_put_text(self, subject->deprecation_reason);
    }
}

static bool
s_value_field(introspection_t *self, plan_field_t *field, const schema_enum_value_t *subject)
{
    switch (field->introspection) {
    case META_VALUE_NAME:
        return s_put_name(self, subject->name);
    case META_VALUE_DESCRIPTION:
        return s_put_text(self, subject->description);
    case META_VALUE_IS_DEPRECATED:
        return s_put_bool(self, subject->deprecation_reason != NULL);
    default: /* META_VALUE_DEPRECATION_REASON */
        return s_put_text(self, subject->deprecation_reason);
    }
}

static bool s_put_locations(introspection_t *self, const schema_directive_t *directive)
{
    buffer_put_char(self->out, '[');
    for (uint32_t i = 0; i < directive->location_order_count; i++) {
        if (i)
            buffer_put_char(self->out, ',');
        s_put_text(self, schema_location_name(directive->location_order[i]));
    }
    buffer_put_char(self->out, ']');
    return true;
}

static bool s_directive_field(introspection_t *self,
                              plan_field_t *field,
                              const schema_directive_t *subject,
                              const path_t *path)
{
    switch (field->introspection) {
    case META_DIRECTIVE_NAME:
        return s_put_name(self, subject->name);
    case META_DIRECTIVE_DESCRIPTION:
        return s_put_text(self, subject->description);
    case META_DIRECTIVE_IS_REPEATABLE:
        return s_put_bool(self, subject->is_repeatable);
    case META_DIRECTIVE_LOCATIONS:
        return s_put_locations(self, subject);
    case META_DIRECTIVE_ARGS:
        return s_put_each(self, field, s_nth_input, subject->arguments, subject->argument_count,
                          path);
    case META_DIRECTIVE_IS_DEPRECATED:
        return s_put_bool(self, false);
    default: /* META_DIRECTIVE_DEPRECATION_REASON */
        return s_put_text(self, NULL);
    }
}

static bool
s_value(introspection_t *self, plan_field_t *field, subject_t subject, const path_t *path)
{
    int id = field->introspection;
    if (field->source == PLAN_TYPENAME)
        return s_put_name(self, field->parent->name);
    if (id <= META_SCHEMA_DIRECTIVES)
        return s_schema_field(self, field, subject.schema, path);
    if (id <= META_TYPE_IS_ONE_OF)
        return s_type_field(self, field, subject.type, path);
    if (id <= META_FIELD_DEPRECATION_REASON)
        return s_field_field(self, field, subject.field, path);
    if (id <= META_INPUT_DEPRECATION_REASON)
        return s_input_field(self, field, subject.input, path);
    if (id <= META_VALUE_DEPRECATION_REASON)
        return s_value_field(self, field, subject.value);
    return s_directive_field(self, field, subject.directive, path);
}

/* Query.__type(name:) */
static bool s_type_by_name(introspection_t *self, plan_field_t *field, const path_t *path)
{
    json_slice_t value;
    size_t size;
    if (!s_argument(self, field, path, &value))
        return false;
    const char *name = value.data ? json_string_decode(self->arena, value, &size) : NULL;
    if (!name)
        return s_out_of_memory(self);
    return s_put_named(self, field, schema_type_by_text(self->plan->schema, name, size), path);
}

/* Without variables the value is always the same, as long as the plan lives. */
static void s_keep(introspection_t *self, plan_field_t *field, size_t start)
{
    size_t size = self->out->size - start;
    if (self->plan->operation->operation.variable_count > 0)
        return;
    field->kept.data = arena_memdup(self->plan->arena, self->out->data + start, size);
    field->kept.size = size;
}

bool introspect(introspection_t *self, plan_field_t *field, const path_t *path)
{
    size_t mark = self->out->size;
    bool ok = true;
    if (*self->is_full)
        self->out->failed = true;
    else if (field->kept.data)
        buffer_put(self->out, field->kept.data, field->kept.size);
    else if (field->introspection == META_QUERY_TYPE)
        ok = s_type_by_name(self, field, path);
    else
        ok = s_put_object(self, field, (subject_t){.schema = self->plan->schema}, path);
    if (ok && !self->out->failed) {
        if (!field->kept.data)
            s_keep(self, field, mark);
        return true;
    }
    if (self->out->failed) {
        self->out->failed = false;
        *self->is_full = true;
        if (mark == 0)
            buffer_free(self->out); /* as large as a response may be, for nothing */
        field_errors_addf(self->errors, field, path, ERR_LIMIT_EXCEEDED,
                          "The response is larger than the limit of %zu bytes.", self->limit_bytes);
    }
    self->out->size = mark;
    if (field->non_null)
        return false;
    self->out->limit += 4; /* there is room for this, however large the rest is */
    buffer_put_str(self->out, "null");
    return true;
}
