/* A stand-in for the BSDs' kqueue(2) and kevent(2) on Linux, for tests only.
 *
 * It lets the kqueue backend, and with it the conformance suite, run where there is no
 * kqueue. It imitates what was recorded on a NetBSD kernel (record.h has it),
 * the awkward parts above all: EV_EOF while data is unread, the socket's error in fflags,
 * an EV_ADD that fails on a pipe without reader, a full pipe that does not say that its
 * reader is gone, filters that vanish with their descriptor, receipts, changes that are
 * made before events are taken. It proves nothing about a BSD kernel.
 *
 * How: a queue is an epoll descriptor, so that it can be polled itself. A file that has
 * filters is one edge-triggered item in it. What epoll says is taken as "look at this
 * file" only: poll(2) then tells the truth, by which filters report. A filter that must
 * report again while nothing changes (one without EV_CLEAR) has its item queued again by
 * EPOLL_CTL_MOD. An item that cannot be removed, its descriptor being closed while a
 * duplicate lives, wakes the queue now and then, and is known by its generation.
 *
 * Environment:
 *   BRINK_STAND_IN_SEED   a number: events come shuffled, those of a dead connection in
 *                         separate calls at times
 *   BRINK_STAND_IN_TICK   milliseconds: timeouts are rounded up to such ticks, and one more
 *
 * close(2) tells us nothing. What a closed queue leaves in memory is freed by the next
 * kqueue(), or when the program ends. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/event.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <linux/sockios.h>
#include <unistd.h>

#define SIDES 2
#define SIDE(filter) (-1 - (filter)) /* EVFILT_READ: 0, EVFILT_WRITE: 1 */
#define MARK 43 /* the F_SETSIG by which an epoll descriptor is known for a queue of ours */

enum kind { PIPE, STREAM, DATAGRAM, OTHER };

struct filter {
	bool exists;
	bool enabled;
	bool fresh;   /* EV_CLEAR: reports, though nothing may have changed */
	bool said_end;
	int64_t said; /* EV_CLEAR: the measure when it last reported */
	unsigned short flags;
	void *udata;
};

struct file {
	int fd;
	uint32_t generation;
	uint32_t round; /* the queue's when it was last looked at */
	enum kind kind;
	int domain;
	dev_t device;
	ino_t inode;
	bool requeued; /* its item is queued because of us, not because something happened */
	uint32_t mask;
	int first; /* the side that reports first: the one that there was no room for last */
	struct filter filters[SIDES];
};

struct queue {
	struct queue *next;
	int fd;
	struct file **files; /* by descriptor */
	int room;
	int clear; /* EV_CLEAR filters that were ever added */
	uint32_t generation;
	uint32_t round; /* counts the times that events are taken */
	uint64_t random; /* 0: events are not shuffled */
};

/* What a filter would report. */
struct look {
	bool ready;
	bool end;
	unsigned error;
	int64_t data;
	int64_t measure; /* changes when an EV_CLEAR filter has something new to report ... */
	bool by_itself;  /* ... even if it was the program itself that changed it */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct queue *queues;

/* ---- the truth about a file ---- */

/* As the C library has it: an int in musl. */
#define IOCTL_REQUEST(request) _Generic(&ioctl, int (*)(int, int, ...): (int)(request), default: (request))

static int64_t count(int fd, unsigned long request)
{
	int n = 0;

	return ioctl(fd, IOCTL_REQUEST(request), &n) < 0 ? 0 : n;
}

static int option(int fd, int level, int name)
{
	int value = 0;
	socklen_t size = sizeof value;

	return getsockopt(fd, level, name, &value, &size) < 0 ? 0 : value;
}

static void look_at_pipe(const struct file *file, int side, short polled, struct look *look)
{
	bool writes = (fcntl(file->fd, F_GETFL) & O_ACCMODE) == O_WRONLY;

	look->by_itself = true;
	if (side == SIDE(EVFILT_READ)) {
		look->data = writes ? 0 : count(file->fd, FIONREAD);
		look->end = (polled & (writes ? POLLERR : POLLHUP)) != 0;
		look->ready = look->data > 0 || look->end;
		look->measure = look->data;
	} else {
		look->end = (polled & POLLERR) != 0;
		look->ready = (polled & POLLOUT) != 0; /* not for the end of a full pipe */
		look->measure = fcntl(file->fd, F_GETPIPE_SZ) - count(file->fd, FIONREAD);
		look->data = look->end ? 0 : look->measure;
	}
}

/* Whether the descriptor's own writing side is shut down. */
static bool write_is_shut(const struct file *file)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof info;

	if (file->domain == AF_UNIX)
		return send(file->fd, "", 0, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EPIPE;
	if (getsockopt(file->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return false;
	switch (info.tcpi_state) {
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
	case TCP_TIME_WAIT:
	case TCP_LAST_ACK:
	case TCP_CLOSING:
		return true;
	default:
		return false;
	}
}

static int64_t backlog(const struct file *file)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof info;

	if (file->domain == AF_UNIX || getsockopt(file->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return 1;
	return info.tcpi_unacked;
}

/* The error that the socket holds is not asked for: that would take it from the program.
 * That there is one is all that POLLERR tells. */
static void look_at_stream(const struct file *file, int side, short polled, struct look *look)
{
	bool fresh = (polled & POLLHUP) && !(polled & POLLRDHUP) && !(polled & POLLERR);
	bool listens = option(file->fd, SOL_SOCKET, SO_ACCEPTCONN) != 0;

	look->error = polled & POLLERR ? ECONNRESET : 0;
	if (side == SIDE(EVFILT_READ)) {
		look->end = (polled & POLLRDHUP) != 0;
		look->data = !(polled & POLLIN) ? 0 : listens ? backlog(file) : count(file->fd, FIONREAD);
		look->ready = (polled & (POLLIN | POLLRDHUP | POLLERR)) != 0;
		look->measure = look->data;
		look->by_itself = listens;
	} else {
		look->end = (polled & (POLLHUP | POLLERR)) != 0 || (!listens && write_is_shut(file));
		look->measure = count(file->fd, SIOCOUTQ);
		look->data = option(file->fd, SOL_SOCKET, SO_SNDBUF) - look->measure;
		look->ready = (polled & POLLOUT) || look->end;
	}
	if (fresh) /* never connected: a BSD says nothing, Linux POLLHUP */
		look->ready = false;
}

static void look_at_rest(const struct file *file, int side, short polled, struct look *look)
{
	if (side == SIDE(EVFILT_READ)) {
		look->data = polled & POLLIN ? count(file->fd, FIONREAD) : 0;
		if (file->kind == OTHER && look->data == 0 && (polled & POLLIN))
			look->data = 1;
		look->end = file->kind == OTHER && (polled & POLLHUP);
		look->ready = (polled & (POLLIN | POLLERR)) || look->end;
	} else {
		look->end = file->kind == OTHER && (polled & (POLLHUP | POLLERR));
		look->ready = (polled & (POLLOUT | POLLERR)) || look->end;
		look->measure = file->kind == DATAGRAM ? count(file->fd, SIOCOUTQ) : 0;
		look->data = file->kind == DATAGRAM ? option(file->fd, SOL_SOCKET, SO_SNDBUF) : 1;
	}
}

static struct look look_at(const struct file *file, int side)
{
	struct pollfd polled = { .fd = file->fd, .events = POLLIN | POLLOUT | POLLRDHUP };
	struct look look = { 0 };

	if (poll(&polled, 1, 0) < 0)
		return look;
	if (file->kind == PIPE)
		look_at_pipe(file, side, polled.revents, &look);
	else if (file->kind == STREAM)
		look_at_stream(file, side, polled.revents, &look);
	else
		look_at_rest(file, side, polled.revents, &look);
	return look;
}

/* ---- queues ---- */

static void free_queue(struct queue *queue)
{
	for (int fd = 0; fd < queue->room; fd++)
		free(queue->files[fd]);
	free(queue->files);
	free(queue);
}

static bool is_open(const struct queue *queue)
{
	return fcntl(queue->fd, F_GETSIG) == MARK;
}

/* Frees the queues that were closed, and the one whose number is `fd` now. */
static void sweep(int fd)
{
	struct queue **link = &queues, *queue;

	while ((queue = *link) != NULL) {
		if (queue->fd != fd && is_open(queue)) {
			link = &queue->next;
		} else {
			*link = queue->next;
			free_queue(queue);
		}
	}
}

static struct queue *find(int fd)
{
	struct queue *queue = queues;

	while (queue != NULL && queue->fd != fd)
		queue = queue->next;
	return queue != NULL && is_open(queue) ? queue : NULL;
}

static void before_fork(void)
{
	pthread_mutex_lock(&mutex);
}

static void after_fork_in_parent(void)
{
	pthread_mutex_unlock(&mutex);
}

/* A queue is not inherited. */
static void after_fork_in_child(void)
{
	struct queue *queue;

	while ((queue = queues) != NULL) {
		queues = queue->next;
		if (is_open(queue))
			close(queue->fd);
		free_queue(queue);
	}
	pthread_mutex_unlock(&mutex);
}

static void set_up(void)
{
	pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

__attribute__((destructor)) static void at_end(void)
{
	struct queue *queue;

	pthread_mutex_lock(&mutex);
	while ((queue = queues) != NULL) {
		queues = queue->next;
		free_queue(queue);
	}
	pthread_mutex_unlock(&mutex);
}

static uint64_t seed(void)
{
	const char *text = getenv("BRINK_STAND_IN_SEED");

	return text != NULL && *text != '\0' ? (strtoull(text, NULL, 0) + 1) * UINT64_C(0x9e3779b97f4a7c15) : 0;
}

int kqueue(void)
{
	struct queue *queue = calloc(1, sizeof *queue);

	if (queue == NULL)
		return -1;
	pthread_once(&once, set_up);
	queue->random = seed();
	pthread_mutex_lock(&mutex);
	queue->fd = epoll_create1(0);
	if (queue->fd >= 0) {
		fcntl(queue->fd, F_SETSIG, MARK);
		sweep(queue->fd);
		queue->next = queues;
		queues = queue;
	}
	pthread_mutex_unlock(&mutex);
	if (queue->fd >= 0)
		return queue->fd;
	free(queue);
	return -1;
}

static bool chance(struct queue *queue, unsigned one_in)
{
	if (queue->random == 0)
		return false;
	queue->random ^= queue->random << 13;
	queue->random ^= queue->random >> 7;
	queue->random ^= queue->random << 17;
	return (queue->random >> 32) % one_in == 0;
}

/* ---- files ---- */

static uint32_t mask_of(const struct file *file)
{
	uint32_t mask = EPOLLET;

	if (file->filters[SIDE(EVFILT_READ)].enabled)
		mask |= EPOLLIN | EPOLLRDHUP;
	if (file->filters[SIDE(EVFILT_WRITE)].enabled)
		mask |= EPOLLOUT;
	return mask;
}

static int control(const struct queue *queue, const struct file *file, int operation)
{
	struct epoll_event event = { .events = file->mask };

	event.data.u64 = (uint64_t)file->generation << 32 | (uint32_t)file->fd;
	return epoll_ctl(queue->fd, operation, file->fd, &event);
}

static struct file *file_of(const struct queue *queue, int fd)
{
	return fd >= 0 && fd < queue->room ? queue->files[fd] : NULL;
}

static void forget(struct queue *queue, struct file *file)
{
	queue->files[file->fd] = NULL;
	free(file);
}

/* Whether the descriptor is still the file that its filters were added to. */
static bool is_same(const struct file *file)
{
	struct stat status;

	return fstat(file->fd, &status) == 0 && status.st_dev == file->device && status.st_ino == file->inode;
}

/* Whether its filters are: they go with the descriptor, and so, but for duplicates, does
 * the item. */
static bool is_there(struct queue *queue, struct file *file)
{
	file->requeued = true;
	return is_same(file) && control(queue, file, EPOLL_CTL_MOD) == 0;
}

/* The item follows the filters; `again` queues it although nothing happens. */
static void follow(struct queue *queue, struct file *file, bool again)
{
	uint32_t mask = mask_of(file);

	if (!file->filters[0].exists && !file->filters[1].exists) {
		control(queue, file, EPOLL_CTL_DEL);
		forget(queue, file);
	} else if (again || mask != file->mask) {
		file->mask = mask;
		file->requeued = true;
		control(queue, file, EPOLL_CTL_MOD);
	}
}

static bool make_room(struct queue *queue, int fd)
{
	int room = queue->room != 0 ? queue->room : 64;
	struct file **files;

	if (fd < queue->room)
		return true;
	while (room <= fd)
		room *= 2;
	files = realloc(queue->files, (size_t)room * sizeof *files);
	if (files == NULL)
		return false;
	for (int i = queue->room; i < room; i++)
		files[i] = NULL;
	queue->files = files;
	queue->room = room;
	return true;
}

static void identify(struct file *file, const struct stat *status)
{
	int type = option(file->fd, SOL_SOCKET, SO_TYPE);

	file->device = status->st_dev;
	file->inode = status->st_ino;
	file->domain = option(file->fd, SOL_SOCKET, SO_DOMAIN);
	file->kind = OTHER;
	if (S_ISFIFO(status->st_mode))
		file->kind = PIPE;
	else if (S_ISSOCK(status->st_mode))
		file->kind = type == SOCK_STREAM ? STREAM : DATAGRAM;
}

static struct file *add_file(struct queue *queue, int fd, const struct stat *status)
{
	struct file *file;

	if (!make_room(queue, fd))
		return NULL;
	file = calloc(1, sizeof *file);
	if (file == NULL)
		return NULL;
	file->fd = fd;
	file->generation = ++queue->generation;
	file->mask = EPOLLET;
	identify(file, status);
	/* The item of a duplicate that took this number back may be there. */
	if (control(queue, file, EPOLL_CTL_ADD) < 0 &&
	    (errno != EEXIST || control(queue, file, EPOLL_CTL_MOD) < 0)) {
		int error = errno;

		free(file);
		errno = error;
		return NULL;
	}
	queue->files[fd] = file;
	return file;
}

/* ---- changes ---- */

static int add(struct queue *queue, struct file *file, const struct stat *status, const struct kevent *change)
{
	struct filter *filter;
	bool fresh = file == NULL;

	if (fresh)
		file = add_file(queue, (int)change->ident, status);
	if (file == NULL)
		return errno;
	filter = &file->filters[SIDE(change->filter)];
	if (!filter->exists) {
		struct pollfd polled = { .fd = file->fd };

		if (file->kind == PIPE && change->filter == EVFILT_WRITE && poll(&polled, 1, 0) > 0 &&
		    (polled.revents & POLLERR)) {
			follow(queue, file, false);
			return EBADF;
		}
		*filter = (struct filter){ .exists = true, .enabled = true, .flags = change->flags };
		queue->clear += (change->flags & EV_CLEAR) != 0;
	}
	filter->fresh = true;
	filter->udata = change->udata;
	return 0;
}

static int apply(struct queue *queue, const struct kevent *change)
{
	struct stat status;
	struct file *file;
	struct filter *filter;
	bool again;
	int error;

	if (change->filter != EVFILT_READ && change->filter != EVFILT_WRITE)
		return EINVAL;
	file = change->ident > INT_MAX ? NULL : file_of(queue, (int)change->ident);
	if (file != NULL && !is_there(queue, file)) {
		forget(queue, file);
		file = NULL;
	}
	if (change->ident > INT_MAX || fstat((int)change->ident, &status) < 0)
		return EBADF;
	if (change->flags & EV_ADD) {
		error = add(queue, file, &status, change);
		if (error != 0)
			return error;
		file = file_of(queue, (int)change->ident);
	}
	filter = file != NULL ? &file->filters[SIDE(change->filter)] : NULL;
	if (filter == NULL || !filter->exists)
		return ENOENT;
	again = (change->flags & EV_ADD) != 0;
	if (change->flags & EV_DELETE)
		filter->exists = filter->enabled = false;
	if (change->flags & EV_DISABLE)
		filter->enabled = false;
	if ((change->flags & EV_ENABLE) && !filter->enabled)
		filter->enabled = filter->fresh = again = true;
	follow(queue, file, again);
	return 0;
}

/* Makes the changes; writes what is to be said of them, and returns how many, or -1. */
static int apply_all(struct queue *queue, const struct kevent *changes, int change_count, struct kevent *events,
                     int event_count)
{
	int n = 0;

	for (int i = 0; i < change_count; i++) {
		struct kevent change = changes[i]; /* the two may be the same array */
		int error = apply(queue, &change);

		if (error == 0 && !(change.flags & EV_RECEIPT))
			continue;
		if (n < event_count) {
			events[n] = change;
			events[n].flags = EV_ERROR;
			events[n++].data = error;
		} else if (error != 0) {
			errno = error;
			return -1;
		}
	}
	return n;
}

/* ---- events ---- */

/* Whether a filter has something to report that it has not reported yet. */
static bool reports(const struct file *file, int side, const struct look *look)
{
	const struct filter *filter = &file->filters[side];

	if (!filter->enabled || !look->ready)
		return false;
	if (!(filter->flags & EV_CLEAR) || filter->fresh)
		return true;
	if (look->end != filter->said_end || (side == SIDE(EVFILT_READ) && !file->requeued))
		return true;
	if (side == SIDE(EVFILT_WRITE) && file->kind != PIPE)
		return look->measure < filter->said; /* less is unsent than was */
	return look->measure != filter->said;
}

static void report(const struct file *file, int side, const struct look *look, struct kevent *event)
{
	const struct filter *filter = &file->filters[side];

	*event = (struct kevent){ .ident = (uintptr_t)file->fd,
		                      .filter = side == SIDE(EVFILT_READ) ? EVFILT_READ : EVFILT_WRITE,
		                      .flags = filter->flags & (EV_CLEAR | EV_ONESHOT | EV_DISPATCH),
		                      .fflags = look->end ? look->error : 0,
		                      .data = look->data,
		                      .udata = filter->udata };
	if (look->end)
		event->flags |= EV_EOF;
}

static void reported(struct filter *filter, const struct look *look)
{
	filter->fresh = false;
	filter->said = look->measure;
	filter->said_end = look->end;
	if (filter->flags & EV_DISPATCH)
		filter->enabled = false;
	if (filter->flags & EV_ONESHOT)
		filter->exists = filter->enabled = false;
}

/* What the file has to report; returns how many events of `room` it took. */
static int collect_file(struct queue *queue, struct file *file, struct kevent *events, int room)
{
	int first = file->first ^ chance(queue, 2), n = 0;
	bool again = false;

	for (int i = 0; i < SIDES; i++) {
		int side = i ^ first;
		struct filter *filter = &file->filters[side];
		struct look look = look_at(file, side);

		if (!reports(file, side, &look))
			continue;
		/* The filters of a dead connection need not report together. */
		if (n == room || (n > 0 && look.end && file->kind == STREAM && chance(queue, 2))) {
			filter->fresh = again = true;
			file->first = side;
			continue;
		}
		report(file, side, &look, &events[n++]);
		reported(filter, &look);
		again |= filter->enabled && !(filter->flags & EV_CLEAR);
	}
	file->requeued = false;
	follow(queue, file, again);
	return n;
}

/* A pipe, and a listener, report to an EV_CLEAR filter whatever has changed since, also
 * by the program's own reading; other sockets only what the network did. */
static void look_again(struct queue *queue, struct file *file, int side)
{
	struct filter *filter = &file->filters[side];
	struct look look;

	if (!filter->enabled || !(filter->flags & EV_CLEAR) || filter->fresh || !is_same(file))
		return;
	look = look_at(file, side);
	if (look.by_itself && look.ready && look.measure != filter->said && (look.data > 0 || look.end)) {
		filter->fresh = true;
		follow(queue, file, true);
	} else if (side == SIDE(EVFILT_WRITE) && file->kind != PIPE && look.measure > filter->said) {
		filter->said = look.measure;
	}
}

static void look_for_changes(struct queue *queue)
{
	for (int fd = 0; fd < queue->room; fd++)
		for (int side = 0; queue->files[fd] != NULL && side < SIDES; side++)
			look_again(queue, queue->files[fd], side);
}

static void shuffle(struct queue *queue, struct kevent *events, int n)
{
	for (int i = 1; i < n; i++) {
		if (chance(queue, 2)) {
			struct kevent event = events[i];

			events[i] = events[i - 1];
			events[i - 1] = event;
		}
	}
}

/* Files are taken one by one, so that those for which there is no room keep their place. */
static int collect(struct queue *queue, struct kevent *events, int room)
{
	struct epoll_event item;
	int n = 0;

	if (queue->clear > 0)
		look_for_changes(queue);
	queue->round++;
	while (n < room && epoll_wait(queue->fd, &item, 1, 0) == 1) {
		struct file *file = file_of(queue, (int)(uint32_t)item.data.u64);

		if (file == NULL || file->generation != item.data.u64 >> 32)
			continue;
		if (!is_same(file)) {
			forget(queue, file);
			continue;
		}
		/* It has reported in this call, and reports in the next one again. */
		if (n > 0 && file->round == queue->round) {
			follow(queue, file, true);
			break;
		}
		file->round = queue->round;
		n += collect_file(queue, file, events + n, room - n);
	}
	shuffle(queue, events, n);
	return n;
}

/* ---- waiting ---- */

static struct timespec now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time;
}

static struct timespec later(struct timespec time, const struct timespec *by)
{
	time.tv_sec += by->tv_sec;
	time.tv_nsec += by->tv_nsec;
	if (time.tv_nsec >= 1000000000) {
		time.tv_sec++;
		time.tv_nsec -= 1000000000;
	}
	return time;
}

/* The time from now to `end`; none when it is over. */
static struct timespec rest(const struct timespec *end)
{
	struct timespec time = now(), none = { 0 };

	time.tv_sec = end->tv_sec - time.tv_sec;
	time.tv_nsec = end->tv_nsec - time.tv_nsec;
	if (time.tv_nsec < 0) {
		time.tv_sec--;
		time.tv_nsec += 1000000000;
	}
	return time.tv_sec < 0 ? none : time;
}

static struct timespec in_ticks(struct timespec time)
{
	const char *text = getenv("BRINK_STAND_IN_TICK");
	long tick = text != NULL ? strtol(text, NULL, 10) * 1000000 : 0;

	if (tick > 0 && tick < 1000000000 && (time.tv_sec > 0 || time.tv_nsec > 0)) {
		struct timespec more = { .tv_nsec = 2 * tick - 1 - (time.tv_nsec + tick - 1) % tick };

		time = later(time, &more);
	}
	return time;
}

/* Waits, without the lock, until the queue has something, or `end`: 0 or -1. */
static int sleep_on(int fd, const struct timespec *end)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };
	struct timespec time;
	int n;

	if (end != NULL)
		time = rest(end);
	pthread_mutex_unlock(&mutex);
	n = ppoll(&polled, 1, end != NULL ? &time : NULL, NULL);
	pthread_mutex_lock(&mutex);
	return n;
}

static int take(int fd, struct kevent *events, int room, const struct timespec *timeout)
{
	struct timespec end = { 0 };
	bool over = false;

	if (timeout != NULL)
		end = later(now(), timeout);
	for (;;) {
		struct queue *queue = find(fd);
		int n = queue != NULL ? collect(queue, events, room) : -1;

		if (queue == NULL)
			errno = EBADF;
		if (n != 0 || over)
			return n;
		n = sleep_on(fd, timeout != NULL ? &end : NULL);
		if (n < 0)
			return -1;
		over = n == 0;
	}
}

static bool is_valid(const struct timespec *time)
{
	return time == NULL || (time->tv_sec >= 0 && time->tv_nsec >= 0 && time->tv_nsec < 1000000000);
}

unsigned long stand_in_calls;

int kevent(int fd, const struct kevent *changes, int change_count, struct kevent *events, int event_count,
           const struct timespec *timeout)
{
	struct timespec limit = { 0 };
	struct queue *queue;
	int n;

	pthread_mutex_lock(&mutex);
	stand_in_calls++;
	queue = find(fd);
	if (queue == NULL) {
		errno = EBADF;
		n = -1;
	} else {
		n = apply_all(queue, changes, change_count, events, event_count);
	}
	if (n == 0 && event_count > 0 && !is_valid(timeout)) {
		errno = EINVAL;
		n = -1;
	} else if (n == 0 && event_count > 0) {
		if (timeout != NULL)
			limit = in_ticks(*timeout);
		n = take(fd, events, event_count, timeout != NULL ? &limit : NULL);
	}
	pthread_mutex_unlock(&mutex);
	return n;
}
