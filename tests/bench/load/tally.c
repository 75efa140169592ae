#include "tests/bench/load/tally.h"

void tally_note(tally_times_t *self, int64_t time_us)
{
    if (time_us < 0)
        time_us = 0; /* createdAt is rounded */
    if (time_us > self->max_us)
        self->max_us = time_us;
    self->count++;
    if (time_us < (int64_t)TALLY_FINE * 10)
        self->fine[time_us / 10]++;
    else
        self->coarse[time_us / 1000 < TALLY_COARSE ? time_us / 1000 : TALLY_COARSE - 1]++;
}

double tally_percentile_ms(const tally_times_t *self, double share)
{
    uint64_t rank = (uint64_t)((double)self->count * share), seen = 0;
    if (self->count == 0)
        return 0;
    for (int i = 0; i < TALLY_FINE; i++)
        if ((seen += self->fine[i]) > rank)
            return i * 0.01;
    for (int i = 0; i < TALLY_COARSE; i++)
        if ((seen += self->coarse[i]) > rank)
            return i;
    return (double)self->max_us * 1e-3;
}

void tally_print(const tally_times_t *self, const char *name, FILE *out)
{
    fprintf(out, ",\"%sP50Ms\":%.2f,\"%sP99Ms\":%.2f,\"%sP999Ms\":%.2f,\"%sMaxMs\":%.2f", name,
            tally_percentile_ms(self, 0.5), name, tally_percentile_ms(self, 0.99), name,
            tally_percentile_ms(self, 0.999), name, (double)self->max_us * 1e-3);
}
