/* A group: loops on threads of their own.
 *
 *	brink_group *group;
 *	int rc = brink_group_create(&group, &(struct brink_group_options){.tag = "web"});
 *
 *	if (rc == 0)
 *		brink_socket_create(&id, brink_group_place(group, fd), &options);
 *	...
 *	brink_group_destroy(group);
 *
 * Its loops run from brink_group_create() until brink_group_stop(), with or without
 * anything started on them. What is to happen on a loop is posted to it
 * (brink_task_post()), or done in on_start. */
#ifndef BRINK_GROUP_H
#define BRINK_GROUP_H

#include <brink/base.h>
#include <brink/loop.h>

BRINK_BEGIN_DECLS

/* Which loop a descriptor goes to. All of them take the same few instructions and no lock. */
enum brink_placement {
	BRINK_PLACE_HASH,        /* a mixed hash of the descriptor's number: always the same loop */
	BRINK_PLACE_ROUND_ROBIN, /* each loop in turn */
	BRINK_PLACE_LEAST,       /* the one with the fewest sockets; of equal ones, in turn */
	BRINK_PLACE_CALL         /* what `place` says */
};

/* The index of the loop for `fd`, taken modulo the number of loops. Called by
 * brink_group_place(), on its thread, perhaps on several at a time. From a client (brink/client.h) `fd` is the
 * number of the connection, for there is no descriptor yet. */
typedef unsigned brink_place_fn(brink_group *group, int fd, void *arg);

/* Called on the thread of the loop at `index`. */
typedef void brink_group_fn(brink_loop *loop, unsigned index, void *arg);

#define BRINK_GROUP_PIN 1u /* thread i runs on processor i of those that the process may use */

/* All zero asks for the defaults. */
struct brink_group_options {
	/* For logs, and for the names of the threads (tag/index) where the system shows
	 * them, there cut to what fits. Copied. NULL: "loop". */
	const char *tag;
	unsigned loops;                 /* 0: one for each processor that the process may use */
	enum brink_placement placement; /* BRINK_PLACE_HASH */
	brink_place_fn *place;          /* with BRINK_PLACE_CALL, and only then */
	void *arg;                      /* of `place`, `on_start` and `on_stop` */
	/* Where the system has no such thing (it is on Linux, FreeBSD, NetBSD and DragonFly)
	 * or refuses, the group goes on without, and brink_group_description() says so. */
	unsigned flags;                 /* BRINK_GROUP_ */
	/* Before the loop runs, when it is certain that all of them will; `*group` is set.
	 * brink_group_create() returns after the last of these calls. May be NULL. */
	brink_group_fn *on_start;
	/* When the loop has been stopped, before its thread ends: what was started in
	 * on_start can be stopped here. All of the group's loops still exist. May be NULL. */
	brink_group_fn *on_stop;
	struct brink_loop_options loop; /* of each */
	void *reserved[4];              /* must be zero */
};

/* Starts the threads, each with a loop of its own, and returns when every loop runs, or, with
 * the error, when none does: then no thread is left and on_start was never called. `options`
 * may be NULL. The threads block all signals, so that these reach the program's own threads; a process
 * that is started on one inherits that, unless it is given another mask (posix_spawnattr_setsigmask(3)).
 *   -EINVAL   an option is out of range, or reserved memory is not zero
 *   -EAGAIN   no more threads
 *   other     as brink_loop_create() */
BRINK_API int brink_group_create(brink_group **group, const struct brink_group_options *options);

/* Stops the loops and waits for their threads, then destroys the loops: each as
 * brink_loop_destroy(), which see, and no other thread may then be in, or later make, a call
 * on the group or its loops. What is called last on one, such as an on_close, may post to
 * another: all of them exist until nothing is left on any. In a forked child, which has no such
 * threads, this does nothing. NULL is allowed.
 *   -EBUSY   called from one of the group's threads, or from what it calls itself: nothing happened */
BRINK_API int brink_group_destroy(brink_group *group);

/* Ends the turns of all loops, through their wakeup pipes; their threads call on_stop and
 * end. There is no way back. (brink_loop_stop() alone does not end a loop of a group, and it
 * needs no brink_loop_ref() to go on.) Does not wait. Any thread, and signal handlers
 * (async-signal-safe); keeps errno. */
BRINK_API void brink_group_stop(brink_group *group);

/* Waits until the threads have ended: until somebody calls brink_group_stop(). The loops
 * still exist. Any thread but the group's own; several may wait.
 *   -EBUSY   called from one of the group's threads */
BRINK_API int brink_group_join(brink_group *group);

/* The number of loops, and the loop at `index` (NULL if there are not so many). Any thread. */
BRINK_API unsigned brink_group_size(const brink_group *group);
BRINK_API brink_loop *brink_group_loop(const brink_group *group, unsigned index);

/* The loop for a new connection, by the group's placement. Wait-free but for `place`. Any
 * thread. */
BRINK_API brink_loop *brink_group_place(brink_group *group, int fd);

/* The tag, and a line for logs: how many loops, on which backend, placed how, and what could
 * not be had. They live as long as the group. Any thread. */
BRINK_API const char *brink_group_tag(const brink_group *group);
BRINK_API const char *brink_group_description(const brink_group *group);

BRINK_END_DECLS

#endif
