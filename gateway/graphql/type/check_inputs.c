#include "gateway/graphql/type/check_inputs.h"

#include <string.h>

/* Deeper definitions are refused: these walks recurse. */
enum { DEPTH_CEILING = 200 };

static bool s_too_deep(builder_t *self, const char *service, ast_loc_t loc, const name_t *name)
{
    return b_fail(self, service, loc,
                  "The definitions that \"%s\" refers to are nested more than %d deep.", name->data,
                  DEPTH_CEILING);
}

/* ---- finite values ---- */

/* The input object that a value of this field cannot do without, or NULL. */
static const schema_type_t *s_target(const schema_type_t *type, const schema_input_t *input)
{
    const schema_ref_t *ref = input->type;
    if (!type->is_one_of) {
        if (ref->kind != SCHEMA_REF_NON_NULL)
            return NULL;
        ref = ref->of;
    }
    if (ref->kind != SCHEMA_REF_NAMED || ref->type->kind != SCHEMA_INPUT_OBJECT)
        return NULL;
    return ref->type;
}

/* The types that cannot do without one. */
typedef struct user {
    const schema_type_t *type;
    const struct user *next;
} user_t;

/* Who is known to be finite, and by type id: what each of the others still waits for. */
typedef struct {
    bool *finite;
    uint32_t *missing;          /* targets that must become finite first */
    const user_t **users;       /* who waits for the type */
    const schema_type_t **news; /* finite, and those who wait for it were not told */
    uint32_t news_count;
} finite_t;

static void s_set_finite(finite_t *self, const schema_type_t *type)
{
    self->finite[type->id] = true;
    self->news[self->news_count++] = type;
}

/* A oneOf needs one field that leads to something finite, any other input object needs all. */
static uint32_t s_count_missing(const schema_type_t *type)
{
    uint32_t targets = 0;
    for (uint32_t i = 0; i < type->input_count; i++)
        targets += s_target(type, &type->inputs[i]) != NULL;
    if (type->is_one_of)
        return targets == type->input_count;
    return targets;
}

/* user_p: memory for one user of each field; moves on. */
static void s_enter(finite_t *self, const schema_type_t *type, user_t **user_p)
{
    self->missing[type->id] = s_count_missing(type);
    if (self->missing[type->id] == 0) {
        s_set_finite(self, type);
        return;
    }
    for (uint32_t i = 0; i < type->input_count; i++) {
        const schema_type_t *target = s_target(type, &type->inputs[i]);
        if (!target)
            continue;
        user_t *user = (*user_p)++;
        *user = (user_t){.type = type, .next = self->users[target->id]};
        self->users[target->id] = user;
    }
}

/* Each field is looked at once: when what it leads to turns out to be finite. */
static void s_spread(finite_t *self)
{
    while (self->news_count > 0) {
        const schema_type_t *type = self->news[--self->news_count];
        for (const user_t *user = self->users[type->id]; user; user = user->next) {
            uint32_t *missing = &self->missing[user->type->id];
            if (*missing > 0 && --*missing == 0)
                s_set_finite(self, user->type);
        }
    }
}

/* Follows fields without a finite value until a type comes again, and names the fields of that
 * circle. */
static bool s_report_infinite(builder_t *self, const schema_type_t *type, const bool *finite)
{
    bool *seen = b_alloc(self, self->type_count, sizeof *seen);
    const char *path = "";
    if (!seen)
        return false;
    for (int round = 0; round < 2; round++) { /* first into the circle, then around it */
        memset(seen, 0, self->type_count * sizeof *seen);
        path = "";
        while (!seen[type->id]) {
            const schema_input_t *input = type->inputs;
            while (!s_target(type, input) || finite[s_target(type, input)->id])
                input++;
            seen[type->id] = true;
            path = strlen(path) > 150
                       ? path
                       : arena_printf(self->arena, "%s%s%s.%s", path, *path ? ", " : "",
                                      type->name->data, input->name->data);
            if (!path)
                return b_no_memory(self);
            type = s_target(type, input);
        }
    }
    return b_fail(self, type->service, type->loc,
                  "Input Object %s cannot be provided a finite value because it references itself "
                  "through fields: %s.",
                  type->name->data, path);
}

static bool s_is_infinite(const finite_t *self, const schema_type_t *type)
{
    return type->kind == SCHEMA_INPUT_OBJECT && !self->finite[type->id];
}

bool check_inputs_are_finite(builder_t *self)
{
    uint32_t fields = 0;
    for (uint32_t i = 0; i < self->type_count; i++)
        fields += self->types[i]->input_count;
    user_t *users = b_alloc(self, fields, sizeof *users);
    finite_t finite = {.finite = b_alloc(self, self->type_count, sizeof *finite.finite),
                       .missing = b_alloc(self, self->type_count, sizeof *finite.missing),
                       .users = b_alloc(self, self->type_count, sizeof(const user_t *)),
                       .news = b_alloc(self, self->type_count, sizeof(const schema_type_t *))};
    if (!users || !finite.finite || !finite.missing || !finite.users || !finite.news)
        return false;
    for (uint32_t i = 0; i < self->type_count; i++) {
        if (self->types[i]->kind == SCHEMA_INPUT_OBJECT)
            s_enter(&finite, self->types[i], &users);
    }
    s_spread(&finite);
    for (uint32_t i = 0; i < self->type_count; i++) {
        if (s_is_infinite(&finite, self->types[i]))
            return s_report_infinite(self, self->types[i], finite.finite);
    }
    return true;
}

/* ---- default values ---- */

typedef struct {
    builder_t *builder;
    const uint32_t *base; /* by type id: number of the type's first input field */
    uint8_t *state;       /* by number of the input field */
    unsigned depth;
} defaults_t;

enum { NOT_SEEN, ON_PATH, DONE };

static bool s_walk_default(defaults_t *self, const schema_type_t *type, const ast_value_t *value);

static bool s_walk_field(defaults_t *self, const schema_type_t *type, const schema_input_t *input)
{
    uint8_t *state = &self->state[self->base[type->id] + input->index];
    if (!input->default_value || *state == DONE)
        return true;
    if (*state == ON_PATH)
        return b_fail(self->builder, type->service, input->loc,
                      "Invalid circular reference. The default value of Input Object field %s.%s "
                      "references itself.",
                      type->name->data, input->name->data);
    *state = ON_PATH;
    if (!s_walk_default(self, input->type->type, input->default_value))
        return false;
    *state = DONE;
    return true;
}

static const ast_value_t *s_given(const ast_value_t *value, const name_t *name)
{
    for (uint32_t i = 0; i < value->object.count; i++) {
        if (value->object.fields[i].name == name)
            return &value->object.fields[i].value;
    }
    return NULL;
}

static bool s_walk_object(defaults_t *self, const schema_type_t *type, const ast_value_t *value)
{
    for (uint32_t i = 0; i < type->input_count; i++) {
        const schema_input_t *input = &type->inputs[i];
        const schema_type_t *named = input->type->type;
        if (named->kind != SCHEMA_INPUT_OBJECT)
            continue;
        const ast_value_t *given = s_given(value, input->name);
        if (!(given ? s_walk_default(self, named, given) : s_walk_field(self, type, input)))
            return false;
    }
    return true;
}

static bool s_walk_default(defaults_t *self, const schema_type_t *type, const ast_value_t *value)
{
    bool ok = true;
    if (self->depth++ > DEPTH_CEILING)
        return s_too_deep(self->builder, type->service, type->loc, type->name);
    if (value->kind == AST_LIST) {
        for (uint32_t i = 0; ok && i < value->list.count; i++)
            ok = s_walk_default(self, type, &value->list.items[i]);
    } else if (value->kind == AST_OBJECT) {
        ok = s_walk_object(self, type, value);
    }
    self->depth--;
    return ok;
}

bool check_inputs_default_cycles(builder_t *self)
{
    uint32_t count = 0;
    uint32_t *base = b_alloc(self, self->type_count, sizeof *base);
    if (!base)
        return false;
    for (uint32_t i = 0; i < self->type_count; i++) {
        base[i] = count;
        count += self->types[i]->input_count;
    }
    defaults_t defaults = {
        .builder = self, .base = base, .state = b_alloc(self, count, sizeof(uint8_t))};
    if (!defaults.state)
        return false;
    for (uint32_t i = 0; i < self->type_count; i++) {
        const schema_type_t *type = self->types[i];
        for (uint32_t j = 0; j < type->input_count; j++) {
            if (type->inputs[j].type->type->kind == SCHEMA_INPUT_OBJECT &&
                !s_walk_field(&defaults, type, &type->inputs[j]))
                return false;
        }
    }
    return true;
}

/* ---- directives ---- */

typedef struct {
    builder_t *builder;
    const schema_directive_t *directive; /* looked for */
    uint32_t mark;                       /* what was seen on the way from it */
    uint32_t *seen_types;
    uint32_t *seen_directives;
    unsigned depth;
    bool found;
} uses_t;

static bool s_uses_type(uses_t *self, const schema_type_t *type);

static bool s_uses_inputs(uses_t *self, const schema_input_t *inputs, uint32_t count);

static bool s_uses_applied(uses_t *self, const schema_applied_list_t *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const schema_directive_t *used = list->items[i].definition;
        if (used == self->directive)
            self->found = true;
        if (self->found)
            return true;
        if (self->seen_directives[used->id] == self->mark)
            continue;
        self->seen_directives[used->id] = self->mark;
        if (self->depth++ > DEPTH_CEILING)
            return s_too_deep(self->builder, used->service, used->loc, used->name);
        if (!s_uses_inputs(self, used->arguments, used->argument_count))
            return false;
        self->depth--;
    }
    return true;
}

static bool s_uses_inputs(uses_t *self, const schema_input_t *inputs, uint32_t count)
{
    for (uint32_t i = 0; i < count && !self->found; i++) {
        if (!s_uses_applied(self, &inputs[i].applied) || !s_uses_type(self, inputs[i].type->type))
            return false;
    }
    return true;
}

static bool s_uses_type(uses_t *self, const schema_type_t *type)
{
    if (self->found || self->seen_types[type->id] == self->mark)
        return true;
    self->seen_types[type->id] = self->mark;
    if (self->depth++ > DEPTH_CEILING)
        return s_too_deep(self->builder, type->service, type->loc, type->name);
    if (!s_uses_applied(self, &type->applied) ||
        !s_uses_inputs(self, type->inputs, type->input_count))
        return false;
    for (uint32_t i = 0; i < type->value_count && !self->found; i++) {
        if (!s_uses_applied(self, &type->values[i].applied))
            return false;
    }
    self->depth--;
    return true;
}

bool check_directive_cycles(builder_t *self)
{
    const schema_t *schema = self->schema;
    uses_t uses = {.builder = self};
    uses.seen_types = b_alloc(self, schema->type_count, sizeof(uint32_t));
    uses.seen_directives =
        b_alloc(self, schema->directive_count + schema->hidden_count, sizeof(uint32_t));
    if (!uses.seen_types || !uses.seen_directives)
        return false;
    for (uint32_t i = 0; i < schema->directive_count; i++) {
        const schema_directive_t *directive = schema->directives[i];
        if (directive->is_specified)
            continue;
        uses.directive = directive;
        uses.mark++;
        uses.depth = 0;
        if (!s_uses_inputs(&uses, directive->arguments, directive->argument_count))
            return false;
        if (uses.found)
            return b_fail(self, directive->service, directive->loc,
                          "Directive \"@%s\" cannot reference itself.", directive->name->data);
    }
    return true;
}
