#include "store/accounts/account_rules.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "store/accounts/case_folding.h"

/* A handle that other code gives a meaning: messages posted with the gateway's API key carry it. */
static const char *const s_reserved[] = {"apikey", NULL};

/* ---- handles ---- */

/* The rule that the characters break, or NULL. */
static const char *s_handle_flaw(const char *handle, size_t size)
{
    const char *at = handle, *end = handle + size;
    uint32_t before = ' '; /* so that a leading blank is a double one */
    bool is_first = true;
    while (at < end) {
        uint32_t c = utf8_next(&at, end);
        if (code_point_is_hidden(c))
            return "must not contain control or invisible characters";
        if (c == ' ' && (is_first || at == end))
            return "must not begin or end with a blank";
        if (c == ' ' && before == ' ')
            return "must not contain two blanks in a row";
        if (is_first && code_point_is_mark(c))
            return "must not begin with a combining mark";
        before = c;
        is_first = false;
    }
    return NULL;
}

err_code_t account_check_handle(const char *handle, size_t size, err_t *err)
{
    if (!utf8_is_valid(handle, size))
        return err_set(err, ERR_BAD_USER_INPUT, "handle must be valid UTF-8");
    size_t length = utf8_length(handle, size);
    if (length < 1 || length > HANDLE_CHARACTERS_MAX)
        return err_set(err, ERR_BAD_USER_INPUT, "handle must have 1 to %d characters",
                       HANDLE_CHARACTERS_MAX);
    const char *flaw = s_handle_flaw(handle, size);
    if (flaw)
        return err_set(err, ERR_BAD_USER_INPUT, "handle %s", flaw);
    char folded[HANDLE_FOLDED_SIZE];
    account_fold(handle, size, folded);
    for (const char *const *word = s_reserved; *word; word++)
        if (strcmp(folded, *word) == 0)
            return err_set(err, ERR_BAD_USER_INPUT, "handle must not be the reserved word %s",
                           *word);
    return ERR_OK;
}

bool account_fold(const char *handle, size_t size, char out[HANDLE_FOLDED_SIZE])
{
    out[0] = '\0';
    if (size == 0 || size > HANDLE_CHARACTERS_MAX * 4 || memchr(handle, '\0', size) ||
        !utf8_is_valid(handle, size))
        return false;
    case_fold_utf8(handle, size, out);
    return true;
}

/* ---- passwords ---- */

err_code_t account_check_password(const char *password, size_t size, err_t *err)
{
    if (memchr(password, '\0', size) || !utf8_is_valid(password, size))
        return err_set(err, ERR_BAD_USER_INPUT, "password must be valid UTF-8 without NUL");
    if (size > PASSWORD_BYTES_MAX)
        return err_set(err, ERR_BAD_USER_INPUT, "password must have at most %d bytes",
                       PASSWORD_BYTES_MAX);
    bool has_letter = false, has_digit = false;
    for (size_t i = 0; i < size; i++) {
        has_letter = has_letter || (password[i] >= 'a' && password[i] <= 'z');
        has_digit = has_digit || (password[i] >= '0' && password[i] <= '9');
    }
    const char *flaws[3];
    int count = 0;
    if (utf8_length(password, size) < PASSWORD_CHARACTERS_MIN)
        flaws[count++] = "at least 8 characters";
    if (!has_letter)
        flaws[count++] = "a lower-case letter (a-z)";
    if (!has_digit)
        flaws[count++] = "a digit (0-9)";
    if (count == 0)
        return ERR_OK;
    return err_set(err, ERR_BAD_USER_INPUT, "password must have %s%s%s%s%s", flaws[0],
                   count == 3 ? ", " : "", count == 3 ? flaws[1] : "", count > 1 ? " and " : "",
                   count > 1 ? flaws[count - 1] : "");
}

/* ---- e-mail addresses ---- */

static bool s_is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (unsigned char)c >= 0x80;
}

/* Dot-separated, non-empty parts of allowed characters. */
static bool s_is_dotted(const char *text, size_t size, const char *allowed, size_t part_max)
{
    size_t part = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '.') {
            if (part == 0)
                return false;
            part = 0;
        } else if (++part > part_max || (!s_is_alnum(text[i]) && !strchr(allowed, text[i]))) {
            return false;
        }
    }
    return part > 0;
}

static bool s_is_domain(const char *text, size_t size)
{
    if (!s_is_dotted(text, size, "-", 63) || !memchr(text, '.', size))
        return false;
    for (size_t i = 0; i < size; i++) /* no label begins or ends with a hyphen */
        if (text[i] == '-' && (i == 0 || i + 1 == size || text[i - 1] == '.' || text[i + 1] == '.'))
            return false;
    return true;
}

static bool s_is_email(const char *email, size_t size)
{
    if (size > EMAIL_BYTES_MAX || memchr(email, '\0', size) || !utf8_is_valid(email, size))
        return false;
    const char *at = memchr(email, '@', size);
    if (!at)
        return false;
    size_t local = (size_t)(at - email);
    for (const char *p = email, *end = email + size; p < end;)
        if (code_point_is_hidden(utf8_next(&p, end)))
            return false;
    return local <= 64 && s_is_dotted(email, local, "!#$%&'*+-/=?^_`{|}~", 64) &&
           s_is_domain(at + 1, size - local - 1);
}

err_code_t account_check_email(const char *email, size_t size, err_t *err)
{
    if (s_is_email(email, size))
        return ERR_OK;
    return err_set(err, ERR_BAD_USER_INPUT,
                   "email must be an address like name@example.com, or be left out");
}
