#include "common/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VARIABLE_SIZE = 80, DISTANCE_MAX = 2, NAME_MAX_LENGTH = 64 };

/* "call-timeout-ms" → "PARLEY_CALL_TIMEOUT_MS". */
static void s_variable(const char *name, char out[VARIABLE_SIZE])
{
    snprintf(out, VARIABLE_SIZE, "PARLEY_%s", name);
    for (char *at = out; *at != '\0'; at++)
        *at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
}

static err_code_t
s_set_int(const config_option_t *option, const char *source, const char *text, err_t *err)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < option->min || number > option->max)
        return err_set(err, ERR_CONFIG, "%s: '%s' is no number from %lld to %lld", source, text,
                       (long long)option->min, (long long)option->max);
    *(int64_t *)option->target = number;
    return ERR_OK;
}

static err_code_t
s_set_flag(const config_option_t *option, const char *source, const char *text, err_t *err)
{
    static const char *const words[] = {"0", "false", "no", "off", "", "1", "true", "yes", "on"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i]) == 0) {
            *(bool *)option->target = i >= 5;
            return ERR_OK;
        }
    }
    return err_set(err, ERR_CONFIG, "%s: '%s' is neither true nor false", source, text);
}

static err_code_t
s_set_word(const config_option_t *option, const char *source, const char *text, err_t *err)
{
    size_t size = strlen(text), word_size;
    for (const char *word = option->unit; *word != '\0';
         word += word_size + (word[word_size] != 0)) {
        word_size = strcspn(word, "|");
        if (word_size == size && memcmp(word, text, size) == 0) {
            *(const char **)option->target = text;
            return ERR_OK;
        }
    }
    return err_set(err, ERR_CONFIG, "%s: '%s' is none of %s", source, text, option->unit);
}

static void s_forget_list(const config_option_t *option)
{
    char **target = option->target;
    free(*target);
    *target = NULL;
}

static void s_append(const config_option_t *option, const char *text)
{
    char **target = option->target;
    size_t size = *target != NULL ? strlen(*target) : 0;
    char *list = realloc(*target, size + strlen(text) + 2);
    if (list == NULL)
        abort();
    if (size > 0)
        list[size++] = ';';
    memcpy(list + size, text, strlen(text) + 1);
    *target = list;
}

/* source is "--name" or the variable, for the error. */
static err_code_t
s_set(const config_option_t *option, const char *source, const char *text, err_t *err)
{
    switch (option->type) {
    case CONFIG_INT:
        return s_set_int(option, source, text, err);
    case CONFIG_FLAG:
        return s_set_flag(option, source, text, err);
    case CONFIG_WORD:
        return s_set_word(option, source, text, err);
    case CONFIG_LIST:
        s_append(option, text);
        return ERR_OK;
    case CONFIG_STRING:
        break;
    }
    *(const char **)option->target = text;
    return ERR_OK;
}

/* Fallback, then environment. */
static err_code_t s_read_environment(const config_option_t *option, err_t *err)
{
    char variable[VARIABLE_SIZE];
    s_variable(option->name, variable);
    if (option->type == CONFIG_LIST)
        s_forget_list(option);
    if (option->fallback != NULL && s_set(option, variable, option->fallback, err) != ERR_OK)
        return ERR_CONFIG;
    const char *value = getenv(variable);
    if (value == NULL || (*value == '\0' && option->type != CONFIG_FLAG))
        return ERR_OK;
    return s_set(option, variable, value, err);
}

static const config_option_t *
s_find(const config_option_t *options, const char *name, size_t name_size)
{
    for (const config_option_t *option = options; option->name != NULL; option++)
        if (!option->env_only && strlen(option->name) == name_size &&
            memcmp(option->name, name, name_size) == 0)
            return option;
    return NULL;
}

/* Levenshtein's distance of two short names. */
static size_t s_distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t row[NAME_MAX_LENGTH + 1];
    if (a_size > NAME_MAX_LENGTH || b_size > NAME_MAX_LENGTH)
        return SIZE_MAX;
    for (size_t j = 0; j <= b_size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b_size];
}

static err_code_t
s_unknown(const config_option_t *options, const char *name, size_t name_size, err_t *err)
{
    const char *nearest = NULL;
    size_t nearest_distance = DISTANCE_MAX + 1;
    for (const config_option_t *option = options; option->name != NULL; option++) {
        size_t distance = s_distance(name, name_size, option->name, strlen(option->name));
        if (!option->env_only && distance < nearest_distance) {
            nearest = option->name;
            nearest_distance = distance;
        }
    }
    if (nearest != NULL)
        return err_set(err, ERR_CONFIG, "unknown option --%.*s, did you mean --%s?", (int)name_size,
                       name, nearest);
    return err_set(err, ERR_CONFIG, "unknown option --%.*s", (int)name_size, name);
}

/* Reads the option at argv[i]; *used is how many arguments it took. */
static err_code_t
s_read_option(const config_option_t *options, int left, char **argv, int *used, err_t *err)
{
    const char *name = argv[0] + 2;
    const char *equals = strchr(name, '=');
    size_t name_size = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const config_option_t *option = s_find(options, name, name_size);
    *used = 1;
    if (option == NULL)
        return s_unknown(options, name, name_size, err);
    char source[NAME_MAX_LENGTH + 3];
    snprintf(source, sizeof source, "--%s", option->name);
    if (equals != NULL)
        return s_set(option, source, equals + 1, err);
    if (option->type == CONFIG_FLAG)
        return s_set(option, source, "true", err);
    if (left < 2)
        return err_set(err, ERR_CONFIG, "%s wants a value", source);
    *used = 2;
    return s_set(option, source, argv[1], err);
}

/* A list on the command line takes the place of the variable's. */
static void s_forget_lists(const config_option_t *options, int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const config_option_t *option =
            strncmp(argv[i], "--", 2) == 0 ? s_find(options, argv[i] + 2, strcspn(argv[i] + 2, "="))
                                           : NULL;
        if (option != NULL && option->type == CONFIG_LIST)
            s_forget_list(option);
    }
}

err_code_t config_read(
    const config_option_t *options, int argc, char **argv, char **rest, int *rest_count, err_t *err)
{
    for (const config_option_t *option = options; option->name != NULL; option++)
        if (s_read_environment(option, err) != ERR_OK)
            return ERR_CONFIG;
    s_forget_lists(options, argc, argv);
    *rest_count = 0;
    for (int i = 1; i < argc;) {
        if (strcmp(argv[i], "--") == 0) {
            while (++i < argc)
                rest[(*rest_count)++] = argv[i];
        } else if (strncmp(argv[i], "--", 2) == 0) {
            int used;
            if (s_read_option(options, argc - i, argv + i, &used, err) != ERR_OK)
                return ERR_CONFIG;
            i += used;
        } else if (argv[i][0] == '-' && argv[i][1] != '\0') {
            return err_set(err, ERR_CONFIG, "unknown option %s (options are long: --help)",
                           argv[i]);
        } else {
            rest[(*rest_count)++] = argv[i++];
        }
    }
    return ERR_OK;
}

static void s_help_option(const config_option_t *option)
{
    char variable[VARIABLE_SIZE], left[VARIABLE_SIZE];
    s_variable(option->name, variable);
    if (option->env_only)
        snprintf(left, sizeof left, "(environment only)");
    else if (option->type == CONFIG_FLAG)
        snprintf(left, sizeof left, "--%s", option->name);
    else
        snprintf(left, sizeof left, "--%s %s", option->name,
                 option->unit != NULL ? option->unit : "VALUE");
    printf("  %-32s %s\n  %-32s   %s", left, option->help, "", variable);
    if (option->fallback != NULL && option->type != CONFIG_FLAG)
        printf(", default %s", option->fallback);
    putchar('\n');
}

void config_help(const config_option_t *options, const char *usage)
{
    printf("%s\n\nOptions (each with its environment variable):\n", usage);
    for (const config_option_t *option = options; option->name != NULL; option++)
        s_help_option(option);
    printf("  %-32s %s\n  %-32s %s\n", "--help", "print this", "--version", "print the version");
}
