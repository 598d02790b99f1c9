// Counts what a thread asks of the allocator and of the operating system.
#ifndef CALL_COUNTER_H
#define CALL_COUNTER_H

#include <stdbool.h>

struct call_counts {
    unsigned long allocations;
    unsigned long receives;
    unsigned long sends;
    unsigned long waits;
    // Everything else that is done with a socket: accept, close, shutdown, options, names, registrations.
    unsigned long others;
};

// Whether calls are counted here: only with glibc, and not under a sanitizer, which has an allocator of its own.
bool call_counter_works(void);

// What the calling thread has asked for so far.
struct call_counts call_counts_of_this_thread(void);

#endif
