#include "gateway/graphql/type/build_schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/utf8.h"
#include "gateway/graphql/language/parser.h"
#include "gateway/graphql/type/builder.h"
#include "gateway/graphql/type/builtins.h"

enum { BUILTIN_SOURCES = BUILTIN_SPECIFIED_PARTS + 1, SDL_DEPTH = 64 };

/* Of what is wrong; service and place go before it. */
enum { MESSAGE_SIZE = ERR_TEXT_SIZE - 80 };

static const char EMPTY_QUERY_SDL[] = "type Query { _empty: Boolean @public }";

/* ---- helpers for the whole workshop ---- */

bool b_fail(builder_t *self, const char *service, ast_loc_t loc, const char *format, ...)
{
    char text[MESSAGE_SIZE + 1];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size >= MESSAGE_SIZE)
        text[utf8_cut(text, MESSAGE_SIZE - 1)] = '\0';
    if (!service)
        err_set(self->err, ERR_BAD_USER_INPUT, "schema: %s", text);
    else
        err_set(self->err, ERR_BAD_USER_INPUT, "service %s, line %u, column %u: %s", service,
                loc.line, loc.column, text);
    return false;
}

bool b_no_memory(builder_t *self)
{
    err_set(self->err, ERR_INTERNAL, "schema: out of memory");
    return false;
}

void *b_alloc(builder_t *self, size_t count, size_t size)
{
    void *memory = arena_calloc(self->arena, count, size);
    if (!memory)
        b_no_memory(self);
    return memory;
}

void b_stamp(builder_t *self)
{
    self->stamp++;
}

bool b_is_new(builder_t *self, const name_t *name)
{
    bool is_new = self->stamps[name->id] != self->stamp;
    self->stamps[name->id] = self->stamp;
    return is_new;
}

/* ---- parsing ---- */

static bool s_parse(builder_t *self, source_t *source, const char *sdl, size_t size)
{
    gql_errors_t errors = GQL_ERRORS_INIT(self->arena, 1);
    parser_limits_t limits = {.max_depth = SDL_DEPTH};
    source->document = parser_parse_document(self->arena, self->names, sdl, size, &limits, &errors);
    if (source->document)
        return true;
    if (!errors.first)
        return b_no_memory(self);
    ast_loc_t loc = errors.first->location_count ? errors.first->locations[0] : (ast_loc_t){0};
    return b_fail(self, source->service, loc, "%s", errors.first->message);
}

/* A text of nothing but white space and comments is no document, but a service may well announce no
 * types. */
static bool s_is_blank(const char *sdl, size_t size)
{
    bool comment = false;
    for (size_t i = 0; i < size; i++) {
        if (sdl[i] == '#')
            comment = true;
        else if (sdl[i] == '\n' || sdl[i] == '\r')
            comment = false;
        else if (!comment && sdl[i] != ' ' && sdl[i] != '\t' && sdl[i] != ',')
            return false;
    }
    return true;
}

static bool s_parse_all(builder_t *self, const schema_source_t *sources, size_t count)
{
    self->sources = b_alloc(self, count + BUILTIN_SOURCES + 1, sizeof *self->sources);
    if (!self->sources)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (s_is_blank(sources[i].sdl, sources[i].size))
            continue;
        source_t *source = &self->sources[self->source_count++];
        source->service = arena_memdup(self->arena, sources[i].service, strlen(sources[i].service));
        if (!source->service)
            return b_no_memory(self);
        if (!s_parse(self, source, sources[i].sdl, sources[i].size))
            return false;
    }
    source_t *gateway = &self->sources[self->source_count++];
    gateway->rank = SOURCE_GATEWAY;
    if (!s_parse(self, gateway, BUILTIN_GATEWAY_SDL, strlen(BUILTIN_GATEWAY_SDL)))
        return false;
    for (size_t i = 0; i < BUILTIN_SPECIFIED_PARTS; i++) {
        source_t *specified = &self->sources[self->source_count++];
        specified->rank = SOURCE_SPECIFIED;
        if (!s_parse(self, specified, BUILTIN_SPECIFIED_SDL[i], strlen(BUILTIN_SPECIFIED_SDL[i])))
            return false;
    }
    return true;
}

/* ---- root types: how each source calls them ---- */

static const char *const s_root_defaults[3] = {"Query", "Mutation", "Subscription"};
static const char *const s_operations[3] = {"query", "mutation", "subscription"};

static bool s_add_roots(builder_t *self, source_t *source, const ast_definition_t *definition)
{
    for (uint32_t i = 0; i < definition->schema.root_count; i++) {
        const ast_root_t *root = &definition->schema.roots[i];
        if (source->roots[root->kind])
            return b_fail(self, source->service, root->loc,
                          "There can be only one %s type in schema.", s_operations[root->kind]);
        source->roots[root->kind] = root->type.name;
    }
    return true;
}

static bool s_find_source_roots(builder_t *self, source_t *source)
{
    const ast_document_t *document = source->document;
    for (uint32_t i = 0; i < document->definition_count; i++) {
        const ast_definition_t *definition = &document->definitions[i];
        if (definition->kind != AST_SCHEMA)
            continue;
        if (!definition->extend && source->schema)
            return b_fail(self, source->service, definition->loc,
                          "Must provide only one schema definition.");
        if (!definition->extend)
            source->schema = definition;
        if (!s_add_roots(self, source, definition))
            return false;
    }
    if (source->schema)
        return true;
    for (uint32_t i = 0; i < document->definition_count; i++) {
        const ast_definition_t *definition = &document->definitions[i];
        if (definition->kind < AST_SCALAR_TYPE || definition->kind > AST_INPUT_TYPE)
            continue;
        for (int kind = 0; kind < 3; kind++) {
            if (!source->roots[kind] && name_is(definition->name, s_root_defaults[kind]))
                source->roots[kind] = definition->name;
        }
    }
    return true;
}

/* All services must use the same name for a root. */
static bool s_find_roots(builder_t *self)
{
    const char *owners[3] = {NULL};
    for (uint32_t i = 0; i < self->source_count; i++) {
        source_t *source = &self->sources[i];
        if (source->rank != SOURCE_SERVICE)
            continue;
        if (!s_find_source_roots(self, source))
            return false;
        for (int kind = 0; kind < 3; kind++) {
            const name_t *name = source->roots[kind];
            if (!name)
                continue;
            if (self->root_names[kind] && self->root_names[kind] != name)
                return b_fail(self, NULL, (ast_loc_t){0},
                              "The %s root type is \"%s\" in service %s and \"%s\" in service %s.",
                              s_operations[kind], self->root_names[kind]->data, owners[kind],
                              name->data, source->service);
            self->root_names[kind] = name;
            owners[kind] = source->service;
        }
    }
    return true;
}

/* A system whose services announce no query at all still has to have one (3.3.1). */
static bool s_add_empty_query(builder_t *self)
{
    if (self->root_names[AST_QUERY])
        return true;
    source_t *source = &self->sources[self->source_count++];
    source->rank = SOURCE_GATEWAY;
    source->service = ""; /* no service has this name: calls are refused */
    if (!s_parse(self, source, EMPTY_QUERY_SDL, strlen(EMPTY_QUERY_SDL)))
        return false;
    self->root_names[AST_QUERY] = source->document->definitions[0].name;
    return true;
}

/* ---- drafts ---- */

static bool s_is_root_name(const builder_t *self, const name_t *name)
{
    return name == self->root_names[0] || name == self->root_names[1] ||
           name == self->root_names[2];
}

static bool s_add_part(builder_t *self,
                       draft_t *draft,
                       const source_t *source,
                       const ast_definition_t *definition)
{
    part_t *part = b_alloc(self, 1, sizeof *part);
    if (!part)
        return false;
    part->source = source;
    part->definition = definition;
    if (draft->last)
        draft->last->next = part;
    else
        draft->first = part;
    draft->last = part;
    return true;
}

static draft_t *
s_add_draft(builder_t *self, const source_t *source, const ast_definition_t *definition)
{
    draft_t *draft = b_alloc(self, 1, sizeof *draft);
    if (!draft)
        return NULL;
    draft->name = definition->name;
    draft->kind = definition->kind;
    draft->rank = source->rank;
    draft->is_root = s_is_root_name(self, definition->name);
    self->drafts[definition->name->id] = draft;
    if (source->rank == SOURCE_SERVICE)
        self->order[self->order_count++] = draft;
    return draft;
}

/* The same name again. */
static bool
s_merge(builder_t *self, draft_t *draft, const source_t *source, const ast_definition_t *definition)
{
    const part_t *first = draft->first;
    if (draft->rank != SOURCE_SERVICE || source->rank != SOURCE_SERVICE) {
        if (draft->kind == definition->kind)
            return true; /* conventional SDL declares what is built in */
        return b_fail(self, source->service, definition->name_loc,
                      "Type \"%s\" is built in and cannot be defined.", definition->name->data);
    }
    bool same_source = draft->last->source == source;
    if (!draft->is_root || same_source || draft->kind != definition->kind) {
        if (same_source || first->source == source)
            return b_fail(self, source->service, definition->name_loc,
                          "There can be only one type named \"%s\".", definition->name->data);
        return b_fail(self, source->service, definition->name_loc,
                      "Type \"%s\" is defined by service %s and by service %s.",
                      definition->name->data, first->source->service, source->service);
    }
    return s_add_part(self, draft, source, definition);
}

static bool
s_add_definition(builder_t *self, const source_t *source, const ast_definition_t *definition)
{
    if (definition->kind == AST_OPERATION || definition->kind == AST_FRAGMENT)
        return b_fail(self, source->service, definition->loc,
                      "An operation or a fragment has no place in a schema.");
    if (definition->extend || definition->kind == AST_SCHEMA ||
        definition->kind == AST_DIRECTIVE_DEFINITION)
        return true;
    draft_t *draft = self->drafts[definition->name->id];
    if (draft)
        return s_merge(self, draft, source, definition);
    draft = s_add_draft(self, source, definition);
    return draft && s_add_part(self, draft, source, definition);
}

static const char *s_kind_word(ast_definition_kind_t kind)
{
    switch (kind) {
    case AST_SCALAR_TYPE:
        return "scalar";
    case AST_OBJECT_TYPE:
        return "object";
    case AST_INTERFACE_TYPE:
        return "interface";
    case AST_UNION_TYPE:
        return "union";
    case AST_ENUM_TYPE:
        return "enum";
    default:
        return "input object";
    }
}

static bool
s_add_extension(builder_t *self, const source_t *source, const ast_definition_t *definition)
{
    if (!definition->extend || definition->kind == AST_SCHEMA)
        return true;
    draft_t *draft = self->drafts[definition->name->id];
    if (!draft && s_is_root_name(self, definition->name)) {
        draft = s_add_draft(self, source, definition); /* each service may just extend a root */
        if (!draft)
            return false;
    }
    if (!draft)
        return b_fail(self, source->service, definition->name_loc,
                      "Cannot extend type \"%s\" because it is not defined.",
                      definition->name->data);
    if (draft->kind != definition->kind)
        return b_fail(self, source->service, definition->name_loc,
                      "Cannot extend non-%s type \"%s\".", s_kind_word(definition->kind),
                      definition->name->data);
    if (draft->rank != SOURCE_SERVICE)
        return b_fail(self, source->service, definition->name_loc,
                      "Type \"%s\" is built in and cannot be extended.", definition->name->data);
    return s_add_part(self, draft, source, definition);
}

static bool s_draft(builder_t *self)
{
    size_t definitions = 0;
    for (uint32_t i = 0; i < self->source_count; i++)
        definitions += self->sources[i].document->definition_count;
    self->name_count = names_count(self->names);
    self->drafts = b_alloc(self, self->name_count, sizeof *self->drafts);
    self->directives = b_alloc(self, self->name_count, sizeof *self->directives);
    self->stamps = b_alloc(self, self->name_count, sizeof *self->stamps);
    self->order = b_alloc(self, definitions, sizeof *self->order);
    self->types = b_alloc(self, definitions, sizeof *self->types);
    self->type_drafts = b_alloc(self, definitions, sizeof *self->type_drafts);
    if (!self->drafts || !self->directives || !self->stamps || !self->order || !self->types ||
        !self->type_drafts)
        return false;
    /* Built-in sources come last but count first, so that services cannot replace what is in them.
     */
    for (uint32_t i = self->source_count; i-- > 0;) {
        const source_t *source = &self->sources[i];
        for (uint32_t j = 0;
             source->rank != SOURCE_SERVICE && j < source->document->definition_count; j++) {
            if (!s_add_definition(self, source, &source->document->definitions[j]))
                return false;
        }
    }
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < self->source_count; i++) {
            const source_t *source = &self->sources[i];
            for (uint32_t j = 0;
                 source->rank == SOURCE_SERVICE && j < source->document->definition_count; j++) {
                const ast_definition_t *definition = &source->document->definitions[j];
                if (!(pass == 0 ? s_add_definition(self, source, definition)
                                : s_add_extension(self, source, definition)))
                    return false;
            }
        }
    }
    return true;
}

/* ---- hash tables ---- */

static uint32_t *s_table(builder_t *self, uint32_t count, uint32_t *mask)
{
    uint32_t slots = 4;
    while (slots < count * 2)
        slots *= 2;
    *mask = slots - 1;
    return b_alloc(self, slots, sizeof(uint32_t));
}

static void s_table_add(uint32_t *table, uint32_t mask, const name_t *name, uint32_t index)
{
    uint32_t at = name->hash & mask;
    while (table[at])
        at = (at + 1) & mask;
    table[at] = index + 1;
}

static bool s_index_type(builder_t *self, schema_type_t *type)
{
    uint32_t count = type->field_count + type->value_count + type->input_count;
    if (count == 0)
        return true;
    uint32_t *table = s_table(self, count, &type->index_mask);
    if (!table)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        const name_t *name = type->field_count   ? type->fields[i].name
                             : type->value_count ? type->values[i].name
                                                 : type->inputs[i].name;
        s_table_add(table, type->index_mask, name, i);
    }
    type->index = table;
    return true;
}

static bool s_index(builder_t *self)
{
    schema_t *schema = self->schema;
    uint32_t *types = s_table(self, schema->type_count, &schema->type_index_mask);
    uint32_t *directives = s_table(self, schema->directive_count + schema->hidden_count,
                                   &schema->directive_index_mask);
    if (!types || !directives)
        return false;
    for (uint32_t i = 0; i < schema->type_count; i++) {
        s_table_add(types, schema->type_index_mask, self->types[i]->name, i);
        if (!s_index_type(self, self->types[i]))
            return false;
    }
    for (uint32_t i = 0; i < schema->directive_count; i++)
        s_table_add(directives, schema->directive_index_mask, schema->directives[i]->name, i);
    for (uint32_t i = 0; i < schema->hidden_count; i++)
        s_table_add(directives, schema->directive_index_mask, schema->hidden[i]->name,
                    schema->directive_count + i);
    schema->type_index = types;
    schema->directive_index = directives;
    return true;
}

/* ---- possible types ---- */

/* Enters each object with its interfaces, whose lists are there if `lists`, else only counts. */
static void s_enter_objects(builder_t *self, const schema_type_t ***lists)
{
    for (uint32_t i = 0; i < self->type_count; i++) {
        const schema_type_t *object = self->types[i];
        if (object->kind != SCHEMA_OBJECT)
            continue;
        for (uint32_t j = 0; j < object->interface_count; j++) {
            schema_type_t *interface = self->types[object->interfaces[j]->id];
            if (lists)
                lists[interface->id][interface->possible_count] = object;
            interface->possible_count++;
        }
    }
}

static bool s_set_implementers(builder_t *self)
{
    const schema_type_t ***lists = b_alloc(self, self->type_count, sizeof(const schema_type_t **));
    if (!lists)
        return false;
    s_enter_objects(self, NULL);
    for (uint32_t i = 0; i < self->type_count; i++) {
        schema_type_t *type = self->types[i];
        if (type->kind != SCHEMA_INTERFACE)
            continue;
        lists[i] = b_alloc(self, type->possible_count, sizeof(const schema_type_t *));
        if (!lists[i])
            return false;
        type->possible = lists[i];
        type->possible_count = 0;
    }
    s_enter_objects(self, lists);
    return true;
}

/* What there is of each type must stay small: a service may have very many. */
static bool s_set_possible_bits(builder_t *self, schema_type_t *type)
{
    uint64_t *bits = b_alloc(self, (self->type_count + 63) / 64, sizeof *bits);
    if (!bits)
        return false;
    for (uint32_t i = 0; i < type->possible_count; i++)
        bits[type->possible[i]->id / 64] |= UINT64_C(1) << (type->possible[i]->id % 64);
    type->possible_bits = bits;
    return true;
}

static bool s_set_possible(builder_t *self)
{
    if (!s_set_implementers(self))
        return false;
    for (uint32_t i = 0; i < self->type_count; i++) {
        schema_type_t *type = self->types[i];
        if (type->kind == SCHEMA_OBJECT) {
            type->possible = (const schema_type_t *const *)&self->types[i];
            type->possible_count = 1;
        } else if (schema_type_is_composite(type) && !s_set_possible_bits(self, type)) {
            return false;
        }
    }
    return true;
}

/* ---- the whole ---- */

static bool s_make_types(builder_t *self)
{
    for (uint32_t i = 0; i < self->order_count; i++) {
        const part_t *part = self->order[i]->first;
        if (!b_type(self, part->source, self->order[i]->name, part->definition->loc))
            return false;
    }
    for (int kind = 0; kind < 3; kind++) {
        const name_t *name = self->root_names[kind];
        if (name && self->drafts[name->id] && !b_type(self, NULL, name, (ast_loc_t){0}))
            return false;
    }
    if (!b_fill_directives(self))
        return false;
    static const char *const needed[] = {"__Schema", "String", "Boolean"};
    for (uint32_t filled = 0, next = 0;; filled++) {
        if (filled == self->type_count) {
            if (next == sizeof needed / sizeof *needed)
                break;
            const name_t *name = names_find(self->names, needed[next], strlen(needed[next]));
            next++;
            if (!b_type(self, NULL, name, (ast_loc_t){0}))
                return false;
            if (filled == self->type_count) {
                filled--; /* it was there already */
                continue;
            }
        }
        if (!b_fill_type(self, filled))
            return false;
    }
    return true;
}

static bool s_named_refs(builder_t *self)
{
    const schema_ref_t **refs = b_alloc(self, self->type_count, sizeof(const schema_ref_t *));
    schema_ref_t *items = b_alloc(self, self->type_count, sizeof *items);
    if (!refs || !items)
        return false;
    for (uint32_t i = 0; i < self->type_count; i++) {
        items[i] = (schema_ref_t){
            .kind = SCHEMA_REF_NAMED, .type = self->types[i], .text = self->types[i]->name->data};
        refs[i] = &items[i];
    }
    self->schema->named_refs = refs;
    return true;
}

static bool s_build(builder_t *self, const schema_source_t *sources, size_t count)
{
    schema_t *schema = self->schema;
    if (!s_parse_all(self, sources, count) || !s_find_roots(self) || !s_add_empty_query(self) ||
        !s_draft(self) || !s_make_types(self) || !b_fill_schema(self))
        return false;
    schema->types = (const schema_type_t **)self->types;
    schema->type_count = self->type_count;
    if (!s_named_refs(self) || !b_fill_meta_fields(self) || !s_index(self) || !s_set_possible(self))
        return false;
    return b_fill_rules(self) && b_check_schema(self);
}

schema_t *b_build(arena_t *arena, const schema_source_t *sources, size_t count, err_t *err)
{
    err_t own = ERR_INIT;
    builder_t builder = {.arena = arena, .err = &own};
    builder.schema = arena_calloc(arena, 1, sizeof *builder.schema);
    builder.names = names_new(arena);
    bool ok =
        builder.schema && builder.names ? s_build(&builder, sources, count) : b_no_memory(&builder);
    if (!ok) {
        err_set(err, own.code, "%s", own.text);
        return NULL;
    }
    builder.schema->names = builder.names;
    return builder.schema;
}

schema_t *schema_build(const schema_source_t *sources, size_t count, err_t *err)
{
    arena_t *arena = arena_new(0);
    schema_t *schema = b_build(arena, sources, count, err);
    if (schema)
        schema->arena = arena;
    else
        arena_destroy(&arena);
    return schema;
}
