/* store/fault.h: places where tests let the process die or stumble. Compiled in with PARLEY_FAULTS
 * only.
 *
 * The environment variable PARLEY_FAULT names one: "exit_after_commit" kills the process (as kill
 * -9 would) the first time that place is reached; "exit_after_commit:5" the fifth time.
 *
 * exit_before_commit  a batch is about to be sent
 * exit_after_commit   a batch was committed; nothing is published or answered yet
 * skip_publish        an event is not published, as if PUB/SUB had dropped it
 * small_hwm           every time: the event socket drops beyond a few events, not 100,000
 *
 * Negative controls: they break a promise, and the tests must notice.
 *
 * lose_commit         a batch is answered and published, but rolled back
 * forget_ids          every time: a message is stored under a new id, no repetition is known
 * early_unlock        every time: a room's lock ends when seqs are taken, not when messages are in
 */
#ifndef PARLEY_STORE_FAULT_H
#define PARLEY_STORE_FAULT_H

enum { FAULT_HWM = 10 };

#ifdef PARLEY_FAULTS

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What PARLEY_FAULT says behind the place's name ("" or ":5"), or NULL if it names another. */
static inline const char *fault_turn(const char *place)
{
    const char *wanted = getenv("PARLEY_FAULT");
    size_t size = strlen(place);
    if (!wanted || strncmp(wanted, place, size) != 0 || (wanted[size] && wanted[size] != ':'))
        return NULL;
    return wanted + size;
}

/* Is the place the one that PARLEY_FAULT names, and is it its turn? */
static inline int fault_is_due(const char *place)
{
    static int passed;
    const char *turn = fault_turn(place);
    return turn && ++passed == (*turn ? atoi(turn + 1) : 1);
}

#define FAULT_EXIT(place)                                                                          \
    do {                                                                                           \
        if (fault_is_due(place))                                                                   \
            kill(getpid(), SIGKILL);                                                               \
    } while (0)

/* Is the place the one that PARLEY_FAULT names? Then something else is to happen there. */
#define FAULT_AT(place) fault_is_due(place)

/* The same, each time. */
#define FAULT_IS(place) (fault_turn(place) != NULL)

#else
#define FAULT_EXIT(place) ((void)0)
#define FAULT_AT(place) 0
#define FAULT_IS(place) 0
#endif

#endif
