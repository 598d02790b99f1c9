#if defined(__linux__) && !defined(__ANDROID__)

#define _GNU_SOURCE
#include "CEpoll.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int result(int value) { return value < 0 ? -errno : value; }

int cepoll_create(void) { return result(epoll_create1(EPOLL_CLOEXEC)); }

static int control(int epoll, int operation, int descriptor, uint32_t events, uint64_t key) {
    struct epoll_event event = {.events = events, .data = {.u64 = key}};
    return result(epoll_ctl(epoll, operation, descriptor, &event));
}

int cepoll_add(int epoll, int descriptor, uint32_t events, uint64_t key) {
    return control(epoll, EPOLL_CTL_ADD, descriptor, events, key);
}

int cepoll_modify(int epoll, int descriptor, uint32_t events, uint64_t key) {
    return control(epoll, EPOLL_CTL_MOD, descriptor, events, key);
}

int cepoll_remove(int epoll, int descriptor) { return control(epoll, EPOLL_CTL_DEL, descriptor, 0, 0); }

int cepoll_wait(int epoll, struct epoll_event *events, int count, int milliseconds) {
    return result(epoll_wait(epoll, events, count, milliseconds));
}

int cepoll_event_create(void) { return result(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)); }

int cepoll_event_signal(int descriptor) {
    uint64_t one = 1;
    return result((int)write(descriptor, &one, sizeof one));
}

int cepoll_socket(int family) { return result(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)); }

int cepoll_accept(int listener, struct sockaddr_storage *peer, socklen_t *length) {
    return result(accept4(listener, (struct sockaddr *)peer, length, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

int cepoll_connect(int descriptor, const struct sockaddr *address, socklen_t length) {
    return result(connect(descriptor, address, length));
}

int cepoll_bind(int descriptor, const struct sockaddr *address, socklen_t length) {
    return result(bind(descriptor, address, length));
}

int cepoll_listen(int descriptor, int backlog) { return result(listen(descriptor, backlog)); }

int cepoll_set_option(int descriptor, int level, int name, int value) {
    return result(setsockopt(descriptor, level, name, &value, sizeof value));
}

int cepoll_set_no_delay(int descriptor, int is_on) {
    return cepoll_set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, is_on);
}

int cepoll_reset_on_close(int descriptor) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    return setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) < 0 ? -errno : 0;
}

int cepoll_pending_error(int descriptor) {
    int error = 0;
    socklen_t length = sizeof error;
    return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length) < 0 ? errno : error;
}

long cepoll_receive(int descriptor, void *bytes, unsigned long count) {
    long received = recv(descriptor, bytes, count, 0);
    return received < 0 ? -errno : received;
}

long cepoll_send(int descriptor, const void *bytes, unsigned long count) {
    long sent = send(descriptor, bytes, count, MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

int cepoll_local_address(int descriptor, struct sockaddr_storage *address, socklen_t *length) {
    return result(getsockname(descriptor, (struct sockaddr *)address, length));
}

int cepoll_close_writing(int descriptor) { return result(shutdown(descriptor, SHUT_WR)); }

int cepoll_close(int descriptor) { return result(close(descriptor)); }

uint64_t cepoll_acknowledged(int descriptor) {
    struct tcp_info information = {0};
    socklen_t length = sizeof information;
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &information, &length) < 0) return 0;
    // Older kernels fill in less.
    return length >= offsetof(struct tcp_info, tcpi_bytes_acked) + 8 ? information.tcpi_bytes_acked : 0;
}

long cepoll_unacknowledged(int descriptor) {
    int count = 0;
    return ioctl(descriptor, SIOCOUTQ, &count) < 0 ? -errno : count;
}

long cepoll_unread(int descriptor) {
    int count = 0;
    return ioctl(descriptor, FIONREAD, &count) < 0 ? -errno : count;
}

void cepoll_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

#endif
