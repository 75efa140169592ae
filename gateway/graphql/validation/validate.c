#include "gateway/graphql/validation/validate.h"

#include <stdarg.h>
#include <string.h>

#include "gateway/graphql/validation/context.h"

/* What a rule may do more than once for the same piece of text, because fragments bring it there
 * again. */
enum { FRAGMENT_BUDGET = 2000000, NESTING_MAX = 2000 };

static void s_add(validation_t *self,
                  const char *rule,
                  const ast_loc_t *locations,
                  uint32_t count,
                  const char *format,
                  va_list args) __attribute__((format(printf, 5, 0)));

static void s_add(validation_t *self,
                  const char *rule,
                  const ast_loc_t *locations,
                  uint32_t count,
                  const char *format,
                  va_list args)
{
    gql_errors_addv(self->errors, ERR_GRAPHQL_VALIDATION_FAILED, rule, locations, count, format,
                    args);
    self->stopped |= self->errors->out_of_memory;
}

void v_error(validation_t *self, const char *rule, ast_loc_t loc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    s_add(self, rule, &loc, 1, format, args);
    va_end(args);
}

void v_error_at(validation_t *self,
                const char *rule,
                const ast_loc_t *locations,
                uint32_t count,
                const char *format,
                ...)
{
    va_list args;
    va_start(args, format);
    s_add(self, rule, locations, count, format, args);
    va_end(args);
}

void v_limit(validation_t *self, ast_loc_t loc, const char *name, uint64_t value, uint64_t limit)
{
    gql_errors_add(self->errors, ERR_LIMIT_EXCEEDED, "Limit", &loc, 1,
                   "The document has %s %llu; the limit is %llu.", name, (unsigned long long)value,
                   (unsigned long long)limit);
}

void *v_alloc(validation_t *self, size_t count, size_t size)
{
    void *memory = arena_calloc(self->scratch, count, size);
    if (!memory) {
        self->errors->out_of_memory = true;
        self->stopped = true;
    }
    return memory;
}

char *v_text(validation_t *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(self->scratch, format, args);
    va_end(args);
    if (!text) {
        self->errors->out_of_memory = true;
        self->stopped = true;
    }
    return text;
}

bool v_grow(validation_t *self, void *items_p, uint32_t count, uint32_t *capacity, size_t size)
{
    void *items;
    if (count < *capacity)
        return true;
    uint32_t grown = *capacity ? *capacity * 2 : 8;
    void *bigger = v_alloc(self, grown, size);
    if (!bigger)
        return false;
    memcpy(&items, items_p, sizeof items);
    if (count)
        memcpy(bigger, items, count * size);
    memcpy(items_p, &bigger, sizeof bigger);
    *capacity = grown;
    return true;
}

bool v_spend(validation_t *self, uint64_t steps)
{
    if (self->stopped)
        return false;
    if (steps <= self->budget) {
        self->budget -= steps;
        return true;
    }
    self->stopped = true;
    gql_errors_add(self->errors, ERR_LIMIT_EXCEEDED, "Limit", NULL, 0,
                   "The document takes more validation steps than the limit of %d.",
                   FRAGMENT_BUDGET);
    return false;
}

bool v_enter(validation_t *self)
{
    if (self->stopped)
        return false;
    if (self->nesting < NESTING_MAX) {
        self->nesting++;
        return true;
    }
    self->stopped = true;
    gql_errors_add(self->errors, ERR_LIMIT_EXCEEDED, "Limit", NULL, 0,
                   "The document nests fragments and fields deeper than the limit of %d.",
                   NESTING_MAX);
    return false;
}

void v_leave(validation_t *self)
{
    self->nesting--;
}

void v_stamp(validation_t *self)
{
    self->stamp++;
}

bool v_is_new(validation_t *self, const name_t *name)
{
    bool is_new = self->stamps[name->id] != self->stamp;
    self->stamps[name->id] = self->stamp;
    return is_new;
}

void v_visit_begin(validation_t *self)
{
    self->visit++;
}

bool v_visit(validation_t *self, const ast_definition_t *definition)
{
    bool is_new = self->visits[definition->id] != self->visit;
    self->visits[definition->id] = self->visit;
    return is_new;
}

bool v_is_full(validation_t *self)
{
    gql_errors_t *errors = self->errors;
    if (errors->limit && errors->count >= errors->limit)
        errors->full = true;
    return errors->full || self->stopped;
}

const ast_definition_t *v_fragment(const validation_t *self, const name_t *name)
{
    return self->fragments[name->id];
}

static const schema_ref_t *
s_wrap(validation_t *self, schema_ref_kind_t kind, const schema_ref_t *of)
{
    schema_ref_t *ref = v_alloc(self, 1, sizeof *ref);
    const char *text = v_text(self, kind == SCHEMA_REF_LIST ? "[%s]" : "%s!", of->text);
    if (!ref || !text)
        return NULL;
    *ref = (schema_ref_t){.kind = kind, .type = of->type, .of = of, .text = text};
    return ref;
}

const schema_ref_t *v_ref(validation_t *self, const ast_type_t *node)
{
    if (node->kind == AST_TYPE_NAMED) {
        const schema_type_t *type = schema_type(self->schema, node->name);
        return type ? self->schema->named_refs[type->id] : NULL;
    }
    const schema_ref_t *of = v_ref(self, node->of);
    return of ? s_wrap(self, node->kind == AST_TYPE_LIST ? SCHEMA_REF_LIST : SCHEMA_REF_NON_NULL,
                       of)
              : NULL;
}

bool validate_document(const schema_t *schema,
                       ast_document_t *document,
                       const validate_options_t *options,
                       arena_t *scratch,
                       gql_errors_t *errors)
{
    uint32_t before = errors->count;
    validation_t self = {.schema = schema,
                         .document = document,
                         .options = options,
                         .scratch = scratch,
                         .errors = errors,
                         .budget = FRAGMENT_BUDGET};
    self.fragments = v_alloc(&self, document->name_count, sizeof(const ast_definition_t *));
    self.stamps = v_alloc(&self, document->name_count, sizeof *self.stamps);
    self.visits = v_alloc(&self, document->definition_count, sizeof *self.visits);
    self.facts = v_alloc(&self, document->definition_count, sizeof *self.facts);
    if (!self.stopped && v_bind(&self) && v_check_limits(&self))
        v_walk(&self);
    return errors->count == before && !errors->out_of_memory && !self.stopped;
}
