/* common/config.h: long options, each with an environment variable PARLEY_<NAME>. The command line
 * wins. */
#ifndef PARLEY_COMMON_CONFIG_H
#define PARLEY_COMMON_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

/* A list may be given several times; its values are joined with semicolons. */
typedef enum { CONFIG_STRING, CONFIG_LIST, CONFIG_WORD, CONFIG_INT, CONFIG_FLAG } config_type_t;

typedef struct {
    const char *name; /* "call-timeout-ms"; the variable is PARLEY_CALL_TIMEOUT_MS */
    config_type_t type;
    void *target;         /* const char **, int64_t * or bool * */
    const char *fallback; /* as text; NULL leaves NULL, 0 or false */
    int64_t min, max;     /* of an int, inclusive */
    const char *unit;     /* "ms", "ADDR:PORT" … for --help; the words of a word: "json|text" */
    const char *help;     /* one line */
    bool env_only;        /* a secret: no option, since argv is public */
} config_option_t;

/* Reads environment and argv into the targets (strings stay borrowed from them, but for lists,
 * which are allocated for good). options ends with a NULL name. A flag's variable is 1/true/yes/on
 * or 0/false/no/off or empty. ERR_CONFIG with one line that names option or variable and what is
 * wrong ("--listen wants a value", "PARLEY_READERS: 'x' is no number from 1 to 64", "unknown option
 * --lisen, did you mean --listen?"). Arguments that are no options are left in argv order in *rest
 * (borrowed), their number in *rest_count. */
err_code_t config_read(const config_option_t *options,
                       int argc,
                       char **argv,
                       char **rest,
                       int *rest_count,
                       err_t *err);

/* Prints usage and all options with variables and defaults to stdout. */
void config_help(const config_option_t *options, const char *usage);

#endif
