/* common/clock.h: the two times that programs need. Tests can set both. Any thread. */
#ifndef PARLEY_COMMON_CLOCK_H
#define PARLEY_COMMON_CLOCK_H

#include <stdint.h>

/* Microseconds since 1970-01-01 UTC; may step. For deadlines that travel and for claims in tokens.
 */
int64_t clock_unix_us(void);
int64_t clock_unix_ms(void);

/* Microseconds of a clock that never steps back. For durations and timers. */
int64_t clock_mono_us(void);

/* For tests: from now on both clocks stand still at these values; clock_test_off() lets them run
 * again. */
void clock_test_set(int64_t unix_us, int64_t mono_us);
void clock_test_off(void);

/* "2026-11-23T01:02:03.456Z" (24 bytes and a NUL) of a Unix time in microseconds. */
enum { CLOCK_ISO_SIZE = 25 };
void clock_iso(int64_t unix_us, char out[CLOCK_ISO_SIZE]);

#endif
