/* The groups of scenarios, in the order in which they run. */
#ifndef CONFORMANCE_GROUPS_H
#define CONFORMANCE_GROUPS_H

#include "conformance.h"

extern const struct group edge_group;     /* edge.c */
extern const struct group ticket_group;   /* ticket.c */
extern const struct group helper_group;   /* helper.c */
extern const struct group change_group;   /* change.c */
extern const struct group cost_group;     /* cost.c */
extern const struct group listener_group; /* listener.c */
extern const struct group level_group;    /* level.c */
extern const struct group end_group;      /* end.c */
extern const struct group reset_group;    /* reset.c: end/..., the peer is gone */
extern const struct group connect_group;  /* connect.c: end/..., before there is a stream */
extern const struct group removal_group;  /* removal.c */
extern const struct group batch_group;    /* batch.c: removal/..., by another's callback */
extern const struct group reuse_group;    /* reuse.c: removal/..., numbers used again */
extern const struct group lost_group;     /* lost.c: removal/..., closed without a stop */
extern const struct group owners_group;   /* owners.c: removal/..., reader and writer */
extern const struct group close_group;    /* close.c: removal/..., a close is prompt */
extern const struct group refused_group;  /* refused.c: removal/..., what is refused */
extern const struct group wait_group;     /* wait.c */
extern const struct group run_group;      /* running.c */
extern const struct group hook_group;     /* hook.c: the order of a turn */
extern const struct group task_group;     /* task.c */
extern const struct group signal_group;   /* signal.c */
extern const struct group process_group;  /* process.c: children */
extern const struct group fork_group;     /* fork.c */
extern const struct group timer_group;    /* timer.c */
extern const struct group thread_group;   /* thread.c */
extern const struct group embed_group;    /* embed.c */
extern const struct group backend_group;  /* backend.c: how one is chosen */
extern const struct group file_group;     /* file.c: other kinds of descriptors */
extern const struct group errors_group;   /* errors.c: bad input */
extern const struct group memory_group;   /* memory.c: without memory or descriptors */
extern const struct group chaos_group;    /* chaos.c */
extern const struct group model_group;    /* model.c */

#endif
