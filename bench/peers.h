/* The peers, each in a file of its own: peer_*.c. */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include "bench.h"

extern const struct peer peer_epoll, peer_poll, peer_io_uring;
extern const struct peer peer_brink_watch, peer_brink_socket;
extern const struct peer peer_libev, peer_libevent, peer_bufferevent, peer_libuv, peer_libuv_write;
extern const struct peer peer_brink_http, peer_epoll_http, peer_evhttp, peer_libuv_http, peer_cheat_http;
extern const struct peer peer_mutex, peer_double_buffer, peer_cheat;

/* What they do beside serving: timer_*.c, job_*.c, write_*.c. */
extern const struct timer_work brink_timers, libev_timers, libuv_timers, libevent_timers;
extern const struct job_work brink_jobs, libev_jobs, libuv_jobs, libevent_jobs;
extern const struct write_work brink_writes, mutex_writes, double_buffer_writes, libuv_writes, bufferevent_writes;

#endif
