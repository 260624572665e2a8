/* Lookups: whose turn it is, how long they may take, and their calls.
 *
 *   waiting    until fewer than `parallel` are asked for
 *   asked      who answers has it
 *   answered   its lookup's timer calls in the next turn
 *
 * One timer of the lookup does both: its time is over, or there is an answer. So all calls come
 * from the loop, none from a start, and an answer that is there needs nothing that could fail.
 * Who cancels while somebody is asked, or is out of time, takes the lookup off its query,
 * which is dropped when it is answered. */
#include "config.h"

#include "memory.h"
#include "resolver.h"

#include <errno.h>

struct brink_resolver {
	brink_loop *loop;
	struct brink__names *names;
	struct brink_list waiting, asked, answered; /* of queries */
	unsigned parallel, running;
	size_t most, queued;
	uint64_t timeout;
	bool serving;
	bool ended;
	atomic_uint references; /* until it is destroyed, and those of sockets */
	unsigned forks; /* brink__forks when it was made */
};

static struct brink__query *first_of(struct brink_list *list)
{
	return brink_container_of(list->next, struct brink__query, node);
}

/* ---- whose turn it is ---- */

static void ask_first(brink_resolver *resolver)
{
	struct brink__query *query = first_of(&resolver->waiting);
	int result;

	brink__list_remove(&query->node);
	resolver->queued--;
	query->state = BRINK__QUERY_ASKED;
	brink__list_append(&resolver->asked, &query->node);
	resolver->running++;
	result = brink__names_ask(resolver->names, query);
	if (result < 0) {
		query->error = result;
		brink__resolver_answered(query);
	}
}

/* Answers that come from the asking itself find it busy here, and their room is used by the loop. */
static void serve(brink_resolver *resolver)
{
	if (resolver->serving)
		return;
	resolver->serving = true;
	while (resolver->running < resolver->parallel && !brink__list_empty(&resolver->waiting))
		ask_first(resolver);
	resolver->serving = false;
}

static void set_answered(brink_resolver *resolver, struct brink__query *query)
{
	query->state = BRINK__QUERY_ANSWERED;
	brink__list_append(&resolver->answered, &query->node);
	/* It has a callback and this loop's thread has it: it cannot fail. */
	brink_timer_start(resolver->loop, &query->lookup->timer, 0, 0);
}

void brink__resolver_answered(struct brink__query *query)
{
	brink_resolver *resolver = query->resolver;

	resolver->running--;
	brink__list_remove(&query->node);
	if (query->lookup != NULL)
		set_answered(resolver, query);
	else
		brink__query_free(query);
	serve(resolver);
}

/* ---- the end of a lookup ---- */

/* Takes `lookup` off its query, which is returned if it is to be freed; else NULL. */
static struct brink__query *part(brink_lookup *lookup)
{
	struct brink__query *query = lookup->query;
	brink_resolver *resolver = query->resolver;

	brink_timer_stop(&lookup->timer);
	lookup->query = NULL;
	query->lookup = NULL;
	if (query->state == BRINK__QUERY_ASKED)
		return NULL;
	if (query->state == BRINK__QUERY_WAITS)
		resolver->queued--;
	brink__list_remove(&query->node);
	return query;
}

static void end(brink_lookup *lookup, int error)
{
	struct brink__query *query = part(lookup);

	lookup->addresses = error == 0 ? query->addresses : NULL;
	lookup->count = error == 0 ? query->count : 0;
	lookup->call(lookup, error);
	brink__query_free(query);
}

static void on_timer(brink_timer *timer)
{
	brink_lookup *lookup = brink_container_of(timer, brink_lookup, timer);
	struct brink__query *query = lookup->query;

	/* If the loop was held up, it has not heard so far of an answer that came in time: another turn, and it has. */
	if (query->state != BRINK__QUERY_ANSWERED && !query->overdue) {
		query->overdue = true;
		brink_timer_start(query->resolver->loop, timer, 0, 0);
		return;
	}
	end(lookup, query->state == BRINK__QUERY_ANSWERED ? query->error : -ETIMEDOUT);
}

int brink_lookup_cancel(brink_lookup *lookup)
{
	if (lookup->query == NULL)
		return -ENOENT;
	brink__query_free(part(lookup));
	return 0;
}

/* ---- the beginning of one ---- */

static void begin(brink_resolver *resolver, brink_lookup *lookup, struct brink__query *query)
{
	lookup->query = query;
	query->lookup = lookup;
	query->resolver = resolver;
	brink_timer_init(&lookup->timer, on_timer);
}

int brink_lookup_start(brink_resolver *resolver, brink_lookup *lookup, const char *name)
{
	struct brink__query *query;
	int result;

	if (lookup->call == NULL || name == NULL)
		return -EINVAL;
	if (lookup->query != NULL)
		return -EEXIST;
	if (resolver->ended || resolver->forks != brink__forks)
		return -ECANCELED;
	result = brink__query_create(&query, name, lookup->family);
	if (result < 0)
		return result;
	if (result == 0 && resolver->running >= resolver->parallel && resolver->queued == resolver->most) {
		brink__query_free(query);
		return -EAGAIN;
	}
	begin(resolver, lookup, query);
	if (result == 1) {
		set_answered(resolver, query);
		return 0;
	}
	brink_timer_start(resolver->loop, &lookup->timer, lookup->timeout != 0 ? lookup->timeout : resolver->timeout, 0);
	brink__list_append(&resolver->waiting, &query->node);
	resolver->queued++;
	serve(resolver);
	return 0;
}

/* ---- the resolver ---- */

static void take_options(brink_resolver *resolver, const struct brink_resolver_options *options)
{
	resolver->parallel = options->parallel != 0 ? options->parallel : 4;
	resolver->most = options->waiting != 0 ? options->waiting : 1024;
	resolver->timeout = options->timeout != 0 ? options->timeout : BRINK_SECONDS(30);
	resolver->forks = brink__forks;
	brink__list_init(&resolver->waiting);
	brink__list_init(&resolver->asked);
	brink__list_init(&resolver->answered);
}

int brink_resolver_create(brink_resolver **created, brink_loop *loop, const struct brink_resolver_options *options)
{
	static const struct brink_resolver_options defaults;
	brink_resolver *resolver;
	int result;

	if (options == NULL)
		options = &defaults;
	if (loop == NULL)
		return -EINVAL;
	for (size_t i = 0; i < sizeof options->reserved / sizeof options->reserved[0]; i++)
		if (options->reserved[i] != NULL)
			return -EINVAL;
	resolver = brink__allocate(1, sizeof *resolver);
	if (resolver == NULL)
		return -ENOMEM;
	resolver->loop = loop;
	atomic_init(&resolver->references, 1);
	take_options(resolver, options);
	result = brink__names_open(&resolver->names, loop, options);
	if (result < 0)
		brink__free(resolver);
	else
		*created = resolver;
	return result;
}

/* Those that are asked for stay with who answers. In a forked child nobody is called. */
static void end_all(brink_resolver *resolver, struct brink_list *list)
{
	struct brink_list pass, *node;

	brink__list_take(&pass, list);
	while ((node = brink__list_step(&pass, list)) != NULL) {
		brink_lookup *lookup = brink_container_of(node, struct brink__query, node)->lookup;

		if (lookup != NULL && resolver->forks == brink__forks)
			end(lookup, -ECANCELED);
		else if (lookup != NULL)
			brink_lookup_cancel(lookup);
	}
}

void brink_resolver_destroy(brink_resolver *resolver)
{
	if (resolver == NULL)
		return;
	resolver->ended = true;
	end_all(resolver, &resolver->waiting);
	end_all(resolver, &resolver->answered);
	end_all(resolver, &resolver->asked);
	brink__names_close(resolver->names, &resolver->asked);
	brink__resolver_drop(resolver);
}

void brink__resolver_hold(brink_resolver *resolver)
{
	atomic_fetch_add(&resolver->references, 1);
}

void brink__resolver_drop(brink_resolver *resolver)
{
	if (atomic_fetch_sub(&resolver->references, 1) == 1)
		brink__free(resolver);
}

brink_loop *brink__resolver_loop(const brink_resolver *resolver)
{
	return resolver->loop;
}

int brink__loop_resolver(brink_loop *loop, brink_resolver **resolver)
{
	int result = 0;

	/* After a fork the threads are the parent's. */
	if (loop->resolver != NULL && loop->resolver->forks != brink__forks) {
		brink_resolver_destroy(loop->resolver);
		loop->resolver = NULL;
	}
	if (loop->resolver == NULL)
		result = brink_resolver_create(&loop->resolver, loop, NULL);
	*resolver = loop->resolver;
	return result;
}
