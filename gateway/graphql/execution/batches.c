/* Fields with @resolve: one call for all parents of a field, answered with a list
 * (proto/bus.md 4.2). Completion leaves holes in the text; here they get their values. */
#include <string.h>

#include "gateway/graphql/execution/execution.h"
#include "gateway/graphql/execution/reader.h"

enum { BATCH_MAX_BYTES = 64 * 1024 * 1024 };

/* ---- from holes to calls ---- */

/* The value of a hole is null: null goes on to the position above if it must not be. */
static void s_nullify(gql_execution_t *self, const hole_t *hole)
{
    if (!hole->field->non_null)
        return;
    frame_t *frame = hole->frame;
    while (frame && frame->non_null)
        frame = frame->above;
    if (frame)
        frame->nulled = true;
    else
        execution_nullify(self);
}

/* Was a position around the hole nulled already? Then nobody asks for its value or its errors. */
static bool s_is_moot(const gql_execution_t *self, const hole_t *hole)
{
    for (const frame_t *frame = hole->frame; frame; frame = frame->above)
        if (frame->nulled)
            return true;
    return self->is_null;
}

static bool s_args(gql_execution_t *self, const hole_t *hole, json_slice_t *args)
{
    buffer_t out = BUFFER_INIT(BATCH_MAX_BYTES);
    const schema_field_t *definition = hole->field->definition;
    bool ok =
        coerce_arguments(definition->arguments, definition->argument_count, hole->field->nodes[0],
                         &self->variables, &self->errors, hole->path, &out);
    if (ok) {
        args->data = out.failed ? NULL : arena_memdup(self->work, out.data, out.size);
        args->size = out.size;
        ok = args->data != NULL;
        self->errors.out_of_memory |= !ok;
    }
    buffer_free(&out);
    return ok;
}

/* The batch of this step (they come before `until`) for that field and these arguments. */
static batch_t *
s_batch(gql_execution_t *self, const batch_t *until, const hole_t *hole, json_slice_t args)
{
    const schema_field_t *definition = hole->field->definition;
    for (batch_t *batch = self->batches; batch != until; batch = batch->next)
        if (batch->definition == definition && batch->args.size == args.size &&
            memcmp(batch->args.data, args.data, args.size) == 0)
            return batch;
    batch_t *batch = arena_calloc(self->work, 1, sizeof *batch);
    if (!batch) {
        self->errors.out_of_memory = true;
        return NULL;
    }
    batch->definition = definition;
    batch->args = args;
    batch->next = self->batches;
    self->batches = batch;
    return batch;
}

static void s_join(gql_execution_t *self, batch_t *batch, hole_t *hole)
{
    plan_field_t *field = hole->field;
    if (!field->selection.data)
        field->selection = plan_selection(self->plan, field);
    self->errors.out_of_memory |= !field->selection.data;
    if (!batch->first)
        batch->selection = field->selection;
    else if (batch->last->field != field && batch->selection.data != field->selection.data)
        batch->selection = (json_slice_t){"[]", 2}; /* differing ones: no hint */
    if (batch->last)
        batch->last->sibling = hole;
    else
        batch->first = hole;
    batch->last = hole;
    batch->count++;
}

/* Gives the holes from `hole` on a batch. Returns the last one. */
static hole_t *s_schedule(gql_execution_t *self, const batch_t *until, hole_t *hole)
{
    const plan_field_t *field = NULL;
    batch_t *batch = NULL;
    hole_t *last = NULL;
    for (; hole; hole = hole->next) {
        last = hole;
        if (s_is_moot(self, hole))
            continue;
        if (hole->field != field) {
            json_slice_t args;
            field = NULL;
            batch = NULL;
            if (!s_args(self, hole, &args)) {
                s_nullify(self, hole);
                continue;
            }
            field = hole->field;
            batch = s_batch(self, until, hole, args);
        }
        if (batch)
            s_join(self, batch, hole);
    }
    return last;
}

static bool s_parents(gql_execution_t *self, batch_t *batch)
{
    buffer_t out = BUFFER_INIT(BATCH_MAX_BYTES);
    buffer_put_str(&out, "{\"parents\":[");
    for (const hole_t *hole = batch->first; hole; hole = hole->sibling) {
        if (hole != batch->first)
            buffer_put_char(&out, ',');
        buffer_put(&out, hole->parent.data, hole->parent.size);
    }
    buffer_put_str(&out, "],\"args\":");
    buffer_put(&out, batch->args.data, batch->args.size);
    buffer_put_char(&out, '}');
    batch->call.args.data = out.failed ? NULL : arena_memdup(self->work, out.data, out.size);
    batch->call.args.size = out.size;
    buffer_free(&out);
    self->errors.out_of_memory |= !batch->call.args.data;
    return batch->call.args.data != NULL;
}

static void s_issue(gql_execution_t *self, batch_t *batch)
{
    if (!s_parents(self, batch))
        return;
    batch->call.index = self->call_count++;
    batch->call.service = batch->definition->service;
    batch->call.field = batch->definition->coordinate;
    batch->call.selection = batch->selection;
    batch->is_waiting = true;
    batch->text.bytes = (buffer_t)BUFFER_INIT(execution_room(self));
    execution_issue(self, &batch->call);
}

/* Oldest first. */
static void s_issue_until(gql_execution_t *self, batch_t *batch, const batch_t *until)
{
    if (batch == until)
        return;
    s_issue_until(self, batch->next, until);
    s_issue(self, batch);
}

bool batches_schedule(gql_execution_t *self)
{
    batch_t *until = self->batches;
    bool any = false;
    for (uint32_t i = 0; i < self->root_count; i++) {
        hole_t **done = &self->root_scheduled[i];
        hole_t *hole = *done ? (*done)->next : self->roots[i].text.first;
        any |= hole != NULL;
        if (hole)
            *done = s_schedule(self, until, hole);
    }
    for (batch_t *batch = until; batch; batch = batch->next) {
        hole_t *hole = batch->scheduled ? batch->scheduled->next : batch->text.first;
        any |= hole != NULL;
        if (hole)
            batch->scheduled = s_schedule(self, until, hole);
    }
    if (!self->errors.out_of_memory)
        s_issue_until(self, self->batches, until);
    return any;
}

batch_t *batches_find(gql_execution_t *self, uint32_t index)
{
    for (batch_t *batch = self->batches; batch; batch = batch->next)
        if (batch->is_waiting && batch->call.index == index)
            return batch;
    return NULL;
}

void batches_free(gql_execution_t *self)
{
    for (batch_t *batch = self->batches; batch; batch = batch->next)
        buffer_free(&batch->text.bytes);
    self->batches = NULL;
}

/* ---- from answers to values ---- */

/* Tells the host of the first fault of an answer. */
static void s_blame(gql_execution_t *self, batch_t *batch, const char *fault)
{
    if (fault && !batch->is_blamed && self->host->fault)
        self->host->fault(self->host_arg, &batch->call, fault);
    batch->is_blamed |= fault != NULL;
}

static void s_complete(gql_execution_t *self, batch_t *batch, hole_t *hole, json_slice_t value)
{
    completion_t completion = execution_completion(self, &batch->text, batch->call.service);
    completion.frame = hole->frame;
    if (s_is_moot(self, hole))
        return;
    hole->text = &batch->text;
    hole->start = batch->text.bytes.size;
    if (!complete_field(&completion, hole->field, hole->path, value.data, value.size)) {
        hole->text = NULL;
        s_nullify(self, hole);
    }
    hole->end = batch->text.bytes.size;
    s_blame(self, batch, completion.fault);
}

static void s_fail(gql_execution_t *self, hole_t *hole, const gql_failure_t *failure)
{
    if (s_is_moot(self, hole))
        return;
    field_errors_add(&self->errors, hole->field, hole->path, failure->code, failure->extensions,
                     failure->message);
    s_nullify(self, hole);
}

void batches_reject(gql_execution_t *self, batch_t *batch, const gql_failure_t *failure)
{
    for (hole_t *hole = batch->first; hole; hole = hole->sibling)
        s_fail(self, hole, failure);
}

void batches_refuse(gql_execution_t *self)
{
    gql_failure_t failure = {.code = err_code_name(ERR_INTERNAL),
                             .message = "The field cannot be resolved here."};
    for (uint32_t i = 0; i < self->root_count; i++)
        for (hole_t *hole = self->roots[i].text.first; hole; hole = hole->next)
            s_fail(self, hole, &failure);
}

/* Is the item {"error": {…}} with no other member? */
static bool s_is_error(json_slice_t item, json_slice_t *error)
{
    json_slice_t key;
    json_slice_t more;
    if (json_kind(item) != JSON_MAP)
        return false;
    json_walk_t walk = json_walk(item);
    return json_walk_member(&walk, &key, error) && json_key_is(key, "error", 5) &&
           json_kind(*error) == JSON_MAP && !json_walk_member(&walk, &key, &more);
}

static void s_fail_item(gql_execution_t *self, hole_t *hole, json_slice_t error)
{
    json_slice_t value;
    size_t size;
    gql_failure_t failure = {.code = NULL, .message = NULL};
    if (json_get(error, "code", &value)) {
        const char *code = json_string_decode(self->work, value, &size);
        failure.code = err_code_name(err_code_from_name(code ? code : "", code ? size : 0));
    }
    if (json_get(error, "message", &value))
        failure.message = json_string_decode(self->work, value, NULL);
    if (!json_get(error, "extensions", &failure.extensions))
        failure.extensions = (json_slice_t){.data = NULL};
    if (!failure.code)
        failure.code = err_code_name(ERR_INTERNAL);
    if (!failure.message)
        failure.message = "The service gave an error without a message.";
    s_fail(self, hole, &failure);
}

/* How many items a list has; -1 if the text is no list, or no JSON. */
static long s_count(const char *json, size_t size)
{
    if (!json_validate(json, size, READER_MAX_DEPTH, NULL))
        return -1;
    json_slice_t list = json_trim((json_slice_t){json, size});
    json_slice_t item;
    long count = 0;
    if (json_kind(list) != JSON_LIST)
        return -1;
    for (json_walk_t walk = json_walk(list); json_walk_item(&walk, &item);)
        count++;
    return count;
}

void batches_resolve(gql_execution_t *self, batch_t *batch, const char *json, size_t size)
{
    if (s_count(json, size) != (long)batch->count) {
        gql_failure_t failure = {.code = err_code_name(ERR_INTERNAL)};
        failure.message =
            arena_printf(self->work, "Service \"%s\" gave no list of %u items for field \"%s\".",
                         batch->call.service, batch->count, batch->call.field);
        if (!failure.message) {
            self->errors.out_of_memory = true;
            return;
        }
        s_blame(self, batch, "no list as long as that of the parents");
        batches_reject(self, batch, &failure);
        return;
    }
    json_walk_t walk = json_walk(json_trim((json_slice_t){json, size}));
    json_slice_t item;
    json_slice_t error;
    for (hole_t *hole = batch->first; hole && json_walk_item(&walk, &item); hole = hole->sibling) {
        if (s_is_error(item, &error))
            s_fail_item(self, hole, error);
        else
            s_complete(self, batch, hole, item);
    }
}
