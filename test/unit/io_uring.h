/* What the files of the io_uring tests share. */
#ifndef UNIT_IO_URING_H
#define UNIT_IO_URING_H

#include "dispatcher.h"

#include <stdbool.h>
#include <stdint.h>

#define MILLISECOND ((int64_t)1000000)
#define LONG (60000 * MILLISECOND) /* only a hang takes this long */
#define MANY 100

extern const struct brink__dispatcher_ops *const ops;
extern struct brink__table descriptors;
extern struct brink__dispatcher *ring;
extern unsigned entries; /* of the ring that the current test has */
extern int failures;     /* of the current test */
extern bool renew;

#define CHECK(condition) check((condition), #condition, __FILE__, __LINE__)

void check(bool good, const char *what, const char *file, int line);

/* ---- the kernel, as it or an older one would answer ---- */

extern unsigned refused_flags; /* setup flags that are unknown */
extern unsigned lacked_features;
extern int refusal;       /* what every setup is answered */
extern int enter_answer;  /* what the next enter without a wait is answered, once, after it was made */
extern int enter_refusal; /* what all are answered that are not made */
extern bool enter_drops;  /* the next enter without a wait, for want of memory: all that has completed */

/* ---- what the loop would do ---- */

extern unsigned receive_buffers; /* of the next ring */

int open_ring(unsigned count);
struct brink__slot *add(int fd, unsigned directions, bool level);
void drop(struct brink__slot *slot);
int64_t now(void);
int await(struct brink__event *events, int capacity, int64_t timeout);
unsigned report(struct brink__slot *slot);
bool silent(void);
void tcp_pair(int pair[2]);
bool at_end(int fd);
void put(int fd);
void get(int fd);

/* ---- the tests ---- */

void reports_once_and_looks_at_the_level(void);
void directions_are_independent(void);
void level_repeats_and_can_be_taken_away(void);
void more_than_the_queues_hold(void);
void level_slots_starve_nobody(void);
void readiness_that_is_over_is_no_event(void);
void writer_to_a_half_closed_peer(void);

void removal_lets_go_of_the_file(void);
void removal_lets_go_in_a_crowd(void);
void removal_races_with_completion(void);
void stale_completions_are_dropped(void);
void closed_without_removal_is_contained(void);
void what_was_removed_is_not_sent(void);
void what_was_sent_is_known(void);
void closing_lets_go_of_all_files(void);

void timeouts_and_signals(void);
void host_polls_the_descriptor(void);
void kernel_without_memory(void);
void stream_whose_answer_is_dropped(void);
void buffers_run_out(void);
void disarmed_receives_no_more(void);
void what_was_moved_is_reported(void);
void rests_and_goes_on(void);
void changes_hands_only_before_it_runs(void);
void forked_child_does_not_disturb(void);

#endif
