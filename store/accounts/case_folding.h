/* store/accounts/case_folding.h: case and visibility of characters, the same on every machine.
 *
 * Stores that share a database must agree on which handles are the same, so neither the C library
 * nor the database's collation is asked: the tables are compiled in. Pure functions; any thread. */
#ifndef PARLEY_STORE_ACCOUNTS_CASE_FOLDING_H
#define PARLEY_STORE_ACCOUNTS_CASE_FOLDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The simple case folding (Unicode 3.13, CaseFolding.txt C and S) of a code point. */
uint32_t case_fold(uint32_t code_point);

/* Folds size bytes of valid UTF-8 into out, which has room for case_fold_bound(size) bytes; a NUL
 * is put behind. Returns the bytes written without the NUL. */
size_t case_fold_utf8(const char *text, size_t size, char *out);
size_t case_fold_bound(size_t size);

/* Does it show nothing: a control, a format character, a blank other than U+0020, private use, a
 * noncharacter? */
bool code_point_is_hidden(uint32_t code_point);

/* Does it sit on the character before it (general categories Mn and Me)? */
bool code_point_is_mark(uint32_t code_point);

/* Reads the code point at *at (valid UTF-8, *at < end) and moves *at behind it. */
uint32_t utf8_next(const char **at, const char *end);

#endif
