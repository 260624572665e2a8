/* poll, with direct read and write. */
#include "echo_by_hand.h"
#include "peers.h"

#include <poll.h>

struct table {
	struct pollfd *polls;      /* the first is the listener's */
	struct backlog *backlogs;  /* of the same place */
	nfds_t count, room;
};

static int table_add(struct table *table, int fd)
{
	if (table->count == table->room) {
		table->room = 2 * table->room + 64;
		table->polls = realloc(table->polls, table->room * sizeof *table->polls);
		table->backlogs = realloc(table->backlogs, table->room * sizeof *table->backlogs);
		if (table->polls == NULL || table->backlogs == NULL)
			return -ENOMEM;
	}
	table->polls[table->count] = (struct pollfd){.fd = fd, .events = POLLIN};
	table->backlogs[table->count++] = (struct backlog){0};
	return 0;
}

/* The last one takes its place. */
static void table_remove(struct table *table, nfds_t place)
{
	close(table->polls[place].fd);
	free(table->backlogs[place].bytes);
	table->count--;
	table->polls[place] = table->polls[table->count];
	table->backlogs[place] = table->backlogs[table->count];
}

static void attend(struct table *table, nfds_t place, char *scratch)
{
	struct backlog *backlog = &table->backlogs[place];
	int fd = table->polls[place].fd;
	enum echo_result now = backlog->bytes != NULL ? echo_flush(fd, backlog) : echo_once(fd, backlog, scratch);

	if (now == ECHO_END)
		table_remove(table, place);
	else
		table->polls[place].events = now == ECHO_FULL ? POLLOUT : POLLIN;
}

static int serve(int listener, const char *backend)
{
	static char scratch[SCRATCH];
	struct table table = {0};
	int fd, rc = table_add(&table, listener);

	(void)backend;
	while (rc == 0) {
		int ready = poll(table.polls, table.count, -1);

		if (ready < 0 && errno != EINTR)
			return -errno;
		/* From the end, so that what table_remove() moves was looked at. */
		for (nfds_t i = table.count - 1; i > 0 && ready > 0; i--) {
			if (table.polls[i].revents == 0)
				continue;
			ready--;
			attend(&table, i, scratch);
		}
		while (rc == 0 && ready > 0 && (fd = accept_one(listener)) >= 0)
			rc = table_add(&table, fd);
	}
	return rc;
}

const struct peer peer_poll = {
	.name = "poll",
	.about = "written by hand: poll, direct read and write",
	.serve = serve,
};
