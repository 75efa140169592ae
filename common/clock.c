#include "common/clock.h"

#include <stdbool.h>
#include <time.h>

static bool s_is_test;
static int64_t s_test_unix_us, s_test_mono_us;

static int64_t s_read(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_unix_us(void)
{
    return s_is_test ? s_test_unix_us : s_read(CLOCK_REALTIME);
}

int64_t clock_unix_ms(void)
{
    return clock_unix_us() / 1000;
}

int64_t clock_mono_us(void)
{
    return s_is_test ? s_test_mono_us : s_read(CLOCK_MONOTONIC);
}

void clock_test_set(int64_t unix_us, int64_t mono_us)
{
    s_is_test = true;
    s_test_unix_us = unix_us;
    s_test_mono_us = mono_us;
}

void clock_test_off(void)
{
    s_is_test = false;
}

static void s_digits(char *out, int width, int64_t value)
{
    for (int i = width - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

void clock_iso(int64_t unix_us, char out[CLOCK_ISO_SIZE])
{
    int64_t ms = unix_us / 1000 - (unix_us % 1000 < 0 ? 1 : 0);
    int64_t days = ms / 86400000 - (ms % 86400000 < 0 ? 1 : 0);
    int64_t rest = ms - days * 86400000;
    /* Days to a civil date of the proleptic Gregorian calendar, in eras of 400 years that begin on
     * 1 March. */
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);

    s_digits(out, 4, year);
    out[4] = '-';
    s_digits(out + 5, 2, month);
    out[7] = '-';
    s_digits(out + 8, 2, day_of_year - (153 * month_from_march + 2) / 5 + 1);
    out[10] = 'T';
    s_digits(out + 11, 2, rest / 3600000);
    out[13] = ':';
    s_digits(out + 14, 2, rest / 60000 % 60);
    out[16] = ':';
    s_digits(out + 17, 2, rest / 1000 % 60);
    out[19] = '.';
    s_digits(out + 20, 3, rest % 1000);
    out[23] = 'Z';
    out[24] = '\0';
}
