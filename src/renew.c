/* A new dispatcher in place of the old one: after a fork, when a mechanism is bound to
 * the thread that it was first used by, or when a registration was left behind that
 * cannot be removed. */
#include "config.h"

#include "loop.h"
#include "socket.h"

#include <errno.h>

unsigned brink__forks;

static int add_again(brink_loop *loop, struct brink__dispatcher *to, struct brink__slot *slot)
{
	int fd = brink__token_fd(slot->token), result;

	slot->mark = 0;
	slot->armed = 0;
	result = loop->ops->add(to, slot);
	if (result != -EBADF && result != -EPERM)
		return result;
	/* Closed without a stop: there is nothing to report for it any more. */
	brink__watch_abandon(loop, slot);
	brink__log(BRINK_LOG_ERROR, "descriptor %d was closed while it was watched", fd);
	return 0;
}

static int add_all(brink_loop *loop, struct brink__dispatcher *to)
{
	int result = 0;

	for (uint32_t page = 0; page < loop->table.page_count; page++) {
		struct brink__slot *slots = loop->table.pages[page];

		for (uint32_t i = 0; slots != NULL && i < BRINK__TABLE_PAGE && result == 0; i++)
			if (slots[i].token != 0)
				result = add_again(loop, to, &slots[i]);
	}
	return result;
}

static int open_one(brink_loop *loop, struct brink__dispatcher **made)
{
	struct brink__dispatcher_options options = brink__loop_dispatcher_options(loop);
	int result = loop->ops->open(made, &options);

	if (result < 0 || loop->host_fd < 0)
		return result;
	result = loop->ops->fd(*made);
	if (result < 0)
		loop->ops->close(*made);
	return result;
}

/* A host tells another descriptor by its number. So the new one is made while the old is
 * still open: made later it would get the same number, and the host never watch it. And
 * where the number that the host was told became free by an earlier renewal, of which the
 * host knows nothing yet, the one that got it only keeps it until there is another. */
static int open_another(brink_loop *loop, struct brink__dispatcher **made)
{
	struct brink__dispatcher *keeper;
	int result = open_one(loop, made);

	if (result >= 0 && loop->host_fd >= 0 && result == loop->host_fd) {
		keeper = *made;
		result = open_one(loop, made);
		loop->ops->close(keeper);
	}
	return result < 0 ? result : 0;
}

int brink__loop_renew(brink_loop *loop)
{
	struct brink__dispatcher *made;
	int result = open_another(loop, &made);

	if (result < 0)
		return result;
	/* The old one goes first: its close may look at the slots. */
	if (loop->dispatcher != NULL)
		loop->ops->close(loop->dispatcher);
	loop->dispatcher = made;
	brink__loop_note_features(loop);
	loop->renew = true; /* until all of them are in it */
	result = add_all(loop, made);
	loop->incomplete = result < 0;
	if (result == 0)
		loop->renew = false;
	return result;
}

/* ---- fork ---- */

static void before(void)
{
	brink__loops_before_fork();
	brink__signals_before_fork();
	brink__slots_before_fork();
}

static void in_parent(void)
{
	brink__slots_after_fork();
	brink__signals_in_parent();
}

static void in_child(void)
{
	brink__forks++;
	brink__slots_after_fork();
	brink__signals_in_child();
}

static int watch_result;

static void watch_forks(void)
{
	watch_result = -pthread_atfork(before, in_parent, in_child);
}

int brink__forks_watch(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, watch_forks);
	return watch_result;
}

int brink_loop_after_fork(brink_loop *loop)
{
	int result;

	brink__tasks_after_fork(loop);
	brink__children_end(loop);
	loop->inside = brink__loop_is_inside(loop);
	atomic_store(&loop->thread, brink__os_thread());
	/* The threads that these tell of are the parent's. */
	atomic_store(&loop->turning, loop->inside ? brink__os_thread() : 0);
	atomic_store(&loop->visitors, 0);
	result = brink__wakeup_after_fork(loop);
	if (result == 0)
		result = brink__loop_renew(loop);
	if (result < 0)
		return result;
	/* Not before: until then the kernel's object may be the parent's, or hold some of the
	 * slots only, and whoever stops a watch must leave it alone. */
	loop->forks = brink__forks;
	/* A signal handler that came before that has raised the flag without a byte. */
	if (atomic_exchange(&loop->wakeup_pending, false))
		brink__wakeup(loop);
	return brink__signals_after_fork(loop);
}
