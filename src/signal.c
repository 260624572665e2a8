/* Signals as callbacks.
 *
 * A signal's handler is process-wide, so who wants which signal must be, too: this
 * registry is the only state of its kind. The handler can interrupt anything on any
 * thread, so it reads an array that is never changed, only replaced; the old one is
 * freed when no handler runs any more. All that it does is to set a bit in the loops
 * concerned and to wake them. */
#include "config.h"

#include "loop.h"
#include "memory.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define NUMBERS (BRINK__SIGNAL_WORDS * 64)
enum { INFO = SA_SIGINFO }; /* an int as sa_flags is: musl's is unsigned on some processors */

struct entry {
	brink_loop *loop;
	int number;
	unsigned watchers; /* brink_signals of this loop for this number */
	_Atomic pid_t pid; /* the process that the loop works in; 0: this entry is over */
};

struct registry {
	size_t count;
	struct entry entries[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* held to replace the registry */
static _Atomic(struct registry *) registry;
static atomic_uint handlers; /* that are running */
/* Others may put a handler above ours that calls ours in turn. Then ours cannot be taken
 * out, and what it calls must stay as it is; to be above again, there is a second one. When
 * both are below others we are called by them, or not at all; when nobody is called, the second one takes its place
 * again. */
#define LAYERS 2
static struct sigaction before[LAYERS][NUMBERS]; /* what each of ours calls in turn */
static unsigned char layers[NUMBERS];            /* how many of ours are in place */
static _Atomic(void *) told_above[NUMBERS];      /* the context of what the upper one has told, while it calls others */

/* ---- in the handler ---- */

/* First the bit, then the flag; brink__signals_run() takes them the other way round. */
static void signal_arrive(brink_loop *loop, int number)
{
	atomic_fetch_or(&loop->arrived[number / 64], UINT64_C(1) << (number % 64));
	atomic_store(&loop->signalled, true);
}

/* Also with SA_SIGINFO. */
static bool calls_nobody(const struct sigaction *action)
{
	return action->sa_handler == SIG_DFL || action->sa_handler == SIG_IGN;
}

static void chain(int layer, int number, siginfo_t *info, void *context)
{
	const struct sigaction *action = &before[layer][number];

	if (calls_nobody(action))
		return;
	if (action->sa_flags & INFO)
		action->sa_sigaction(number, info, context);
	else
		action->sa_handler(number);
}

typedef void handler_fn(int, siginfo_t *, void *);
static handler_fn on_signal, on_signal_above;
static handler_fn *const ours[LAYERS] = {on_signal, on_signal_above};

/* Which of ours is called first, or -1. Others may also have taken one out, by putting back what they found. */
static int ours_on_top(int number)
{
	struct sigaction current;

	if (sigaction(number, NULL, &current) < 0 || !(current.sa_flags & INFO))
		return -1;
	for (int layer = 0; layer < LAYERS; layer++)
		if (current.sa_sigaction == ours[layer])
			return layer;
	return -1;
}

static void tell_loops(int number)
{
	pid_t pid = getpid();
	struct registry *current;

	atomic_fetch_add(&handlers, 1);
	current = atomic_load(&registry);
	for (size_t i = 0; current != NULL && i < current->count; i++) {
		struct entry *entry = &current->entries[i];

		/* Between fork and exec the loop's memory is a copy and its pipe the parent's. */
		if (entry->number != number || entry->pid != pid)
			continue;
		signal_arrive(entry->loop, number);
		brink__wakeup(entry->loop);
	}
	atomic_fetch_sub(&handlers, 1);
}

/* Where the one above was called first it has told already, and a loop may have taken that for an arrival: where it is
 * on top, and where it notes that it has this very signal, which others have handed to it. */
static bool is_told(int layer, int number, const void *context)
{
	if (ours_on_top(number) > layer)
		return true;
	return layer == 0 && context != NULL && atomic_load(&told_above[number]) == context;
}

static void handle(int layer, int number, siginfo_t *info, void *context)
{
	void *noted = context;
	int error = errno;

	if (!is_told(layer, number, context))
		tell_loops(number);
	if (layer > 0)
		atomic_store(&told_above[number], context);
	chain(layer, number, info, context);
	if (layer > 0)
		atomic_compare_exchange_strong(&told_above[number], &noted, NULL);
	errno = error;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
	handle(0, number, info, context);
}

static void on_signal_above(int number, siginfo_t *info, void *context)
{
	handle(1, number, info, context);
}

/* ---- the registry; the lock is held ---- */

/* A copy of the entries that are in use, with room for more. */
static struct registry *copy(size_t room)
{
	struct registry *current = atomic_load(&registry);
	size_t count = current != NULL ? current->count : 0;
	struct registry *made = brink__resize(NULL, 1, sizeof *made + (count + room) * sizeof made->entries[0]);

	if (made == NULL)
		return NULL;
	made->count = 0;
	for (size_t i = 0; i < count; i++)
		if (current->entries[i].watchers != 0)
			made->entries[made->count++] = current->entries[i];
	return made;
}

/* Until no handler can be using what it read before. One that interrupts this thread has
 * ended before this goes on. */
static void await_handlers(void)
{
	while (atomic_load(&handlers) != 0)
		sched_yield();
}

/* Puts `next` in place and frees what was there. */
static void replace(struct registry *next)
{
	struct registry *old = atomic_exchange(&registry, next);

	await_handlers();
	brink__free(old);
}

static struct entry *find(struct registry *in, const brink_loop *loop, int number)
{
	for (size_t i = 0; in != NULL && i < in->count; i++)
		if (in->entries[i].number == number && in->entries[i].loop == loop)
			return &in->entries[i];
	return NULL;
}

static bool in_use(const struct registry *in, int number)
{
	for (size_t i = 0; i < in->count; i++)
		if (in->entries[i].watchers != 0 && (number == 0 || in->entries[i].number == number))
			return true;
	return false;
}

/* Then nobody calls one of ours, wherever it is. */
static bool is_nobodys(int number)
{
	struct sigaction current;

	return sigaction(number, NULL, &current) == 0 && calls_nobody(&current);
}

static int install(int number)
{
	struct sigaction action;
	int top = ours_on_top(number), layer = top < 0 ? layers[number] : top + 1;

	if (layer == LAYERS && is_nobodys(number))
		layer--;
	layers[number] = (unsigned char)layer;
	if (top >= 0 || layer == LAYERS)
		return 0;
	memset(&action, 0, sizeof action);
	action.sa_sigaction = ours[layer];
	action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
	sigfillset(&action.sa_mask);
	/* The handler may run before sigaction() has returned: what it chains to comes first. */
	if (sigaction(number, NULL, &before[layer][number]) < 0 || sigaction(number, &action, NULL) < 0)
		return -errno;
	layers[number]++;
	return 0;
}

/* Somebody else's handler that was put above ours stays, and what is below it. */
static void uninstall(int number)
{
	int top = ours_on_top(number);

	if (top >= 0 && sigaction(number, &before[top][number], NULL) == 0)
		layers[number] = (unsigned char)top;
}

static int add(brink_loop *loop, int number)
{
	struct registry *next;
	struct entry *entry = find(atomic_load(&registry), loop, number);
	int result = 0;

	if (entry != NULL && entry->watchers != 0) {
		entry->watchers++; /* the handler does not look at it */
		return 0;
	}
	next = copy(1);
	if (next == NULL)
		return -ENOMEM;
	if (!in_use(next, number))
		result = install(number);
	if (result < 0) {
		brink__free(next);
		return result;
	}
	/* What arrived for an earlier watcher is no news to this one. */
	atomic_fetch_and(&loop->arrived[number / 64], ~(UINT64_C(1) << (number % 64)));
	next->entries[next->count++] = (struct entry){loop, number, 1, getpid()};
	replace(next);
	return 0;
}

/* The entry has no watchers any more. */
static void drop(struct entry *entry)
{
	struct registry *current = atomic_load(&registry), *next;
	int number = entry->number;

	if (!in_use(current, number))
		uninstall(number);
	if (!in_use(current, 0)) {
		replace(NULL);
		return;
	}
	next = copy(0);
	if (next != NULL) {
		replace(next);
		return;
	}
	/* Without memory for the smaller copy the entry stays until the next one, and only
	 * stops meaning anything. */
	entry->pid = 0;
	await_handlers();
}

/* ---- the public side ---- */

static brink_signal *signal_at(struct brink_list *node)
{
	return brink_container_of(node, brink_signal, node);
}

void brink_signal_init(brink_signal *signal, brink_signal_fn *call)
{
	memset(signal, 0, sizeof *signal);
	signal->call = call;
}

int brink_signal_start(brink_loop *loop, brink_signal *signal, int number)
{
	int result;

	if (signal->call == NULL || number <= 0 || number >= NUMBERS)
		return -EINVAL;
	if (signal->node.next != NULL)
		return -EEXIST;
	pthread_mutex_lock(&lock);
	result = add(loop, number);
	pthread_mutex_unlock(&lock);
	if (result < 0)
		return result;
	signal->loop = loop;
	signal->number = number;
	brink__list_append(&loop->signals, &signal->node);
	loop->references++;
	return 0;
}

int brink_signal_stop(brink_signal *signal)
{
	struct entry *entry;

	if (signal->node.next == NULL)
		return -ENOENT;
	brink__list_remove(&signal->node);
	signal->loop->references--;
	pthread_mutex_lock(&lock);
	entry = find(atomic_load(&registry), signal->loop, signal->number);
	if (entry != NULL && --entry->watchers == 0)
		drop(entry);
	pthread_mutex_unlock(&lock);
	return 0;
}

unsigned brink__signals_run(brink_loop *loop)
{
	uint64_t arrived[BRINK__SIGNAL_WORDS];
	struct brink_list pass, *node;
	bool look = loop->child_look;
	unsigned calls = 0;

	atomic_store(&loop->signalled, false);
	loop->child_look = false;
	for (int i = 0; i < BRINK__SIGNAL_WORDS; i++)
		arrived[i] = atomic_exchange(&loop->arrived[i], 0);
	brink__list_take(&pass, &loop->signals);
	while ((node = brink__list_step(&pass, &loop->signals)) != NULL) {
		brink_signal *signal = signal_at(node);

		if ((arrived[signal->number / 64] >> (signal->number % 64) & 1) == 0 &&
		    !(look && signal == &loop->child_signal))
			continue;
		brink__trace(loop, BRINK_TRACE_SIGNAL, -1, 0, signal, signal->number);
		signal->call(signal);
		calls++;
	}
	return calls;
}

void brink__signals_end(brink_loop *loop)
{
	while (!brink__list_empty(&loop->signals))
		brink_signal_stop(signal_at(loop->signals.next));
}

/* ---- fork ---- */

int brink__signals_after_fork(brink_loop *loop)
{
	struct registry *next;

	atomic_store(&loop->signalled, false);
	for (int i = 0; i < BRINK__SIGNAL_WORDS; i++)
		atomic_store(&loop->arrived[i], 0);
	pthread_mutex_lock(&lock);
	next = atomic_load(&registry) != NULL ? copy(0) : NULL;
	if (next != NULL) {
		for (size_t i = 0; i < next->count; i++)
			if (next->entries[i].loop == loop)
				next->entries[i].pid = getpid();
		replace(next);
	}
	pthread_mutex_unlock(&lock);
	return next == NULL && atomic_load(&registry) != NULL ? -ENOMEM : 0;
}

void brink__signals_before_fork(void)
{
	pthread_mutex_lock(&lock);
}

void brink__signals_in_parent(void)
{
	pthread_mutex_unlock(&lock);
}

void brink__signals_in_child(void)
{
	/* Handlers that ran on the parent's other threads do not exist here. */
	atomic_store(&handlers, 0);
	pthread_mutex_unlock(&lock);
}
