#include "gateway/graphql/language/print_value.h"

#include <string.h>

enum { LINE_COLUMNS = 80, SHORT_BYTES = 300 };

/* Nothing more is written once something did not fit, so that what is there is a beginning. */
static void s_bytes(buffer_t *out, const char *data, size_t size)
{
    if (!out->failed)
        buffer_put(out, data, size);
}

static void s_text(buffer_t *out, const char *text)
{
    s_bytes(out, text, strlen(text));
}

static void s_char(buffer_t *out, char c)
{
    if (!out->failed)
        buffer_put_char(out, c);
}

void print_string(const char *data, size_t size, buffer_t *out)
{
    static const char short_escapes[] = "\b\t\n\f\r\"\\";
    static const char short_letters[] = "btnfr\"\\";
    s_char(out, '"');
    for (size_t i = 0; i < size && !out->failed; i++) {
        unsigned char c = (unsigned char)data[i];
        const char *found = c ? strchr(short_escapes, c) : NULL;
        if (found) {
            s_char(out, '\\');
            s_char(out, short_letters[found - short_escapes]);
        } else if (c < 0x20 || c == 0x7F) {
            buffer_printf(out, "\\u%04X", c);
        } else if (c == 0xC2 && i + 1 < size && (unsigned char)data[i + 1] < 0xA0) {
            buffer_printf(out, "\\u%04X", (unsigned char)data[++i]); /* U+0080 … U+009F */
        } else {
            s_char(out, (char)c);
        }
    }
    s_char(out, '"');
}

bool print_block_string_is_fit(const char *data, size_t size)
{
    bool is_empty_line = true;
    bool has_indent = false;
    bool has_common_indent = true;
    bool seen_line = false;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c < 0x10 && c != '\n' && c != '\t')
            return false;
        if (c == '\n') {
            if (is_empty_line && !seen_line)
                return false; /* a leading empty line would be lost */
            seen_line = true;
            is_empty_line = true;
            has_indent = false;
        } else if (c == ' ' || c == '\t') {
            has_indent |= is_empty_line;
        } else {
            has_common_indent &= has_indent;
            is_empty_line = false;
        }
    }
    if (size == 0)
        return true;
    return !is_empty_line && !(has_common_indent && seen_line);
}

static bool s_ends_with(const char *data, size_t size, const char *end)
{
    size_t length = strlen(end);
    return size >= length && memcmp(data + size - length, end, length) == 0;
}

static size_t s_utf16_length(const char *data, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)data[i];
        length += (c & 0xC0) == 0x80 ? 0 : c >= 0xF0 ? 2 : 1;
    }
    return length;
}

/* Is each line after the first empty or indented? */
static bool s_later_lines_are_indented(const char *data, size_t size)
{
    for (size_t i = 0; i + 1 < size; i++) {
        if (data[i] == '\n' && data[i + 1] != '\n' && data[i + 1] != ' ' && data[i + 1] != '\t')
            return false;
    }
    return true;
}

static void s_put_newline(unsigned indent, buffer_t *out)
{
    s_char(out, '\n');
    for (unsigned i = 0; i < indent; i++)
        s_char(out, ' ');
}

void print_block_string(const char *data, size_t size, unsigned indent, buffer_t *out)
{
    bool is_single = memchr(data, '\n', size) == NULL;
    bool force_leading = !is_single && s_later_lines_are_indented(data, size);
    bool trailing_triple = s_ends_with(data, size, "\"\"\"");
    bool force_trailing =
        (s_ends_with(data, size, "\"") && !trailing_triple) || s_ends_with(data, size, "\\");
    bool is_multiple = !is_single || s_utf16_length(data, size) > 70 || force_trailing ||
                       force_leading || trailing_triple;
    bool skip_leading = is_single && size && (data[0] == ' ' || data[0] == '\t');
    s_text(out, "\"\"\"");
    if ((is_multiple && !skip_leading) || force_leading)
        s_put_newline(indent, out);
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\n') {
            s_put_newline(indent, out);
        } else if (s_ends_with(data + i, size - i < 3 ? 0 : 3, "\"\"\"")) {
            s_text(out, "\\\"\"\"");
            i += 2;
        } else {
            s_char(out, data[i]);
        }
    }
    if (is_multiple || force_trailing)
        s_put_newline(indent, out);
    s_text(out, "\"\"\"");
}

/* Columns of the value on one line, as far as it matters: counting stops beyond LINE_COLUMNS. */
static size_t s_width(const ast_value_t *value)
{
    size_t width = 0;
    switch (value->kind) {
    case AST_VARIABLE:
        return value->name->size + 1;
    case AST_ENUM:
        return value->name->size;
    case AST_INT:
    case AST_FLOAT:
        return value->text.size;
    case AST_BOOLEAN:
        return value->boolean ? 4 : 5;
    case AST_NULL:
        return 4;
    case AST_STRING: {
        buffer_t text = BUFFER_INIT(SIZE_MAX);
        print_string(value->text.data, value->text.size, &text);
        width = s_utf16_length(text.data, text.size) + (value->text.block ? 4 : 0);
        buffer_free(&text);
        return width;
    }
    case AST_LIST:
        width = 2;
        for (uint32_t i = 0; i < value->list.count && width <= LINE_COLUMNS; i++)
            width += s_width(&value->list.items[i]) + (i ? 2 : 0);
        return width;
    case AST_OBJECT:
        width = 4;
        for (uint32_t i = 0; i < value->object.count && width <= LINE_COLUMNS; i++)
            width += value->object.fields[i].name->size + 2 +
                     s_width(&value->object.fields[i].value) + (i ? 2 : 0);
        return width;
    }
    return 0;
}

static void s_put(const ast_value_t *value, unsigned indent, bool flat, buffer_t *out);

/* Between items: ", " on one line, else a new line. */
static void s_separate(bool broken, bool is_first, unsigned indent, buffer_t *out)
{
    if (broken)
        s_put_newline(indent + 2, out);
    else if (!is_first)
        s_text(out, ", ");
}

static void s_put_list(const ast_value_t *value, unsigned indent, bool flat, buffer_t *out)
{
    bool broken = !flat && s_width(value) > LINE_COLUMNS;
    s_char(out, '[');
    for (uint32_t i = 0; i < value->list.count && !out->failed; i++) {
        s_separate(broken, i == 0, indent, out);
        s_put(&value->list.items[i], broken ? indent + 2 : indent, flat, out);
    }
    if (broken)
        s_put_newline(indent, out);
    s_char(out, ']');
}

static void s_put_object(const ast_value_t *value, unsigned indent, bool flat, buffer_t *out)
{
    bool broken = !flat && s_width(value) > LINE_COLUMNS;
    s_text(out, broken ? "{" : "{ ");
    for (uint32_t i = 0; i < value->object.count && !out->failed; i++) {
        const ast_object_field_t *field = &value->object.fields[i];
        s_separate(broken, i == 0, indent, out);
        s_bytes(out, field->name->data, field->name->size);
        s_text(out, ": ");
        s_put(&field->value, broken ? indent + 2 : indent, flat, out);
    }
    if (broken)
        s_put_newline(indent, out);
    s_text(out, broken ? "}" : " }");
}

static void s_put(const ast_value_t *value, unsigned indent, bool flat, buffer_t *out)
{
    switch (value->kind) {
    case AST_VARIABLE:
        s_char(out, '$');
        s_bytes(out, value->name->data, value->name->size);
        return;
    case AST_ENUM:
        s_bytes(out, value->name->data, value->name->size);
        return;
    case AST_INT:
    case AST_FLOAT:
        s_bytes(out, value->text.data, value->text.size);
        return;
    case AST_BOOLEAN:
        s_text(out, value->boolean ? "true" : "false");
        return;
    case AST_NULL:
        s_text(out, "null");
        return;
    case AST_STRING:
        if (value->text.block && !flat)
            print_block_string(value->text.data, value->text.size, indent, out);
        else
            print_string(value->text.data, value->text.size, out);
        return;
    case AST_LIST:
        s_put_list(value, indent, flat, out);
        return;
    case AST_OBJECT:
        s_put_object(value, indent, flat, out);
        return;
    }
}

void print_value(const ast_value_t *value, buffer_t *out)
{
    s_put(value, 0, false, out);
}

const char *print_value_short(arena_t *arena, const ast_value_t *value)
{
    buffer_t out = BUFFER_INIT(SHORT_BYTES);
    s_put(value, 0, true, &out);
    /* A string that was cut may end within a character. */
    while (out.failed && out.size && ((unsigned char)out.data[out.size - 1] & 0x80)) {
        out.size--;
        if ((unsigned char)out.data[out.size] >= 0xC0)
            break;
    }
    const char *text = arena_printf(arena, "%.*s%s", (int)out.size, out.data ? out.data : "",
                                    out.failed ? "…" : "");
    buffer_free(&out);
    return text ? text : "";
}
