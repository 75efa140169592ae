#include "gateway/graphql/execution/complete.h"

#include <string.h>

#include "gateway/graphql/execution/inspect.h"
#include "gateway/graphql/execution/leaf.h"
#include "gateway/graphql/execution/reader.h"

typedef enum {
    DONE,   /* written; `at` is behind the value */
    NULLED, /* the error is added; null goes on to the position above */
    STOP,   /* no JSON, too large or out of memory: the whole answer is of no use */
} status_t;

/* A list or object that is being completed. */
typedef struct position position_t;
struct position {
    const position_t *above;
    size_t start; /* in the text */
    bool non_null;
    frame_t *made;
};

static status_t
s_value(completion_t *self, plan_field_t *field, const schema_ref_t *type, const path_t *path);

static inline void s_put(completion_t *self, const char *data, size_t size)
{
    buffer_t *out = &self->text->bytes;
    if (out->capacity - out->size < size || out->failed) {
        buffer_put(out, data, size);
        return;
    }
    memcpy(out->data + out->size, data, size);
    out->size += size;
}

/* ---- errors ---- */
static status_t
s_error(completion_t *self, const plan_field_t *field, const path_t *path, const char *message)
{
    if (!message) {
        self->errors->out_of_memory = true;
        return STOP;
    }
    field_errors_add(self->errors, field, path, err_code_name(ERR_INTERNAL),
                     (json_slice_t){.data = NULL}, message);
    return NULLED;
}

/* For the log, which must not show values: what is wrong, and with which field. */
static void s_blame(completion_t *self, const char *what, const plan_field_t *field)
{
    if (!self->fault)
        self->fault = arena_printf(self->arena, "%s for %s", what, field->definition->coordinate);
}

static status_t s_wrong_value(completion_t *self,
                              const plan_field_t *field,
                              const path_t *path,
                              const char *message)
{
    s_blame(self, "a value that does not fit the type", field);
    return s_error(self, field, path, message);
}

static status_t s_null_error(completion_t *self, const plan_field_t *field, const path_t *path)
{
    s_blame(self, "null or nothing, which may not be,", field);
    return s_error(self, field, path,
                   arena_printf(self->arena, "Cannot return null for non-nullable field %s.",
                                field->definition->coordinate));
}

/* ---- holes ---- */
static frame_t *s_frame(completion_t *self, const position_t *const_position)
{
    position_t *position = (position_t *)(uintptr_t)const_position;
    if (!position)
        return self->frame;
    if (position->made)
        return position->made;
    frame_t *frame = arena_calloc(self->arena, 1, sizeof *frame);
    if (!frame)
        return NULL;
    frame->above = s_frame(self, position->above);
    frame->start = position->start;
    frame->non_null = position->non_null;
    position->made = frame;
    return frame;
}

/* The needed fields of the object at hand as a JSON map; what is missing is null. */
static json_slice_t s_parent(completion_t *self, const plan_set_t *set, const plan_field_t *field)
{
    size_t size = 2;
    for (uint32_t i = 0; i < field->definition->need_count; i++) {
        const plan_slot_t *slot = &set->slots[field->need_slots[i]];
        size += slot->size + 4 + (slot->start ? (size_t)(slot->end - slot->start) : 4);
    }
    char *text = arena_alloc(self->arena, size);
    if (!text)
        return (json_slice_t){.data = NULL};
    char *at = text;
    *at++ = '{';
    for (uint32_t i = 0; i < field->definition->need_count; i++) {
        const plan_slot_t *slot = &set->slots[field->need_slots[i]];
        if (i)
            *at++ = ',';
        *at++ = '"';
        memcpy(at, slot->name, slot->size);
        at += slot->size;
        *at++ = '"';
        *at++ = ':';
        size_t value_size = slot->start ? (size_t)(slot->end - slot->start) : 4;
        memcpy(at, slot->start ? slot->start : "null", value_size);
        at += value_size;
    }
    *at++ = '}';
    return (json_slice_t){text, (size_t)(at - text)};
}

static status_t
s_hole(completion_t *self, const plan_set_t *set, plan_field_t *field, const path_t *path)
{
    hole_t *hole = arena_calloc(self->arena, 1, sizeof *hole);
    frame_t *frame = hole ? s_frame(self, self->position) : NULL;
    if (!hole || (!frame && self->position)) {
        self->errors->out_of_memory = true;
        return STOP;
    }
    hole->at = self->text->bytes.size;
    hole->frame = frame;
    hole->field = field;
    hole->path = path_copy(self->arena, path);
    hole->parent = s_parent(self, set, field);
    if (!hole->path || !hole->parent.data) {
        self->errors->out_of_memory = true;
        return STOP;
    }
    if (self->text->last)
        self->text->last->next = hole;
    else
        self->text->first = hole;
    self->text->last = hole;
    return DONE;
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
static status_t
s_leaf(completion_t *self, const plan_field_t *field, const path_t *path, json_slice_t value)
{
    buffer_t *out = &self->text->bytes;
    size_t mark = out->size;
    const char *complaint = leaf_complete(field->definition->type->type, value, self->arena, out);
    if (!complaint)
        return DONE;
    out->size = mark;
    return s_wrong_value(self, field, path, complaint);
}

/* A member whose type is a leaf without lists around it. */
static status_t s_leaf_member(completion_t *self,
                              const plan_field_t *field,
                              const path_t *path,
                              const plan_slot_t *slot)
{
    json_slice_t value = {slot->start, (size_t)(slot->end - slot->start)};
    if (*value.data == '"' && field->shape == PLAN_TEXT) {
        s_put(self, value.data, value.size);
        return DONE;
    }
    status_t status;
    if (*value.data == 'n')
        status = field->non_null ? s_null_error(self, field, path) : NULLED;
    else
        status = s_leaf(self, field, path, value);
    if (status == NULLED && !field->non_null) {
        s_put(self, "null", 4);
        status = DONE;
    }
    return status;
}

/* ---- objects ---- */

/* Which slot a member goes to whose key nobody guessed. *at is at its opening quote, and goes
 * behind the key; NULL if there is none. */
static uint32_t
s_find_slot(const completion_t *self, plan_set_t *set, uint32_t nth, const char **at)
{
    const char *key = *at + 1;
    const char *end = reader_string(*at, self->end);
    *at = end;
    if (!end)
        return PLAN_NO_SLOT;
    json_slice_t text = {key, (size_t)(end - 1 - key)};
    plan_guess_t guess = {.key = key, .size = (uint32_t)text.size, .slot = PLAN_NO_SLOT};
    for (uint32_t i = 0; i < set->slot_count; i++) {
        if (!json_key_is(text, set->slots[i].name, set->slots[i].size))
            continue;
        guess.slot = i;
        guess.is_padded = text.size == set->slots[i].size;
        if (guess.is_padded)
            guess.key = set->slots[i].name;
        break;
    }
    if (nth < set->guess_room && text.size < UINT32_MAX) {
        set->guesses[nth] = guess;
        if (nth >= set->guess_count)
            set->guess_count = nth + 1;
    }
    return guess.slot;
}

/* Which slot the n-th member of the object goes to: most likely the same as in the object before.
 * *at is at its opening quote and goes behind the colon; NULL if this is no JSON. */
static inline uint32_t
s_member_slot(const completion_t *self, plan_set_t *set, uint32_t nth, const char **at)
{
    const char *key = *at + 1;
    uint32_t slot;
    if (nth < set->guess_count) {
        const plan_guess_t *guess = &set->guesses[nth];
        size_t size = guess->size;
        if ((size_t)(self->end - *at) > size + 2 && key[size] == '"' && key[-1] == '"' &&
            (guess->is_padded ? reader_equals(key, self->end, guess->key, size)
                              : memcmp(key, guess->key, size) == 0)) {
            *at = key + size + 1;
            slot = guess->slot;
        } else {
            slot = s_find_slot(self, set, nth, at);
        }
    } else {
        slot = s_find_slot(self, set, nth, at);
    }
    if (!*at)
        return slot;
    const char *colon = reader_space(*at, self->end);
    *at = colon < self->end && *colon == ':' ? colon + 1 : NULL;
    return slot;
}

/* Guesses that point into an earlier answer are gone. */
static void s_refresh_guesses(const completion_t *self, plan_set_t *set)
{
    set->guess_turn = self->plan->turn;
    for (uint32_t i = 0; i < set->guess_count; i++)
        if (!set->guesses[i].is_padded)
            set->guesses[i].size = UINT32_MAX;
}

/* Is all there that the field needs? */
static bool s_is_ready(const plan_set_t *set, const plan_field_t *field)
{
    if (field->source == PLAN_MEMBER)
        return set->slots[field->slot].end != NULL;
    if (field->source == PLAN_RESOLVED)
        for (uint32_t i = 0; i < field->definition->need_count; i++)
            if (!set->slots[field->need_slots[i]].end)
                return false;
    return true;
}

/* Writes one field from what is in the slots. Leaves `at` anywhere. */
static status_t
s_field(completion_t *self, plan_set_t *set, plan_field_t *field, const path_t *path)
{
    path_t below = {.above = path, .field = field};
    bool first = field == set->fields;
    s_put(self, field->key + first, field->key_size - first);
    if (field->source == PLAN_MEMBER) {
        const plan_slot_t *slot = &set->slots[field->slot];
        if (!slot->start) {
            if (field->non_null)
                return s_null_error(self, field, &below);
            s_put(self, "null", 4);
            return DONE;
        }
        if (field->shape != PLAN_NESTED)
            return s_leaf_member(self, field, &below, slot);
        self->at = slot->start;
        return s_value(self, field, field->definition->type, &below);
    }
    if (field->source == PLAN_RESOLVED)
        return s_hole(self, set, field, &below);
    s_put(self, "\"", 1);
    s_put(self, set->type->name->data, set->type->name->size);
    s_put(self, "\"", 1);
    return DONE;
}

/* Reads one member's value into its slot. If it is a list or object, and the next in the order of
 * the response, it is completed as it is read. *written counts fields. */
static status_t
s_member(completion_t *self, plan_set_t *set, uint32_t index, uint32_t *written, const path_t *path)
{
    plan_slot_t *slot = &set->slots[index];
    const char *start = self->at;
    slot->start = start;
    if (start < self->end && (*start == '{' || *start == '[')) {
        while (*written < set->field_count && s_is_ready(set, &set->fields[*written])) {
            status_t status = s_field(self, set, &set->fields[*written], path);
            if (status != DONE)
                return status;
            ++*written;
        }
        plan_field_t *next = *written < set->field_count ? &set->fields[*written] : NULL;
        self->at = start;
        if (next && next->source == PLAN_MEMBER && next->slot == index &&
            next->shape == PLAN_NESTED) {
            ++*written;
            status_t status = s_field(self, set, next, path);
            slot->end = self->at;
            return status;
        }
    }
    self->at = reader_skip(start, self->end, READER_MAX_DEPTH);
    slot->end = self->at;
    return self->at ? DONE : STOP;
}

/* Reads the members, `at` being behind the opening brace, and writes what can be written. */
static status_t
s_members(completion_t *self, plan_set_t *set, uint32_t *written, const path_t *path)
{
    const char *end = self->end;
    const char *at = reader_space(self->at, end);
    if (at < end && *at == '}') {
        self->at = at + 1;
        return DONE;
    }
    for (uint32_t nth = 0;; nth++) {
        if (at >= end)
            return STOP;
        uint32_t index = s_member_slot(self, set, nth, &at);
        if (!at)
            return STOP;
        at = reader_space(at, end);
        plan_slot_t *slot = index == PLAN_NO_SLOT ? NULL : &set->slots[index];
        if (slot && slot->start)
            slot = NULL; /* the first of equal names counts */
        if (at < end && *at == '"') {
            const char *start = at;
            at = reader_string_quick(at, end);
            if (!at)
                return STOP;
            if (slot) {
                slot->start = start;
                slot->end = at;
            }
        } else if (slot) {
            self->at = at;
            status_t status = s_member(self, set, index, written, path);
            if (status != DONE)
                return status;
            at = self->at;
        } else {
            at = reader_skip(at, end, READER_MAX_DEPTH);
            if (!at)
                return STOP;
        }
        at = reader_space(at, end);
        if (at >= end)
            return STOP;
        if (*at == '}') {
            self->at = at + 1;
            return DONE;
        }
        if (*at != ',')
            return STOP;
        at = reader_space(at + 1, end);
    }
}

/* The usual case of s_field, for as many fields as it is: members that are Strings and are there.
 * Returns how many fields are written then. */
static uint32_t s_put_texts(completion_t *self, const plan_set_t *set, uint32_t written)
{
    buffer_t *out = &self->text->bytes;
    if (out->failed)
        return written;
    char *to = out->data + out->size;
    const char *room = out->data + out->capacity;
    const char *last = self->end - READER_PADDING; /* what ends behind this may not be over-read */
    for (; written < set->field_count; written++) {
        const plan_field_t *field = &set->fields[written];
        if (field->source != PLAN_MEMBER || field->shape != PLAN_TEXT)
            break;
        const plan_slot_t *slot = &set->slots[field->slot];
        if (!slot->start || *slot->start != '"' || slot->end > last)
            break;
        size_t skip = written == 0; /* no comma before the first */
        size_t key_size = field->key_size - skip;
        size_t size = (size_t)(slot->end - slot->start);
        if ((size_t)(room - to) < key_size + size + READER_PADDING)
            break;
        reader_copy(to, field->key + skip, key_size);
        reader_copy(to + key_size, slot->start, size);
        to += key_size + size;
    }
    out->size = (size_t)(to - out->data);
    return written;
}

static status_t s_object(completion_t *self, plan_set_t *set, const path_t *path)
{
    if (set->guess_turn != self->plan->turn)
        s_refresh_guesses(self, set);
    for (uint32_t i = 0; i < set->slot_count; i++)
        set->slots[i].start = set->slots[i].end = NULL;
    if (self->text->bytes.failed)
        return STOP;
    uint32_t written = 0;
    s_put(self, "{", 1);
    self->at++;
    status_t status = s_members(self, set, &written, path);
    const char *behind = self->at;
    while (status == DONE && (written = s_put_texts(self, set, written)) < set->field_count)
        status = s_field(self, set, &set->fields[written++], path);
    s_put(self, "}", 1);
    self->at = behind;
    return status;
}

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

/* The object type that __typename says, or NULL with a sentence. */
static const schema_type_t *s_runtime_type(completion_t *self,
                                           const plan_field_t *field,
                                           const schema_type_t *type,
                                           json_slice_t value,
                                           const char **complaint)
{
    size_t size = value.size - 2;
    const char *name = value.data + 1;
    if (memchr(name, '\\', size) && !(name = json_string_decode(self->arena, value, &size))) {
        *complaint = NULL;
        return NULL;
    }
    if (field->last_type && field->last_type->name->size == size &&
        memcmp(field->last_type->name->data, name, size) == 0)
        return field->last_type;
    const schema_type_t *found = schema_type_by_text(self->plan->schema, name, size);
    if (found && found->kind == SCHEMA_OBJECT && schema_type_is_possible(type, found))
        return found;
    int shown = size > INSPECT_MAX ? 0 : (int)size;
    if (!found)
        *complaint = arena_printf(self->arena,
                                  "Abstract type \"%s\" was resolved to a type \"%.*s\" that does "
                                  "not exist inside the schema.",
                                  type->name->data, shown, name);
    else if (found->kind != SCHEMA_OBJECT)
        *complaint = arena_printf(self->arena,
                                  "Abstract type \"%s\" was resolved to a non-object type \"%s\".",
                                  type->name->data, found->name->data);
    else
        *complaint = arena_printf(self->arena,
                                  "Runtime Object type \"%s\" is not a possible type for \"%s\".",
                                  found->name->data, type->name->data);
    return NULL;
}

/* An object of an interface or union: which type is it? */
static status_t s_abstract(completion_t *self,
                           const plan_field_t *field,
                           const schema_type_t **type,
                           const path_t *path)
{
    json_slice_t value;
    bool valid;
    bool found = s_find_member(self, "__typename", &value, &valid);
    if (!valid)
        return STOP;
    const char *complaint = NULL;
    if (found && json_kind(value) == JSON_STRING_VALUE) {
        const schema_type_t *object = s_runtime_type(self, field, *type, value, &complaint);
        if (object) {
            *type = object;
            return DONE;
        }
    } else {
        complaint = arena_printf(self->arena,
                                 "Abstract type \"%s\" must resolve to an Object type at runtime "
                                 "for field \"%s\": the service must give \"__typename\".",
                                 (*type)->name->data, field->definition->coordinate);
    }
    return s_wrong_value(self, field, path, complaint);
}

static status_t
s_composite(completion_t *self, plan_field_t *field, const schema_type_t *type, const path_t *path)
{
    if (*self->at != '{') {
        const char *end = reader_skip(self->at, self->end, READER_MAX_DEPTH);
        if (!end)
            return STOP;
        return s_wrong_value(self, field, path,
                             arena_printf(self->arena, "Expected value of type \"%s\" but got: %s.",
                                          type->name->data,
                                          inspect_text(self->arena, self->at, end)));
    }
    if (type->kind != SCHEMA_OBJECT) {
        status_t status = s_abstract(self, field, &type, path);
        if (status != DONE)
            return status;
    }
    plan_set_t *set = plan_below(self->plan, field, type);
    if (!set) {
        self->errors->out_of_memory = true;
        return STOP;
    }
    return s_object(self, set, path);
}

/* ---- lists, and any value ---- */
static status_t
s_list(completion_t *self, plan_field_t *field, const schema_ref_t *item_type, const path_t *path)
{
    if (*self->at != '[')
        return s_wrong_value(
            self, field, path,
            arena_printf(self->arena, "Expected Iterable, but did not find one for field \"%s\".",
                         field->definition->coordinate));
    path_t item = {.above = path};
    s_put(self, "[", 1);
    self->at = reader_space(self->at + 1, self->end);
    if (self->at < self->end && *self->at == ']') {
        self->at++;
        s_put(self, "]", 1);
        return DONE;
    }
    for (;; item.index++) {
        status_t status = s_value(self, field, item_type, &item);
        if (status != DONE)
            return status;
        const char *at = reader_space(self->at, self->end);
        if (at >= self->end || self->text->bytes.failed)
            return STOP;
        if (*at == ']') {
            self->at = at + 1;
            s_put(self, "]", 1);
            return DONE;
        }
        if (*at != ',')
            return STOP;
        s_put(self, ",", 1);
        self->at = reader_space(at + 1, self->end);
    }
}

static status_t s_nested(completion_t *self,
                         plan_field_t *field,
                         const schema_ref_t *type,
                         bool non_null,
                         const path_t *path)
{
    hole_t *last_hole = self->text->last;
    position_t position = {
        .above = self->position, .start = self->text->bytes.size, .non_null = non_null};
    self->position = &position;
    status_t status = type->kind == SCHEMA_REF_LIST ? s_list(self, field, type->of, path)
                                                    : s_composite(self, field, type->type, path);
    self->position = position.above;
    if (status != DONE)
        s_cut_holes(self->text, last_hole);
    else if (position.made)
        position.made->end = self->text->bytes.size;
    return status;
}

/* Completes the value at `at`. */
static status_t
s_value(completion_t *self, plan_field_t *field, const schema_ref_t *type, const path_t *path)
{
    bool non_null = type->kind == SCHEMA_REF_NON_NULL;
    if (non_null)
        type = type->of;
    const char *start = self->at;
    if (start >= self->end)
        return STOP;
    size_t mark = self->text->bytes.size;
    status_t status;
    if (*start == 'n') {
        self->at = reader_word(start, self->end, "null", 4);
        if (!self->at)
            return STOP;
        if (non_null)
            return s_null_error(self, field, path);
        s_put(self, "null", 4);
        return DONE;
    }
    if (type->kind == SCHEMA_REF_NAMED && schema_type_is_leaf(type->type)) {
        const char *end = reader_skip(start, self->end, READER_MAX_DEPTH);
        if (!end)
            return STOP;
        self->at = end;
        status = s_leaf(self, field, path, (json_slice_t){start, (size_t)(end - start)});
    } else {
        status = s_nested(self, field, type, non_null, path);
    }
    if (status != NULLED || non_null)
        return status;
    self->text->bytes.size = mark;
    s_put(self, "null", 4);
    self->at = reader_skip(start, self->end, READER_MAX_DEPTH);
    return self->at ? DONE : STOP;
}

bool complete_failure(completion_t *self, const plan_field_t *field)
{
    if (field->non_null)
        return false;
    self->text->bytes.limit += 4; /* there is room for this, however large the rest is */
    s_put(self, "null", 4);
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
    status_t status = s_value(self, field, field->definition->type, path);
    if (status == DONE && reader_space(self->at, self->end) != self->end)
        status = STOP;
    if (status == DONE && !self->text->bytes.failed)
        return true;
    s_cut_holes(self->text, last_hole);
    self->text->bytes.size = mark;
    if (status == NULLED)
        return false;
    field_errors_cut(self->errors, errors);
    s_useless(self, field, path);
    return complete_failure(self, field);
}
