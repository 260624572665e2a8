/* The peers, each in a file of its own: peer_*.c. */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include "bench.h"

extern const struct peer peer_epoll, peer_poll, peer_io_uring;
extern const struct peer peer_brink_watch, peer_brink_socket;
extern const struct peer peer_libev, peer_libevent, peer_bufferevent, peer_libuv, peer_libuv_write;
extern const struct peer peer_mutex, peer_double_buffer, peer_cheat;

#endif
