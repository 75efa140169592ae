#include "gateway/graphql/language/suggest.h"

#include <ctype.h>
#include <string.h>

static const uint32_t FAR = UINT32_MAX;

void suggest_init(suggest_t *self, const char *input, size_t input_size)
{
    *self = (suggest_t){.input = input_size > SUGGEST_INPUT_BYTES ? NULL : input,
                        .input_size = input_size};
}

int suggest_natural_compare(const char *a, const char *b)
{
    const char *start_a = a;
    const char *start_b = b;
    while (*a && *b) {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            uint64_t number_a = 0;
            uint64_t number_b = 0;
            do
                number_a = number_a * 10 + (uint64_t)(*a++ - '0');
            while (isdigit((unsigned char)*a) && number_a > 0);
            do
                number_b = number_b * 10 + (uint64_t)(*b++ - '0');
            while (isdigit((unsigned char)*b) && number_b > 0);
            if (number_a != number_b)
                return number_a < number_b ? -1 : 1;
        } else {
            if (*a != *b)
                return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
            a++;
            b++;
        }
    }
    size_t size_a = strlen(start_a);
    size_t size_b = strlen(start_b);
    return size_a < size_b ? -1 : size_a > size_b;
}

static uint32_t s_min(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap neighbours) between a and b, whatever the case; b is at most
 * SUGGEST_INPUT_BYTES long. FAR if they are more than threshold. */
static uint32_t
s_edits(const char *a, size_t size_a, const char *b, size_t size_b, uint32_t threshold)
{
    uint32_t rows[3][SUGGEST_INPUT_BYTES + 1];
    for (uint32_t j = 0; j <= size_b; j++)
        rows[0][j] = j;
    for (uint32_t i = 1; i <= size_a; i++) {
        const uint32_t *up = rows[(i - 1) % 3];
        uint32_t *row = rows[i % 3];
        uint32_t smallest = row[0] = i;
        for (uint32_t j = 1; j <= size_b; j++) {
            int ca = tolower((unsigned char)a[i - 1]);
            int cb = tolower((unsigned char)b[j - 1]);
            uint32_t cell = s_min(s_min(up[j] + 1, row[j - 1] + 1), up[j - 1] + (ca != cb));
            if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) &&
                cb == tolower((unsigned char)a[i - 2]))
                cell = s_min(cell, rows[(i - 2) % 3][j - 2] + 1);
            smallest = s_min(smallest, cell);
            row[j] = cell;
        }
        if (smallest > threshold)
            return FAR;
    }
    uint32_t distance = rows[size_a % 3][size_b];
    return distance <= threshold ? distance : FAR;
}

static uint32_t s_distance(const suggest_t *self, const char *candidate)
{
    size_t size = strlen(candidate);
    uint32_t threshold = (uint32_t)(self->input_size * 2 / 5) + 1;
    if (size == self->input_size && memcmp(self->input, candidate, size) == 0)
        return 0;
    if (size == self->input_size && strncasecmp(self->input, candidate, size) == 0)
        return 1;
    bool is_longer = size >= self->input_size;
    if ((is_longer ? size - self->input_size : self->input_size - size) > threshold)
        return FAR;
    return is_longer ? s_edits(candidate, size, self->input, self->input_size, threshold)
                     : s_edits(self->input, self->input_size, candidate, size, threshold);
}

void suggest_add(suggest_t *self, const char *candidate)
{
    uint32_t distance = self->input ? s_distance(self, candidate) : FAR;
    if (distance == FAR)
        return;
    uint32_t at = self->count;
    while (at > 0 && (self->best[at - 1].distance > distance ||
                      (self->best[at - 1].distance == distance &&
                       suggest_natural_compare(self->best[at - 1].text, candidate) > 0))) {
        self->best[at] = self->best[at - 1];
        at--;
    }
    self->best[at].text = candidate;
    self->best[at].distance = distance;
    if (self->count < SUGGEST_MAX)
        self->count++;
}

void suggest_add_name(suggest_t *self, const name_t *candidate)
{
    suggest_add(self, candidate->data);
}

const char *
suggest_list_text(const char *const *items, uint32_t count, const char *lead, arena_t *arena)
{
    if (count == 0)
        return "";
    if (count > SUGGEST_MAX)
        count = SUGGEST_MAX;
    const char *text = arena_printf(arena, " Did you mean %s%s\"%s\"", lead ? lead : "",
                                    lead ? " " : "", items[0]);
    for (uint32_t i = 1; text && i < count; i++) {
        const char *separator = i + 1 < count ? ", " : count == 2 ? " or " : ", or ";
        text = arena_printf(arena, "%s%s\"%s\"", text, separator, items[i]);
    }
    text = text ? arena_printf(arena, "%s?", text) : NULL;
    return text ? text : "";
}

const char *suggest_text(const suggest_t *self, arena_t *arena)
{
    const char *items[SUGGEST_MAX];
    for (uint32_t i = 0; i < self->count; i++)
        items[i] = self->best[i].text;
    return suggest_list_text(items, self->count, NULL, arena);
}
