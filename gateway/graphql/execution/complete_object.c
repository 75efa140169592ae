#include "gateway/graphql/execution/complete_parts.h"

#include <string.h>

#include "gateway/graphql/execution/reader.h"

/* ---- holes ---- */
/* The frame of a position, made when a hole first needs it. */
static frame_t *s_frame(completion_t *self, position_t *position)
{
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

static complete_status_t
s_hole(completion_t *self, const plan_set_t *set, plan_field_t *field, const path_t *path)
{
    hole_t *hole = arena_calloc(self->arena, 1, sizeof *hole);
    frame_t *frame = hole ? s_frame(self, self->position) : NULL;
    if (!hole || (!frame && self->position)) {
        self->errors->out_of_memory = true;
        return COMPLETE_STOP;
    }
    hole->at = self->text->bytes.size;
    hole->frame = frame;
    hole->field = field;
    hole->path = path_copy(self->arena, path);
    hole->parent = s_parent(self, set, field);
    if (!hole->path || !hole->parent.data) {
        self->errors->out_of_memory = true;
        return COMPLETE_STOP;
    }
    if (self->text->last)
        self->text->last->next = hole;
    else
        self->text->first = hole;
    self->text->last = hole;
    return COMPLETE_DONE;
}

/* ---- fields ---- */

/* A member whose type is a leaf without lists around it. */
static complete_status_t s_leaf_member(completion_t *self,
                                       const plan_field_t *field,
                                       const path_t *path,
                                       const plan_slot_t *slot)
{
    json_slice_t value = {slot->start, (size_t)(slot->end - slot->start)};
    if (*value.data == '"' && field->shape == PLAN_TEXT) {
        complete_put(self, value.data, value.size);
        return COMPLETE_DONE;
    }
    complete_status_t status;
    if (*value.data == 'n')
        status = field->non_null ? complete_null_error(self, field, path) : COMPLETE_NULLED;
    else
        status = complete_leaf(self, field, path, value);
    if (status == COMPLETE_NULLED && !field->non_null) {
        complete_put(self, "null", 4);
        status = COMPLETE_DONE;
    }
    return status;
}

/* ---- members ---- */

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
 * *at is at its opening quote and goes to the value; NULL if this is no JSON. */
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
    *at = reader_mark(*at, self->end, ':');
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
static complete_status_t
s_field(completion_t *self, plan_set_t *set, plan_field_t *field, const path_t *path)
{
    path_t below = {.above = path, .field = field};
    bool first = field == set->fields;
    complete_put(self, field->key + first, field->key_size - first);
    if (field->source == PLAN_MEMBER) {
        const plan_slot_t *slot = &set->slots[field->slot];
        if (!slot->start) {
            if (field->non_null)
                return complete_null_error(self, field, &below);
            complete_put(self, "null", 4);
            return COMPLETE_DONE;
        }
        if (field->shape != PLAN_NESTED)
            return s_leaf_member(self, field, &below, slot);
        self->at = slot->start;
        return complete_value(self, field, field->definition->type, &below);
    }
    if (field->source == PLAN_RESOLVED)
        return s_hole(self, set, field, &below);
    if (field->source == PLAN_REFUSED)
        return complete_refused(self, field, &below);
    complete_put(self, "\"", 1);
    complete_put(self, set->type->name->data, set->type->name->size);
    complete_put(self, "\"", 1);
    return COMPLETE_DONE;
}

/* Reads one member's value into its slot. If it is a list or object, and the next in the order of
 * the response, it is completed as it is read. *written counts fields. */
static complete_status_t
s_member(completion_t *self, plan_set_t *set, uint32_t index, uint32_t *written, const path_t *path)
{
    plan_slot_t *slot = &set->slots[index];
    const char *start = self->at;
    slot->start = start;
    if (start < self->end && (*start == '{' || *start == '[')) {
        while (*written < set->field_count && s_is_ready(set, &set->fields[*written])) {
            complete_status_t status = s_field(self, set, &set->fields[*written], path);
            if (status != COMPLETE_DONE)
                return status;
            ++*written;
        }
        plan_field_t *next = *written < set->field_count ? &set->fields[*written] : NULL;
        self->at = start;
        if (next && next->source == PLAN_MEMBER && next->slot == index &&
            next->shape == PLAN_NESTED) {
            ++*written;
            complete_status_t status = s_field(self, set, next, path);
            slot->end = self->at;
            return status;
        }
    }
    self->at = reader_skip(start, self->end, READER_MAX_DEPTH);
    slot->end = self->at;
    return self->at ? COMPLETE_DONE : COMPLETE_STOP;
}

/* Members that come as the response has them, name for name and without blanks: they are copied as
 * one. */
typedef struct {
    const char *start; /* the first one's key */
    const char *end;   /* behind the last one's value */
    uint32_t count;    /* of fields, from the first on */
    uint32_t limit;    /* there are no more; 0: the run is written */
} run_t;

/* The member from key to end is read into the slot: is it the next of the run? */
static inline void
s_run(run_t *self, const plan_set_t *set, uint32_t slot, const char *key, const char *end)
{
    if (self->count >= self->limit)
        return;
    const plan_field_t *next = &set->fields[self->count];
    if (!next->is_verbatim || next->slot != slot ||
        set->slots[slot].start != key + set->slots[slot].size + 3)
        return;
    if (self->count == 0)
        self->start = key;
    else if (key != self->end + 1)
        return;
    self->end = end;
    self->count++;
}

/* Writes the run; how many fields are written. */
static inline uint32_t s_put_run(completion_t *self, run_t *run)
{
    uint32_t count = run->count;
    run->limit = run->count = 0;
    if (count)
        complete_put(self, run->start, (size_t)(run->end - run->start));
    return count;
}

/* Reads the members, `at` being behind the opening brace, and writes what can be written. */
static complete_status_t
s_members(completion_t *self, plan_set_t *set, uint32_t *written, const path_t *path)
{
    const char *end = self->end;
    const char *at = reader_space(self->at, end);
    run_t run = {.limit = set->field_count};
    if (at < end && *at == '}') {
        self->at = at + 1;
        return COMPLETE_DONE;
    }
    for (uint32_t nth = 0;; nth++) {
        if (at >= end)
            return COMPLETE_STOP;
        const char *key = at;
        uint32_t index = s_member_slot(self, set, nth, &at);
        if (!at)
            return COMPLETE_STOP;
        plan_slot_t *slot = index == PLAN_NO_SLOT ? NULL : &set->slots[index];
        if (slot && slot->start)
            slot = NULL; /* the first of equal names counts */
        if (at < end && *at == '"') {
            const char *start = at;
            at = reader_string_quick(at, end);
            if (!at)
                return COMPLETE_STOP;
            if (slot) {
                slot->start = start;
                slot->end = at;
                s_run(&run, set, index, key, at);
            }
        } else if (slot) {
            *written += s_put_run(self, &run);
            self->at = at;
            complete_status_t status = s_member(self, set, index, written, path);
            if (status != COMPLETE_DONE)
                return status;
            at = self->at;
        } else {
            at = reader_skip(at, end, READER_MAX_DEPTH);
            if (!at)
                return COMPLETE_STOP;
        }
        const char *next = reader_mark(at, end, ',');
        if (next) {
            at = next;
            continue;
        }
        at = reader_space(at, end);
        if (at >= end || *at != '}')
            return COMPLETE_STOP;
        *written += s_put_run(self, &run);
        self->at = at + 1;
        return COMPLETE_DONE;
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

complete_status_t complete_object(completion_t *self, plan_set_t *set, const path_t *path)
{
    if (set->guess_turn != self->plan->turn)
        s_refresh_guesses(self, set);
    for (uint32_t i = 0; i < set->slot_count; i++)
        set->slots[i].start = set->slots[i].end = NULL;
    if (self->text->bytes.failed)
        return COMPLETE_STOP;
    uint32_t written = 0;
    complete_put(self, "{", 1);
    self->at++;
    complete_status_t status = s_members(self, set, &written, path);
    const char *behind = self->at;
    while (status == COMPLETE_DONE &&
           (written = s_put_texts(self, set, written)) < set->field_count)
        status = s_field(self, set, &set->fields[written++], path);
    complete_put(self, "}", 1);
    self->at = behind;
    return status;
}
