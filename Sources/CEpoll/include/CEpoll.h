// What Swift's view of the C library does not have: epoll, eventfd, and Linux's own socket calls.
//
// Every function answers the result, or the negative error number: nobody has to look at errno.
#ifndef CEPOLL_H
#define CEPOLL_H

#if defined(__linux__) && !defined(__ANDROID__)

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>

// The events, as numbers: what the header has are names of an enumeration.
static const uint32_t cepoll_in = EPOLLIN;
static const uint32_t cepoll_out = EPOLLOUT;
static const uint32_t cepoll_error = EPOLLERR;
static const uint32_t cepoll_hang_up = EPOLLHUP;
static const uint32_t cepoll_peer_ended = EPOLLRDHUP;
static const uint32_t cepoll_urgent = EPOLLPRI;
static const uint32_t cepoll_edge_triggered = EPOLLET;
// Wakes one of the loops that watch a descriptor, and not all of them.
static const uint32_t cepoll_exclusive = EPOLLEXCLUSIVE;

int cepoll_create(void);
int cepoll_add(int epoll, int descriptor, uint32_t events, uint64_t key);
int cepoll_modify(int epoll, int descriptor, uint32_t events, uint64_t key);
int cepoll_remove(int epoll, int descriptor);
int cepoll_wait(int epoll, struct epoll_event *events, int count, int milliseconds);

// An event counter that does not block, and one more event.
int cepoll_event_create(void);
int cepoll_event_signal(int descriptor);

// Sockets that do not block and do not survive an exec.
int cepoll_socket(int family);
int cepoll_accept(int listener, struct sockaddr_storage *peer, socklen_t *length);
int cepoll_connect(int descriptor, const struct sockaddr *address, socklen_t length);
int cepoll_bind(int descriptor, const struct sockaddr *address, socklen_t length);
int cepoll_listen(int descriptor, int backlog);
int cepoll_set_option(int descriptor, int level, int name, int value);
int cepoll_set_no_delay(int descriptor, int is_on);
// Closing the descriptor then resets the connection, whatever is unsent.
int cepoll_reset_on_close(int descriptor);
// The error that a socket has been waiting to tell; 0: none.
int cepoll_pending_error(int descriptor);
long cepoll_receive(int descriptor, void *bytes, unsigned long count);
// Without SIGPIPE.
long cepoll_send(int descriptor, const void *bytes, unsigned long count);
int cepoll_local_address(int descriptor, struct sockaddr_storage *address, socklen_t *length);
int cepoll_close_writing(int descriptor);
int cepoll_close(int descriptor);
// How many bytes the peer has acknowledged; 0 if the kernel does not tell.
uint64_t cepoll_acknowledged(int descriptor);
// How many bytes the kernel has taken and the peer has not acknowledged, the end of the stream among them.
long cepoll_unacknowledged(int descriptor);
// How many bytes have arrived and were not received.
long cepoll_unread(int descriptor);

void cepoll_name_thread(const char *name);

#endif
#endif
