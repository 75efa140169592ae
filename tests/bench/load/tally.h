/* tests/bench/load/tally.h: what a load generator counts: deliveries, their latencies, and what was
 * lost or came out of order. One thread. */
#ifndef PARLEY_BENCH_TALLY_H
#define PARLEY_BENCH_TALLY_H

#include <stdint.h>
#include <stdio.h>

enum { TALLY_FINE = 1000, TALLY_COARSE = 10000 };

/* Times in steps of 10 µs up to 10 ms, then of 1 ms up to 10 s. */
typedef struct {
    uint64_t fine[TALLY_FINE], coarse[TALLY_COARSE];
    uint64_t count;
    int64_t max_us;
} tally_times_t;

void tally_note(tally_times_t *self, int64_t time_us);
/* The time in ms that this share (0 to 1) of all does not exceed; 0 if there are none. */
double tally_percentile_ms(const tally_times_t *self, double share);
/* Writes ,"<name>P50Ms":…,"<name>P99Ms":…,"<name>P999Ms":…,"<name>MaxMs":… */
void tally_print(const tally_times_t *self, const char *name, FILE *out);

typedef struct {
    uint64_t posted, answered, refused; /* of posts */
    uint64_t deliveries;
    uint64_t disordered; /* events whose number is not the last one's successor */
    uint64_t
        strange; /* frames that are no event and no part of the protocol, or not what others got */
    tally_times_t posting; /* post to its answer */
    tally_times_t sent;    /* post to delivery */
    tally_times_t created; /* createdAt to delivery; wall clock, ms */
} tally_t;

#endif
