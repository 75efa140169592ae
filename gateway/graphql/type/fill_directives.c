#include <string.h>

#include "gateway/graphql/type/builder.h"

static schema_location_t s_location_of(const name_t *name)
{
    schema_location_t location = SCHEMA_ON_QUERY;
    while (!name_is(name, schema_location_name(location)))
        location++;
    return location;
}

static bool s_fill_locations(builder_t *self,
                             const ast_directive_definition_t *node,
                             schema_directive_t *directive)
{
    uint8_t *order = b_alloc(self, node->location_count, sizeof *order);
    if (!order)
        return false;
    for (uint32_t i = 0; i < node->location_count; i++) {
        schema_location_t location = s_location_of(node->locations[i].name);
        directive->locations |= 1U << location;
        order[i] = (uint8_t)location;
    }
    directive->location_order = order;
    directive->location_order_count = node->location_count;
    return true;
}

static bool
s_add_directive(builder_t *self, const source_t *source, const ast_definition_t *definition)
{
    schema_directive_t *known = self->directives[definition->name->id];
    if (known && !known->service) { /* conventional SDL declares what is built in */
        known->is_hidden = false;
        return true;
    }
    if (known && strcmp(known->service, source->service) == 0)
        return b_fail(self, source->service, definition->name_loc,
                      "There can be only one directive named \"@%s\".", definition->name->data);
    if (known)
        return b_fail(self, source->service, definition->name_loc,
                      "Directive \"@%s\" is defined by service %s and by service %s.",
                      definition->name->data, known->service, source->service);
    schema_directive_t *directive = b_alloc(self, 1, sizeof *directive);
    if (!directive)
        return false;
    directive->name = definition->name;
    directive->description = b_description(definition->description);
    directive->is_repeatable = definition->directive.repeatable;
    directive->is_specified = source->rank == SOURCE_SPECIFIED;
    directive->is_hidden = source->rank == SOURCE_GATEWAY;
    directive->service = source->service;
    directive->loc = definition->loc;
    directive->argument_count = definition->directive.argument_count;
    if (!s_fill_locations(self, &definition->directive, directive))
        return false;
    self->directives[definition->name->id] = directive;
    return true;
}

static bool s_add_source_directives(builder_t *self, const source_t *source)
{
    for (uint32_t i = 0; i < source->document->definition_count; i++) {
        const ast_definition_t *definition = &source->document->definitions[i];
        if (definition->kind != AST_DIRECTIVE_DEFINITION)
            continue;
        if (!s_add_directive(self, source, definition))
            return false;
    }
    return true;
}

static bool s_fill_source_directives(builder_t *self, const source_t *source)
{
    schema_t *schema = self->schema;
    for (uint32_t i = 0; i < source->document->definition_count; i++) {
        const ast_definition_t *definition = &source->document->definitions[i];
        if (definition->kind != AST_DIRECTIVE_DEFINITION)
            continue;
        schema_directive_t *directive = self->directives[definition->name->id];
        if (directive->service != source->service)
            continue;
        const char *owner = arena_printf(self->arena, "@%s", directive->name->data);
        if (!owner)
            return b_no_memory(self);
        if (!b_fill_arguments(self, source, definition->directive.arguments,
                              directive->argument_count, owner, &directive->arguments))
            return false;
        directive->id = schema->directive_count + schema->hidden_count;
        if (directive->is_hidden)
            schema->hidden[schema->hidden_count++] = directive;
        else
            schema->directives[schema->directive_count++] = directive;
    }
    return true;
}

bool b_fill_directives(builder_t *self)
{
    schema_t *schema = self->schema;
    size_t count = 0;
    for (uint32_t i = 0; i < self->source_count; i++)
        count += self->sources[i].document->definition_count;
    schema->directives = b_alloc(self, count, sizeof(const schema_directive_t *));
    schema->hidden = b_alloc(self, count, sizeof(const schema_directive_t *));
    if (!schema->directives || !schema->hidden)
        return false;
    for (int is_service = 0; is_service < 2; is_service++) {
        for (uint32_t i = 0; i < self->source_count; i++) {
            bool matches = (self->sources[i].rank == SOURCE_SERVICE) == is_service;
            if (matches && !s_add_source_directives(self, &self->sources[i]))
                return false;
        }
    }
    for (uint32_t i = 0; i < self->source_count; i++) {
        if (!s_fill_source_directives(self, &self->sources[i]))
            return false;
    }
    return true;
}
