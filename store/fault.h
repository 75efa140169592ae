/* store/fault.h: places where tests let the process die or stumble. Compiled in with PARLEY_FAULTS
 * only.
 *
 * The environment variable PARLEY_FAULT names one: "exit_after_commit" kills the process (as kill
 * -9 would) the first time that place is reached; "exit_after_commit:5" the fifth time.
 *
 * exit_before_commit  a batch is about to be sent
 * exit_after_commit   a batch was committed; nothing is published or answered yet
 * skip_publish        an event is not published, as if PUB/SUB had dropped it */
#ifndef PARLEY_STORE_FAULT_H
#define PARLEY_STORE_FAULT_H

#ifdef PARLEY_FAULTS

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Is the place the one that PARLEY_FAULT names, and is it its turn? */
static inline int fault_is_due(const char *place)
{
    static int passed;
    const char *wanted = getenv("PARLEY_FAULT");
    size_t size = strlen(place);
    if (!wanted || strncmp(wanted, place, size) != 0 || (wanted[size] && wanted[size] != ':'))
        return 0;
    int turn = wanted[size] ? atoi(wanted + size + 1) : 1;
    return ++passed == turn;
}

#define FAULT_EXIT(place)                                                                          \
    do {                                                                                           \
        if (fault_is_due(place))                                                                   \
            kill(getpid(), SIGKILL);                                                               \
    } while (0)

/* Is the place the one that PARLEY_FAULT names? Then something else is to happen there. */
#define FAULT_AT(place) fault_is_due(place)

#else
#define FAULT_EXIT(place) ((void)0)
#define FAULT_AT(place) 0
#endif

#endif
