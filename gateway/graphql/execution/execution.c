#include "gateway/graphql/execution/execution.h"

#include <string.h>

#include "gateway/graphql/execution/complexity.h"
#include "gateway/graphql/introspection/introspect.h"

enum {
    EXECUTION_MAX_BYTES = 64 * 1024 * 1024, /* of arena: variables, arguments, errors */
    ARGUMENTS_MAX_BYTES = 16 * 1024 * 1024,
    RESPONSE_SPARE_BYTES = 8 * 1024 * 1024, /* beside data: errors */
};

static const char s_begin[] = "{\"data\":{";

/* ---- making one ---- */

/* Is what the operation asks for within the limit? */
static bool s_weigh(gql_execution_t *self, gql_errors_t *errors)
{
    gql_operation_t *operation = self->operation;
    uint64_t complexity = operation->complexity;
    if (self->limits.max_complexity == 0)
        return true;
    if (!operation->is_weighed) {
        bool constant;
        if (!complexity_of(&operation->definition->operation, self->document->ast, &self->variables,
                           self->arena, &complexity, &constant)) {
            errors->out_of_memory = true;
            return false;
        }
        operation->complexity = complexity;
        operation->is_weighed = constant;
    }
    if (complexity <= self->limits.max_complexity)
        return true;
    gql_errors_add(errors, ERR_LIMIT_EXCEEDED, NULL, &operation->definition->loc, 1,
                   "The operation's complexity of %llu exceeds the limit of %llu.",
                   (unsigned long long)complexity, (unsigned long long)self->limits.max_complexity);
    return false;
}

static bool s_plan(gql_execution_t *self, const gql_access_t *access, gql_errors_t *errors)
{
    const ast_variable_t *null_variable = NULL;
    if (operation_ready(self->operation))
        self->plan =
            operation_plan(self->operation, &self->variables, access, self->arena, &null_variable);
    if (self->plan)
        return true;
    if (null_variable)
        gql_errors_add(errors, ERR_BAD_USER_INPUT, NULL, &null_variable->loc, 1,
                       "Argument \"if\" of non-null type \"Boolean!\" must not be null: it was "
                       "provided the variable \"$%s\".",
                       null_variable->name->data);
    else
        errors->out_of_memory = true;
    return false;
}

static bool s_roots(gql_execution_t *self, gql_errors_t *errors)
{
    plan_set_t *set = self->plan->root;
    self->root_count = set->field_count;
    self->roots = arena_calloc(self->arena, self->root_count + 1, sizeof *self->roots);
    self->root_scheduled = arena_calloc(self->arena, self->root_count + 1, sizeof(hole_t *));
    if (!self->roots || !self->root_scheduled) {
        errors->out_of_memory = true;
        self->root_count = 0;
        return false;
    }
    for (uint32_t i = 0; i < self->root_count; i++) {
        root_t *root = &self->roots[i];
        root->field = &set->fields[i];
        root->path.field = root->field;
        root->call.index = i;
    }
    self->call_count = self->root_count;
    return true;
}

gql_execution_t *execution_new(arena_t **arena_p,
                               gql_document_t *document,
                               const gql_operation_t *operation,
                               const json_t *variables,
                               const gql_access_t *access,
                               const gql_limits_t *limits,
                               buffer_t *response)
{
    arena_t *arena = *arena_p;
    *arena_p = NULL;
    gql_errors_t errors = GQL_ERRORS_INIT(arena, limits->max_errors);
    gql_execution_t *self = arena_calloc(arena, 1, sizeof *self);
    if (!self) {
        errors.out_of_memory = true;
        gql_errors_write_response(&errors, response);
        arena_destroy(&arena);
        return NULL;
    }
    self->arena = arena;
    self->work = arena;
    self->document = gql_document_ref(document);
    self->operation = (gql_operation_t *)(uintptr_t)operation;
    self->limits = *limits;
    self->errors = (field_errors_t){.arena = arena, .limit = limits->max_errors};
    if (variables_coerce(&self->variables, document->schema->schema,
                         &operation->definition->operation, document->scratch, variables,
                         document->suggestions, arena, &errors) &&
        s_plan(self, access, &errors) && s_weigh(self, &errors) && s_roots(self, &errors))
        return self;
    gql_errors_write_response(&errors, response);
    gql_execution_destroy(&self);
    return NULL;
}

gql_execution_t *gql_execution_new(gql_document_t *document,
                                   const gql_operation_t *operation,
                                   const json_t *variables,
                                   const gql_access_t *access,
                                   const gql_limits_t *limits,
                                   buffer_t *response)
{
    arena_t *arena = arena_new(EXECUTION_MAX_BYTES);
    return execution_new(&arena, document, operation, variables, access, limits, response);
}

void gql_execution_destroy(gql_execution_t **self_p)
{
    gql_execution_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->root_count; i++)
        buffer_free(&self->roots[i].text.bytes);
    batches_free(self);
    buffer_free(&self->response);
    arena_destroy(&self->event_arena);
    gql_document_unref(&self->document);
    arena_t *arena = self->arena;
    arena_destroy(&arena);
}

/* ---- parts ---- */
size_t execution_room(const gql_execution_t *self)
{
    if (self->limits.max_response_bytes == 0)
        return SIZE_MAX / 4;
    size_t used = 0;
    for (uint32_t i = 0; i < self->root_count; i++)
        used += self->roots[i].text.bytes.size;
    for (const batch_t *batch = self->batches; batch; batch = batch->next)
        used += batch->text.bytes.size;
    return used < self->limits.max_response_bytes ? self->limits.max_response_bytes - used : 0;
}

void execution_nullify(gql_execution_t *self)
{
    self->is_null = true;
    self->errors.closed = true;
}

completion_t execution_completion(gql_execution_t *self, text_t *text, const char *service)
{
    text->bytes.limit = text->bytes.size + execution_room(self);
    return (completion_t){.arena = self->errors.arena,
                          .plan = self->plan,
                          .errors = &self->errors,
                          .text = text,
                          .limit_bytes = self->limits.max_response_bytes,
                          .service = service};
}

void execution_issue(gql_execution_t *self, const gql_call_t *call)
{
    self->waiting++;
    self->issued++;
    self->host->call(self->host_arg, call);
}

bool execution_prepare_call(gql_execution_t *self, root_t *root)
{
    plan_field_t *field = root->field;
    const schema_field_t *definition = field->definition;
    buffer_t args = BUFFER_INIT(ARGUMENTS_MAX_BYTES);
    bool ok = coerce_arguments(definition->arguments, definition->argument_count, field->nodes[0],
                               &self->variables, &self->errors, &root->path, &args);
    if (ok && !field->selection.data)
        field->selection = plan_selection(self->plan, field);
    if (ok) {
        root->call.args.data = args.failed ? NULL : arena_memdup(self->arena, args.data, args.size);
        root->call.args.size = args.size;
        root->call.selection = field->selection;
        root->call.service = definition->service;
        root->call.field = definition->coordinate;
        ok = root->call.args.data && field->selection.data;
        self->errors.out_of_memory |= !ok;
    }
    buffer_free(&args);
    return ok;
}

/* ---- the response ---- */
static bool s_is_nulled(const hole_t *hole, const frame_t **outermost)
{
    *outermost = NULL;
    for (const frame_t *frame = hole->frame; frame; frame = frame->above)
        if (frame->nulled)
            *outermost = frame;
    return *outermost != NULL;
}

void execution_put_text(const text_t *text, size_t start, size_t end, buffer_t *out)
{
    size_t at = start;
    for (const hole_t *hole = text->first; hole && hole->at <= end; hole = hole->next) {
        const frame_t *nulled;
        if (hole->at < at)
            continue;
        if (s_is_nulled(hole, &nulled)) {
            buffer_put(out, text->bytes.data + at, nulled->start - at);
            buffer_put_str(out, "null");
            at = nulled->end;
            continue;
        }
        buffer_put(out, text->bytes.data + at, hole->at - at);
        at = hole->at;
        if (hole->text)
            execution_put_text(hole->text, hole->start, hole->end, out);
        else
            buffer_put_str(out, "null");
    }
    if (end > at)
        buffer_put(out, text->bytes.data + at, end - at);
}

static bool s_is_whole(const gql_execution_t *self)
{
    return self->root_count == 1 && !self->cursor && !self->is_null && self->errors.count == 0 &&
           !self->errors.out_of_memory && !self->roots[0].text.first;
}

static void s_put_data(gql_execution_t *self, buffer_t *out)
{
    if (self->is_null || self->errors.out_of_memory) {
        buffer_put_str(out, "\"data\":null");
        return;
    }
    buffer_put_str(out, "\"data\":{");
    for (uint32_t i = 0; i < self->root_count; i++) {
        const root_t *root = &self->roots[i];
        buffer_put(out, root->field->key + (i == 0), root->field->key_size - (i == 0));
        execution_put_text(&root->text, root->start, root->text.bytes.size, out);
        out->failed |= root->text.bytes.failed;
    }
    buffer_put_char(out, '}');
}

/* What follows `data`: of an event its cursor. */
static void s_put_end(const gql_execution_t *self, buffer_t *out)
{
    if (self->cursor) {
        buffer_put_str(out, ",\"extensions\":{\"cursor\":");
        buffer_put_json_string(out, self->cursor, strlen(self->cursor));
        buffer_put_char(out, '}');
    }
    buffer_put_char(out, '}');
}

void execution_put_response(gql_execution_t *self, buffer_t *out)
{
    buffer_put_char(out, '{');
    if (self->errors.count || self->errors.out_of_memory) {
        field_errors_write(&self->errors, out);
        buffer_put_char(out, ',');
    }
    s_put_data(self, out);
    s_put_end(self, out);
}

/* In the place of a response that has no room. */
static void s_done_too_large(gql_execution_t *self)
{
    buffer_t out = BUFFER_INIT(RESPONSE_SPARE_BYTES);
    buffer_printf(
        &out,
        "{\"errors\":[{\"message\":\"The response is larger than the limit of %zu bytes.\","
        "\"extensions\":{\"code\":\"LIMIT_EXCEEDED\"}}],\"data\":null",
        self->limits.max_response_bytes);
    s_put_end(self, &out);
    self->host->done(self->host_arg, &out, 1); /* may destroy self */
    buffer_free(&out);
}

static void s_done(gql_execution_t *self)
{
    size_t error_count = self->errors.count + self->errors.out_of_memory;
    const gql_host_t *host = self->host;
    buffer_t *out = &self->response;
    if (s_is_whole(self)) {
        out = &self->roots[0].text.bytes;
        out->limit = SIZE_MAX / 2;
        buffer_put(out, "}}", 2);
    } else {
        size_t limit = self->limits.max_response_bytes;
        buffer_clear(out);
        out->limit = limit ? limit + RESPONSE_SPARE_BYTES : SIZE_MAX / 4;
        execution_put_response(self, out);
    }
    if (out->failed) {
        s_done_too_large(self);
        return;
    }
    host->done(self->host_arg, out, error_count);
}

/* ---- running ---- */

/* Makes the root's text ready to be written. */
static void s_open(gql_execution_t *self, root_t *root)
{
    buffer_t *bytes = &root->text.bytes;
    if (bytes->data)
        return;
    bytes->limit = execution_room(self) + sizeof s_begin + root->field->key_size;
    if (self->root_count == 1) {
        buffer_put(bytes, s_begin, sizeof s_begin - 1);
        buffer_put(bytes, root->field->key + 1, root->field->key_size - 1);
        root->start = bytes->size;
    }
}

/* A value of our own, however large the rest is. */
static void s_put_typename(root_t *root)
{
    const name_t *name = root->field->parent->name;
    root->text.bytes.limit += name->size + 2;
    buffer_put_json_string(&root->text.bytes, name->data, name->size);
}

/* The error is added: the root's value is null. */
static void s_fail(gql_execution_t *self, root_t *root)
{
    completion_t completion = execution_completion(self, &root->text, NULL);
    s_open(self, root);
    if (!complete_failure(&completion, root->field))
        execution_nullify(self);
}

static void s_start_root(gql_execution_t *self, root_t *root)
{
    s_open(self, root);
    if (root->field->source == PLAN_TYPENAME) {
        s_put_typename(root);
    } else if (root->field->source == PLAN_INTROSPECTION) {
        introspection_t introspection = {.arena = self->arena,
                                         .plan = self->plan,
                                         .variables = &self->variables,
                                         .errors = &self->errors,
                                         .out = &root->text.bytes,
                                         .limit_bytes = self->limits.max_response_bytes,
                                         .is_full = &self->is_full};
        if (!introspect(&introspection, root->field, &root->path))
            execution_nullify(self);
    } else if (root->field->source == PLAN_REFUSED) {
        field_errors_add_refusal(&self->errors, root->field, &root->path);
        s_fail(self, root);
    } else if (execution_prepare_call(self, root)) {
        root->is_waiting = true;
        execution_issue(self, &root->call);
    } else {
        s_fail(self, root);
    }
}

static void s_flush(gql_execution_t *self)
{
    if (self->issued)
        self->host->flush(self->host_arg);
    self->issued = 0;
}

void execution_advance(gql_execution_t *self)
{
    while (self->waiting == 0) {
        if (!self->is_null && batches_schedule(self))
            continue;
        if (self->is_null || self->next_root >= self->root_count) {
            s_done(self);
            return;
        }
        do
            s_start_root(self, &self->roots[self->next_root++]);
        while (self->next_root < self->root_count && self->operation->kind != GQL_MUTATION);
    }
    s_flush(self);
}

void gql_execution_start(gql_execution_t *self, const gql_host_t *host, void *arg)
{
    self->host = host;
    self->host_arg = arg;
    self->is_started = true;
    execution_advance(self);
}

static root_t *s_waiting_root(gql_execution_t *self, uint32_t index)
{
    return index < self->root_count && self->roots[index].is_waiting ? &self->roots[index] : NULL;
}

/* The call is answered: on to what comes next. May destroy the execution. */
static void s_answered(gql_execution_t *self, bool *is_waiting)
{
    *is_waiting = false;
    self->waiting--;
    if (self->waiting == 0)
        execution_advance(self);
}

void gql_execution_resolve(gql_execution_t *self, uint32_t index, const char *json, size_t size)
{
    root_t *root = s_waiting_root(self, index);
    batch_t *batch = root ? NULL : batches_find(self, index);
    if (root) {
        completion_t completion = execution_completion(self, &root->text, root->call.service);
        if (!complete_field(&completion, root->field, &root->path, json, size))
            execution_nullify(self);
        if (completion.fault && self->host->fault)
            self->host->fault(self->host_arg, &root->call, completion.fault);
        s_answered(self, &root->is_waiting);
    } else if (batch) {
        batches_resolve(self, batch, json, size);
        s_answered(self, &batch->is_waiting);
    }
}

void gql_execution_reject(gql_execution_t *self, uint32_t index, const gql_failure_t *failure)
{
    root_t *root = s_waiting_root(self, index);
    batch_t *batch = root ? NULL : batches_find(self, index);
    if (root) {
        field_errors_add(&self->errors, root->field, &root->path, failure->code,
                         failure->extensions, failure->message);
        s_fail(self, root);
        s_answered(self, &root->is_waiting);
    } else if (batch) {
        batches_reject(self, batch, failure);
        s_answered(self, &batch->is_waiting);
    }
}
