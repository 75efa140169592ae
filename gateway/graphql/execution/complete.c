#include "gateway/graphql/execution/complete_parts.h"

#include <string.h>

#include "gateway/graphql/execution/inspect.h"
#include "gateway/graphql/execution/leaf.h"
#include "gateway/graphql/execution/reader.h"

/* ---- errors ---- */
static complete_status_t
s_error(completion_t *self, const plan_field_t *field, const path_t *path, const char *message)
{
    if (!message) {
        self->errors->out_of_memory = true;
        return COMPLETE_STOP;
    }
    field_errors_add(self->errors, field, path, err_code_name(ERR_INTERNAL),
                     (json_slice_t){.data = NULL}, message);
    return COMPLETE_NULLED;
}

/* Is an error not worth its message, because it would not be reported? Then it is counted, and that
 * is all. */
static bool s_is_unread(completion_t *self)
{
    return field_errors_count_unread(self->errors);
}

/* For the log, which must not show values: what is wrong, and with which field. */
static void s_blame(completion_t *self, const char *what, const plan_field_t *field)
{
    if (!self->fault)
        self->fault = arena_printf(self->arena, "%s for %s", what, field->definition->coordinate);
}

static complete_status_t s_wrong_value(completion_t *self,
                                       const plan_field_t *field,
                                       const path_t *path,
                                       const char *message)
{
    s_blame(self, "a value that does not fit the type", field);
    return s_error(self, field, path, message);
}

complete_status_t
complete_null_error(completion_t *self, const plan_field_t *field, const path_t *path)
{
    s_blame(self, "null or nothing, which may not be,", field);
    if (s_is_unread(self))
        return COMPLETE_NULLED;
    return s_error(self, field, path,
                   arena_printf(self->arena, "Cannot return null for non-nullable field %s.",
                                field->definition->coordinate));
}

complete_status_t
complete_refused(completion_t *self, const plan_field_t *field, const path_t *path)
{
    if (!s_is_unread(self))
        field_errors_add_refusal(self->errors, field, path);
    if (field->non_null)
        return COMPLETE_NULLED;
    complete_put(self, "null", 4);
    return COMPLETE_DONE;
}

/* Forgets the holes behind `last`. */
static void s_cut_holes(text_t *text, hole_t *last)
{
    if (last)
        last->next = NULL;
    else
        text->first = NULL;
    text->last = last;
}

/* ---- leaves ---- */

/* value: a whole value, read already. */
complete_status_t
complete_leaf(completion_t *self, const plan_field_t *field, const path_t *path, json_slice_t value)
{
    const schema_type_t *type = field->definition->type->type;
    if (leaf_complete(type, value, self->arena, &self->text->bytes))
        return COMPLETE_DONE;
    if (s_is_unread(self))
        return COMPLETE_NULLED;
    return s_wrong_value(self, field, path, leaf_complaint(type, value, self->arena));
}

/* ---- abstract types ---- */

/* The member of that name in the object at `at`; false if there is none, *valid says whether it is
 * JSON so far. */
static bool
s_find_member(const completion_t *self, const char *name, json_slice_t *value, bool *valid)
{
    const char *end = self->end;
    const char *at = reader_space(self->at + 1, end);
    *valid = false;
    while (at < end && *at == '"') {
        const char *key = at + 1;
        at = reader_string(at, end);
        if (!at)
            return false;
        json_slice_t text = {key, (size_t)(at - 1 - key)};
        at = reader_space(at, end);
        if (at >= end || *at != ':')
            return false;
        const char *start = reader_space(at + 1, end);
        at = reader_skip(start, end, READER_MAX_DEPTH);
        if (!at)
            return false;
        if (json_key_is(text, name, strlen(name))) {
            *value = (json_slice_t){start, (size_t)(at - start)};
            *valid = true;
            return true;
        }
        at = reader_space(at, end);
        if (at >= end || *at != ',')
            break;
        at = reader_space(at + 1, end);
    }
    *valid = at < end && *at == '}';
    return false;
}

/* What __typename says; text is NULL if it says nothing. */
typedef struct {
    const char *text;
    size_t size;
    const schema_type_t *type; /* NULL: no type has that name */
} runtime_t;

/* Looks at the object at `at`. STOP if it is no JSON or memory is out. */
static complete_status_t
s_runtime(completion_t *self, const plan_field_t *field, runtime_t *runtime)
{
    json_slice_t value;
    bool valid;
    *runtime = (runtime_t){.text = NULL};
    bool found = s_find_member(self, "__typename", &value, &valid);
    if (!valid)
        return COMPLETE_STOP;
    if (!found || json_kind(value) != JSON_STRING_VALUE)
        return COMPLETE_DONE;
    runtime->size = value.size - 2;
    runtime->text = value.data + 1;
    if (memchr(runtime->text, '\\', runtime->size))
        runtime->text = json_string_decode(self->arena, value, &runtime->size);
    if (!runtime->text) {
        self->errors->out_of_memory = true;
        return COMPLETE_STOP;
    }
    /* most likely the same as of the item before */
    const schema_type_t *last = field->last_type;
    if (last && last->name->size == runtime->size &&
        memcmp(last->name->data, runtime->text, runtime->size) == 0)
        runtime->type = last;
    else
        runtime->type = schema_type_by_text(self->plan->schema, runtime->text, runtime->size);
    return COMPLETE_DONE;
}

static const char *s_runtime_complaint(const completion_t *self,
                                       const plan_field_t *field,
                                       const schema_type_t *type,
                                       const runtime_t *runtime)
{
    const char *name = type->name->data;
    if (!runtime->text)
        return arena_printf(self->arena,
                            "Abstract type \"%s\" must resolve to an Object type at runtime for "
                            "field \"%s\": the service must give \"__typename\".",
                            name, field->definition->coordinate);
    if (!runtime->type)
        return arena_printf(self->arena,
                            "Abstract type \"%s\" was resolved to a type \"%.*s\" that does not "
                            "exist inside the schema.",
                            name, runtime->size > INSPECT_MAX ? 0 : (int)runtime->size,
                            runtime->text);
    if (runtime->type->kind != SCHEMA_OBJECT)
        return arena_printf(self->arena,
                            "Abstract type \"%s\" was resolved to a non-object type \"%s\".", name,
                            runtime->type->name->data);
    return arena_printf(self->arena,
                        "Runtime Object type \"%s\" is not a possible type for \"%s\".",
                        runtime->type->name->data, name);
}

/* An object of an interface or union: which type is it? */
static complete_status_t s_abstract(completion_t *self,
                                    const plan_field_t *field,
                                    const schema_type_t **type,
                                    const path_t *path)
{
    runtime_t runtime;
    complete_status_t status = s_runtime(self, field, &runtime);
    if (status != COMPLETE_DONE)
        return status;
    if (runtime.type && runtime.type->kind == SCHEMA_OBJECT &&
        schema_type_is_possible(*type, runtime.type)) {
        *type = runtime.type;
        return COMPLETE_DONE;
    }
    if (s_is_unread(self))
        return COMPLETE_NULLED;
    return s_wrong_value(self, field, path, s_runtime_complaint(self, field, *type, &runtime));
}

static complete_status_t
s_composite(completion_t *self, plan_field_t *field, const schema_type_t *type, const path_t *path)
{
    if (*self->at != '{') {
        const char *end = reader_skip(self->at, self->end, READER_MAX_DEPTH);
        if (!end)
            return COMPLETE_STOP;
        if (s_is_unread(self))
            return COMPLETE_NULLED;
        return s_wrong_value(self, field, path,
                             arena_printf(self->arena, "Expected value of type \"%s\" but got: %s.",
                                          type->name->data,
                                          inspect_text(self->arena, self->at, end)));
    }
    if (type->kind != SCHEMA_OBJECT) {
        complete_status_t status = s_abstract(self, field, &type, path);
        if (status != COMPLETE_DONE)
            return status;
    }
    plan_set_t *set = plan_below(self->plan, field, type);
    if (!set) {
        self->errors->out_of_memory = true;
        return COMPLETE_STOP;
    }
    return complete_object(self, set, path);
}

/* ---- lists, and any value ---- */
static complete_status_t
s_list(completion_t *self, plan_field_t *field, const schema_ref_t *item_type, const path_t *path)
{
    if (*self->at != '[' && s_is_unread(self))
        return COMPLETE_NULLED;
    if (*self->at != '[')
        return s_wrong_value(
            self, field, path,
            arena_printf(self->arena, "Expected Iterable, but did not find one for field \"%s\".",
                         field->definition->coordinate));
    path_t item = {.above = path};
    complete_put(self, "[", 1);
    self->at = reader_space(self->at + 1, self->end);
    if (self->at < self->end && *self->at == ']') {
        self->at++;
        complete_put(self, "]", 1);
        return COMPLETE_DONE;
    }
    for (;; item.index++) {
        complete_status_t status = complete_value(self, field, item_type, &item);
        if (status != COMPLETE_DONE)
            return status;
        const char *at = reader_space(self->at, self->end);
        if (at >= self->end || self->text->bytes.failed)
            return COMPLETE_STOP;
        if (*at == ']') {
            self->at = at + 1;
            complete_put(self, "]", 1);
            return COMPLETE_DONE;
        }
        if (*at != ',')
            return COMPLETE_STOP;
        complete_put(self, ",", 1);
        self->at = reader_space(at + 1, self->end);
    }
}

static complete_status_t s_nested(completion_t *self,
                                  plan_field_t *field,
                                  const schema_ref_t *type,
                                  bool non_null,
                                  const path_t *path)
{
    hole_t *last_hole = self->text->last;
    position_t position = {
        .above = self->position, .start = self->text->bytes.size, .non_null = non_null};
    self->position = &position;
    complete_status_t status = type->kind == SCHEMA_REF_LIST
                                   ? s_list(self, field, type->of, path)
                                   : s_composite(self, field, type->type, path);
    self->position = position.above;
    if (status != COMPLETE_DONE)
        s_cut_holes(self->text, last_hole);
    else if (position.made)
        position.made->end = self->text->bytes.size;
    return status;
}

/* Completes the value at `at`. */
complete_status_t complete_value(completion_t *self,
                                 plan_field_t *field,
                                 const schema_ref_t *type,
                                 const path_t *path)
{
    bool non_null = type->kind == SCHEMA_REF_NON_NULL;
    if (non_null)
        type = type->of;
    const char *start = self->at;
    if (start >= self->end)
        return COMPLETE_STOP;
    size_t mark = self->text->bytes.size;
    complete_status_t status;
    if (*start == 'n') {
        self->at = reader_word(start, self->end, "null", 4);
        if (!self->at)
            return COMPLETE_STOP;
        if (non_null)
            return complete_null_error(self, field, path);
        complete_put(self, "null", 4);
        return COMPLETE_DONE;
    }
    if (type->kind == SCHEMA_REF_NAMED && schema_type_is_leaf(type->type)) {
        const char *end = reader_skip(start, self->end, READER_MAX_DEPTH);
        if (!end)
            return COMPLETE_STOP;
        self->at = end;
        status = complete_leaf(self, field, path, (json_slice_t){start, (size_t)(end - start)});
    } else {
        status = s_nested(self, field, type, non_null, path);
    }
    if (status != COMPLETE_NULLED || non_null)
        return status;
    self->text->bytes.size = mark;
    complete_put(self, "null", 4);
    self->at = reader_skip(start, self->end, READER_MAX_DEPTH);
    return self->at ? COMPLETE_DONE : COMPLETE_STOP;
}

bool complete_failure(completion_t *self, const plan_field_t *field)
{
    if (field->non_null)
        return false;
    self->text->bytes.limit += 4; /* there is room for this, however large the rest is */
    complete_put(self, "null", 4);
    return true;
}

/* The answer as a whole is of no use: says why, at the field's path. */
static void s_useless(completion_t *self, const plan_field_t *field, const path_t *path)
{
    if (self->errors->out_of_memory)
        return;
    if (self->text->bytes.failed) {
        self->text->bytes.failed = false;
        field_errors_addf(self->errors, field, path, ERR_LIMIT_EXCEEDED,
                          "The response is larger than the limit of %zu bytes.", self->limit_bytes);
        return;
    }
    self->fault = "no valid JSON";
    s_error(self, field, path,
            arena_printf(self->arena, "Service \"%s\" gave no valid JSON.", self->service));
}

bool complete_field(
    completion_t *self, plan_field_t *field, const path_t *path, const char *json, size_t size)
{
    field_errors_mark_t errors = field_errors_mark(self->errors);
    hole_t *last_hole = self->text->last;
    size_t mark = self->text->bytes.size;
    self->plan->turn++;
    self->position = NULL;
    /* most often the response is as long as the answer */
    if (size < self->text->bytes.limit - mark)
        buffer_reserve(&self->text->bytes, size + 1);
    self->end = json + size;
    self->at = reader_space(json, self->end);
    complete_status_t status = complete_value(self, field, field->definition->type, path);
    if (status == COMPLETE_DONE && reader_space(self->at, self->end) != self->end)
        status = COMPLETE_STOP;
    if (status == COMPLETE_DONE && !self->text->bytes.failed)
        return true;
    s_cut_holes(self->text, last_hole);
    self->text->bytes.size = mark;
    if (status == COMPLETE_NULLED)
        return false;
    field_errors_cut(self->errors, errors);
    s_useless(self, field, path);
    return complete_failure(self, field);
}
