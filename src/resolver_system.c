/* Asks getaddrinfo(3), which may block for long and cannot be interrupted: on threads.
 *
 * A thread that is in there may come back when the resolver, its loop and the program's interest
 * are long gone. So what it touches then is counted by who uses it, and whether there still
 * is a loop to tell is decided under a lock: in it the loop is told, or the query dropped. */
#include "config.h"

#include "executor.h"
#include "memory.h"
#include "resolver.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

struct brink__names {
	brink_executor *executor; /* NULL before the first query. Of the loop's thread, as is: */
	unsigned parallel;
	unsigned forks; /* brink__forks when it was made */
	brink_task task; /* `done` is not empty; posted, if so */
	pthread_mutex_t lock; /* of what follows */
	brink_loop *loop;       /* NULL: closed */
	struct brink_list done; /* of queries */
	unsigned users; /* the resolver, and threads that are asked */
};

/* ---- on a thread ---- */

/* Not all systems have all of them, and some give two the same number. */
#ifndef EAI_NODATA
#define EAI_NODATA EAI_NONAME
#endif
#ifndef EAI_ADDRFAMILY
#define EAI_ADDRFAMILY EAI_NONAME
#endif

static int error_of(int answer, int system)
{
	static const struct {
		int answer, error;
	} errors[] = {
		{0, 0},
		{EAI_NONAME, -BRINK_ENONAME},
		{EAI_NODATA, -BRINK_ENOADDRESS},
		{EAI_ADDRFAMILY, -BRINK_ENOADDRESS},
		{EAI_AGAIN, -BRINK_ENAMEAGAIN},
		{EAI_SERVICE, -BRINK_ENOSERVICE},
		{EAI_MEMORY, -ENOMEM},
		{EAI_FAMILY, -EAFNOSUPPORT},
	};

	if (answer == EAI_SYSTEM && system > 0)
		return -system;
	for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
		if (errors[i].answer == answer)
			return errors[i].error;
	return -BRINK_ENAMEFAILED;
}

static int take_all(struct brink__query *query, const struct addrinfo *list)
{
	size_t count = 0;
	int result;

	for (const struct addrinfo *entry = list; entry != NULL; entry = entry->ai_next)
		count++;
	result = count > 0 ? brink__query_reserve(query, count) : -BRINK_ENOADDRESS;
	if (result < 0)
		return result;
	for (const struct addrinfo *entry = list; entry != NULL; entry = entry->ai_next)
		brink__query_add(query, entry->ai_addr, entry->ai_addrlen);
	return query->count > 0 ? 0 : -BRINK_ENOADDRESS;
}

/* Without AI_ADDRCONFIG, which may take ::1 from "localhost" where only the loopback interface has
 * IPv6; an address that no route leads to is at the end of the list, and refused at once. */
static void ask_system(struct brink__query *query)
{
	struct addrinfo hints, *list = NULL;
	int answer;

	memset(&hints, 0, sizeof hints);
	hints.ai_family = query->family;
	hints.ai_socktype = SOCK_STREAM;
	errno = 0;
	answer = getaddrinfo(query->host, query->service, &hints, &list);
	query->error = error_of(answer, errno);
	if (answer != 0)
		return;
	query->error = take_all(query, list);
	if (list != NULL)
		freeaddrinfo(list);
}

static void free_names(struct brink__names *names)
{
	pthread_mutex_destroy(&names->lock);
	brink__free(names);
}

static void on_thread(brink_task *task)
{
	struct brink__query *query = brink_container_of(task, struct brink__query, task);
	struct brink__names *names = query->names;
	bool last, wanted;

	ask_system(query);
	pthread_mutex_lock(&names->lock);
	wanted = names->loop != NULL;
	if (wanted) {
		if (brink__list_empty(&names->done))
			brink_task_post(names->loop, &names->task);
		brink__list_append(&names->done, &query->done);
	}
	last = --names->users == 0;
	pthread_mutex_unlock(&names->lock);
	if (!wanted)
		brink__query_free(query);
	if (last)
		free_names(names);
}

/* ---- on the loop ---- */

static struct brink__query *next_of(struct brink_list *done)
{
	struct brink_list *first = done->next;

	if (brink__list_empty(done))
		return NULL;
	brink__list_remove(first);
	return brink_container_of(first, struct brink__query, done);
}

static void on_done(brink_task *task)
{
	struct brink__names *names = brink_container_of(task, struct brink__names, task);
	struct brink__query *query;
	struct brink_list done;

	/* Who is done after this posts the task again. */
	pthread_mutex_lock(&names->lock);
	brink__list_take(&done, &names->done);
	pthread_mutex_unlock(&names->lock);
	while ((query = next_of(&done)) != NULL)
		brink__resolver_answered(query);
}

int brink__names_open(struct brink__names **opened, brink_loop *loop, const struct brink_resolver_options *options)
{
	struct brink__names *names;
	int result;

	if (options->servers != NULL)
		return -ENOTSUP;
	names = brink__allocate(1, sizeof *names);
	if (names == NULL)
		return -ENOMEM;
	result = -pthread_mutex_init(&names->lock, NULL);
	if (result < 0) {
		brink__free(names);
		return result;
	}
	names->loop = loop;
	names->parallel = options->parallel != 0 ? options->parallel : 4;
	names->forks = brink__forks;
	names->users = 1;
	brink__list_init(&names->done);
	brink_task_init(&names->task, on_done);
	*opened = names;
	return 0;
}

static int start_threads(struct brink__names *names)
{
	if (names->executor != NULL)
		return 0;
	return brink_executor_create(&names->executor, &(struct brink_executor_options){
		.tag = "resolver", .threads = names->parallel, .capacity = names->parallel});
}

int brink__names_ask(struct brink__names *names, struct brink__query *query)
{
	int result = start_threads(names);

	if (result < 0)
		return result;
	pthread_mutex_lock(&names->lock);
	names->users++;
	pthread_mutex_unlock(&names->lock);
	query->names = names;
	brink_task_init(&query->task, on_thread);
	/* There is room: no more than `parallel` are asked at a time. */
	return brink_executor_post(names->executor, &query->task);
}

/* In a forked child, which has none of the threads: one may have had the lock when it forked, and so
 * the list of those that are done. */
static void forget(struct brink__names *names, struct brink_list *asked)
{
	while (!brink__list_empty(asked)) {
		struct brink__query *query = brink_container_of(asked->next, struct brink__query, node);

		brink__list_remove(&query->node);
		brink__query_free(query);
	}
	brink__executor_forget(names->executor);
	brink__free(names);
}

void brink__names_close(struct brink__names *names, struct brink_list *asked)
{
	brink_executor *executor = names->executor;
	struct brink__query *query;
	struct brink_list done;
	bool busy;

	if (names->forks != brink__forks) {
		brink_task_cancel(names->loop, &names->task);
		forget(names, asked);
		return;
	}
	pthread_mutex_lock(&names->lock);
	brink__list_take(&done, &names->done);
	brink_task_cancel(names->loop, &names->task);
	names->loop = NULL;
	busy = --names->users > 0;
	pthread_mutex_unlock(&names->lock);
	while ((query = next_of(&done)) != NULL)
		brink__query_free(query);
	if (busy) {
		brink__executor_leave(executor);
	} else {
		brink_executor_destroy(executor);
		free_names(names);
	}
}

const char *brink_resolver_backend(void)
{
	return "getaddrinfo";
}
