// The definitions here come before those of the C library, for everything in the program.
#define _GNU_SOURCE
#include "CallCounter.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

#if defined(__linux__)
#include <features.h>
#endif

#if defined(__GLIBC__) && !defined(SANITIZED)

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

static __thread struct call_counts counts;

bool call_counter_works(void) { return true; }

struct call_counts call_counts_of_this_thread(void) { return counts; }

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

void *malloc(size_t size) {
    counts.allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    counts.allocations++;
    return __libc_calloc(count, size);
}

void *realloc(void *block, size_t size) {
    counts.allocations++;
    return __libc_realloc(block, size);
}

// Not counted; here so that one allocator gives and takes.
void free(void *block) { __libc_free(block); }

void *memalign(size_t alignment, size_t size) {
    counts.allocations++;
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **block, size_t alignment, size_t size) {
    if (alignment == 0 || alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
    void *memory = memalign(alignment, size);
    if (!memory) return ENOMEM;
    *block = memory;
    return 0;
}

// The C library's own, looked up at the first call.
#define COUNTED(result, name, counter, parameters, arguments)               \
    result name parameters {                                                \
        static result(*real) parameters;                                    \
        if (!real) real = (result(*) parameters)dlsym(RTLD_NEXT, #name);    \
        counts.counter++;                                                   \
        return real arguments;                                              \
    }

COUNTED(ssize_t, recv, receives, (int s, void *b, size_t n, int f), (s, b, n, f))
COUNTED(ssize_t, send, sends, (int s, const void *b, size_t n, int f), (s, b, n, f))
COUNTED(int, epoll_wait, waits, (int e, struct epoll_event *v, int n, int t), (e, v, n, t))
COUNTED(int, epoll_ctl, others, (int e, int o, int s, struct epoll_event *v), (e, o, s, v))
COUNTED(int, accept4, others, (int s, struct sockaddr *a, socklen_t *l, int f), (s, a, l, f))
COUNTED(int, shutdown, others, (int s, int h), (s, h))
COUNTED(int, close, others, (int s), (s))
COUNTED(int, getsockname, others, (int s, struct sockaddr *a, socklen_t *l), (s, a, l))
COUNTED(int, getpeername, others, (int s, struct sockaddr *a, socklen_t *l), (s, a, l))
COUNTED(int, getsockopt, others, (int s, int l, int o, void *v, socklen_t *n), (s, l, o, v, n))
COUNTED(int, setsockopt, others, (int s, int l, int o, const void *v, socklen_t n), (s, l, o, v, n))

#else

bool call_counter_works(void) { return false; }

struct call_counts call_counts_of_this_thread(void) { return (struct call_counts){0}; }

#endif
