/* What file.c and file_linux.c have of each other. */
#ifndef CONFORMANCE_FILE_H
#define CONFORMANCE_FILE_H

#include "conformance.h"

/* A read gives one packet: a short one does not mean that it was the last. */
void expect_packets(brink_loop *loop, struct probe *reader, int peer);

/* The scenarios of file_linux.c. Elsewhere than on Linux they are skips. */
scenario_fn eventfd_counts, eventfd_semaphore, timerfd_ticks, packet_pipe, udp_error_queue, nested_epoll;

#endif
