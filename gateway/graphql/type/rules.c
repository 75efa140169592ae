/* Who may read or call a field: the directives @aws_…, as AppSync reads them. A field's own
 * directives take the place of its type's; where neither says anything, those of the interfaces
 * that the field implements hold, all of them. What a service writes at a type that belongs to
 * several (the roots, an extended type) is about its own fields only. */
#include <string.h>

#include "gateway/graphql/type/builder.h"

/* A rule on its way, in the builder's arena. */
typedef struct {
    builder_t *builder;
    bool is_there;
    gql_rule_t rule;
    const char **groups;
    uint32_t group_room;
} draft_rule_t;

static const struct {
    const char *directive;
    gql_provider_t provider;
} s_directives[] = {
    {"aws_auth", GQL_USER_POOL},  {"aws_cognito_user_pools", GQL_USER_POOL},
    {"aws_api_key", GQL_API_KEY}, {"aws_oidc", GQL_OIDC},
    {"aws_iam", GQL_IAM},         {"aws_lambda", GQL_LAMBDA},
};

/* ---- reading directives ---- */

static bool s_add_group(draft_rule_t *self, const char *name)
{
    for (uint32_t i = 0; i < self->rule.group_count; i++)
        if (strcmp(self->groups[i], name) == 0)
            return true;
    if (self->rule.group_count == self->group_room) {
        uint32_t room = self->group_room ? self->group_room * 2 : 4;
        const char **groups = b_alloc(self->builder, room, sizeof(const char *));
        if (!groups)
            return false;
        if (self->rule.group_count)
            memcpy(groups, self->groups, self->rule.group_count * sizeof(const char *));
        self->groups = groups;
        self->group_room = room;
    }
    self->groups[self->rule.group_count++] = name;
    return true;
}

/* Members of these groups; an empty list lets nobody in. */
static bool s_add_groups(draft_rule_t *self, const ast_value_t *value)
{
    const ast_value_t *items = value->kind == AST_LIST ? value->list.items : value;
    uint32_t count = value->kind == AST_LIST ? value->list.count : 1;
    for (uint32_t i = 0; i < count; i++) {
        if (items[i].kind == AST_STRING && !s_add_group(self, items[i].text.data))
            return false; /* what is no string is reported by b_check_applied */
    }
    return true;
}

static bool s_add(draft_rule_t *self, const schema_applied_t *applied, gql_provider_t provider)
{
    const ast_value_t *groups = NULL;
    self->is_there = true;
    if (provider == GQL_USER_POOL)
        groups = schema_applied_argument(applied, "cognito_groups");
    if (groups && groups->kind != AST_NULL)
        return s_add_groups(self, groups);
    self->rule.providers |= provider;
    return true;
}

/* The directives of that service in the list; service NULL: of all. */
static bool s_read(draft_rule_t *self, const schema_applied_list_t *list, const char *service)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const schema_applied_t *applied = &list->items[i];
        if (service && (!applied->service || strcmp(applied->service, service) != 0))
            continue;
        for (size_t d = 0; d < sizeof s_directives / sizeof *s_directives; d++)
            if (name_is(applied->name, s_directives[d].directive) &&
                !s_add(self, applied, s_directives[d].provider))
                return false;
    }
    return true;
}

/* ---- one of a kind ---- */

static bool
s_is_same(const schema_rule_t *known, const draft_rule_t *draft, const schema_rule_t *also)
{
    if (known->also != also || known->rule.providers != draft->rule.providers ||
        known->rule.group_count != draft->rule.group_count)
        return false;
    for (uint32_t i = 0; i < known->rule.group_count; i++)
        if (strcmp(known->rule.groups[i], draft->groups[i]) != 0)
            return false;
    return true;
}

/* The schema's rule that says the same, and that `also` must hold; made if there is none. NULL if
 * memory is out. */
static const schema_rule_t *s_intern(draft_rule_t *draft, const schema_rule_t *also)
{
    schema_t *schema = draft->builder->schema;
    for (const schema_rule_t *known = schema->rules; known; known = known->next)
        if (s_is_same(known, draft, also))
            return known;
    schema_rule_t *rule = b_alloc(draft->builder, 1, sizeof *rule);
    if (!rule)
        return NULL;
    *rule = (schema_rule_t){
        .id = schema->rule_count++, .rule = draft->rule, .also = also, .next = schema->rules};
    rule->rule.groups = draft->groups;
    schema->rules = rule;
    return rule;
}

/* ---- fields ---- */

static bool s_is_root(const schema_t *schema, const schema_type_t *type)
{
    return type == schema->query || type == schema->mutation || type == schema->subscription;
}

/* What the field and its type say themselves. */
static bool s_read_own(draft_rule_t *self, const schema_field_t *field)
{
    const schema_type_t *type = field->parent;
    if (!s_read(self, &field->applied, NULL))
        return false;
    if (!self->is_there && field->service && !s_read(self, &type->applied, field->service))
        return false;
    if (!self->is_there && type->service && !s_is_root(self->builder->schema, type))
        return s_read(self, &type->applied, type->service);
    return true;
}

/* The rules of the interfaces' fields of that name, in a chain. */
static bool s_inherit(builder_t *self, const schema_field_t *field, const schema_rule_t **chain)
{
    const schema_type_t *type = field->parent;
    for (uint32_t i = 0; i < type->interface_count; i++) {
        const schema_field_t *wanted = schema_type_own_field(type->interfaces[i], field->name);
        draft_rule_t draft = {.builder = self};
        if (!wanted || wanted->is_public)
            continue;
        if (!s_read_own(&draft, wanted))
            return false;
        if (draft.is_there && !(*chain = s_intern(&draft, *chain)))
            return false;
    }
    return true;
}

static bool s_fill_field(builder_t *self, schema_field_t *field)
{
    draft_rule_t draft = {.builder = self};
    if (field->is_public)
        return true;
    if (!s_read_own(&draft, field))
        return false;
    if (!draft.is_there)
        return s_inherit(self, field, &field->rule);
    field->rule = s_intern(&draft, NULL);
    return field->rule != NULL;
}

bool b_fill_rules(builder_t *self)
{
    for (uint32_t i = 0; i < self->type_count; i++) {
        const schema_type_t *type = self->types[i];
        if (type->is_builtin || type->kind != SCHEMA_OBJECT)
            continue;
        schema_field_t *fields = (schema_field_t *)(uintptr_t)type->fields;
        for (uint32_t f = 0; f < type->field_count; f++)
            if (!s_fill_field(self, &fields[f]))
                return false;
    }
    return true;
}
