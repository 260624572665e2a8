/* writers: threads that all write requests of 64 bytes to one connection, as fast as they may.
 * latency: one thread that writes one each 100 us, and how long each takes to arrive.
 *
 * Who receives has a processor to itself, and checks that the requests of each thread came
 * whole, in order, and all. The time of a submit is that of the call alone; waiting for room is
 * not in it, but of course in the time for a request. */
#include "child.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_THREADS 64
#define BUCKETS 1024 /* of times: 16 for each power of two of nanoseconds */
#define PACE 100000  /* ns between two requests of `latency` */

static const struct quantity write_quantities[] = {
	{"request", "ns"}, {"submit, p50", "ns"}, {"submit, p99", "ns"}, {"submit, p99.9", "ns"}};
static const struct quantity latency_quantities[] = {{"submit to receipt, p50", "ns"}, {"submit to receipt, p99", "ns"}};

struct request {
	uint32_t thread, number;
	uint64_t time;           /* of its submit */
	unsigned char rest[48]; /* each byte: thread + number */
};

struct histogram {
	uint64_t buckets[BUCKETS], count;
};

struct writer {
	pthread_t thread;
	struct line *line;
	uint32_t index, sent;
	int error;
	struct histogram times;
};

/* One connection, and all that write to it or read from it. */
struct line {
	const struct write_work *work;
	void *state;
	unsigned threads;
	bool paced;
	int fds[2];
	atomic_bool enough;
	struct writer writers[MOST_THREADS];
	/* the receiver's */
	uint32_t expected[MOST_THREADS];
	uint64_t received, last; /* when the last byte came */
	int wrong;
	struct histogram arrivals;
};

/* ---- times ---- */

static void count_time(struct histogram *histogram, uint64_t ns)
{
	unsigned power = 0;

	while (ns >> power >= 32)
		power++;
	histogram->buckets[power * 16 + (unsigned)(ns >> power)]++;
	histogram->count++;
}

static void add_histogram(struct histogram *to, const struct histogram *from)
{
	for (size_t i = 0; i < BUCKETS; i++)
		to->buckets[i] += from->buckets[i];
	to->count += from->count;
}

/* The middle of the bucket. */
static double percentile(const struct histogram *histogram, double part)
{
	uint64_t before = 0;
	unsigned bucket = 0;

	while (bucket + 1 < BUCKETS && (double)(before + histogram->buckets[bucket]) < part * (double)histogram->count)
		before += histogram->buckets[bucket++];
	if (bucket < 32)
		return bucket + .5;
	return ((double)(bucket % 16 + 16) + .5) * (double)(1ull << (bucket / 16 - 1));
}

/* ---- the receiver ---- */

static bool is_right(struct line *line, const struct request *request)
{
	if (request->thread >= line->threads || request->number != line->expected[request->thread]++)
		return false;
	for (size_t i = 0; i < sizeof request->rest; i++)
		if (request->rest[i] != (unsigned char)(request->thread + request->number))
			return false;
	return true;
}

static void take_requests(struct line *line, const char *bytes, size_t count)
{
	uint64_t now = line->paced ? nanoseconds() : 0;

	for (size_t i = 0; i < count; i++) {
		struct request request;

		memcpy(&request, bytes + i * sizeof request, sizeof request);
		if (!is_right(line, &request))
			line->wrong = -EBADMSG;
		if (line->paced)
			count_time(&line->arrivals, now - request.time);
	}
	line->received += count;
}

static void *receive(void *arg)
{
	static char bytes[256 * 1024];
	struct line *line = arg;
	size_t have = 0;
	ssize_t n;

	pin_to(CLIENT_SIDE);
	while ((n = read(line->fds[1], bytes + have, sizeof bytes - have)) > 0) {
		size_t count = (have + (size_t)n) / sizeof(struct request);

		take_requests(line, bytes, count);
		have = have + (size_t)n - count * sizeof(struct request);
		memmove(bytes, bytes + count * sizeof(struct request), have);
	}
	line->last = nanoseconds();
	if (n < 0 || have > 0)
		line->wrong = -EBADMSG;
	return NULL;
}

/* ---- the writers ---- */

static int write_one(struct line *line, struct writer *writer)
{
	struct request request = {.thread = writer->index, .number = writer->sent};
	uint64_t since;
	int rc;

	memset(request.rest, (int)(writer->index + writer->sent), sizeof request.rest);
	for (;;) {
		request.time = since = nanoseconds();
		rc = line->work->submit(line->state, &request, sizeof request);
		count_time(&writer->times, nanoseconds() - since);
		if (rc <= 0)
			break;
		line->work->wait(line->state);
	}
	if (rc == 0)
		writer->sent++;
	return rc;
}

static void *write_all(void *arg)
{
	struct timespec pace = {.tv_nsec = PACE};
	struct writer *writer = arg;

	do {
		writer->error = write_one(writer->line, writer);
		if (writer->line->paced)
			nanosleep(&pace, NULL);
	} while (!atomic_load_explicit(&writer->line->enough, memory_order_relaxed) && writer->error == 0);
	return NULL;
}

/* ---- a slot ---- */

static int make_pair(int fds[2])
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 || fds[0] < 0 || bind(listener, (struct sockaddr *)&address, length) < 0 ||
	    listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&address, &length) < 0 ||
	    connect(fds[0], (struct sockaddr *)&address, length) < 0 || (fds[1] = accept(listener, NULL, NULL)) < 0)
		return -errno;
	setsockopt(fds[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	close(listener);
	return 0;
}

static void write_for(struct line *line, double seconds)
{
	struct timespec time = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};

	for (unsigned i = 0; i < line->threads; i++) {
		line->writers[i].index = i;
		line->writers[i].line = line;
		if (pthread_create(&line->writers[i].thread, NULL, write_all, &line->writers[i]) != 0)
			abort();
	}
	nanosleep(&time, NULL);
	atomic_store(&line->enough, true);
	for (unsigned i = 0; i < line->threads; i++)
		pthread_join(line->writers[i].thread, NULL);
}

/* How many requests were sent, and arrived; or a negative errno. */
static int64_t verdict(const struct line *line)
{
	uint64_t sent = 0;

	for (unsigned i = 0; i < line->threads; i++) {
		sent += line->writers[i].sent;
		if (line->writers[i].error < 0)
			return line->writers[i].error;
	}
	return line->wrong < 0 || line->received != sent ? -EBADMSG : (int64_t)sent;
}

static int run_line(struct line *line, struct contender *contender, const struct settings *settings,
                    double *nanoseconds_each)
{
	pthread_t receiver;
	uint64_t since;
	int64_t sent;
	int rc = make_pair(line->fds);

	line->work = contender->peer->writes;
	line->state = rc == 0 ? line->work->open(line->fds[0], contender->backend) : NULL;
	if (line->state == NULL || pthread_create(&receiver, NULL, receive, line) != 0)
		return -ENOMEM;
	since = nanoseconds();
	write_for(line, settings->slot);
	line->work->close(line->state);
	pthread_join(receiver, NULL);
	sent = verdict(line);
	if (sent <= 0) {
		complain("%s: requests were lost, or wrong: %s", contender->label, strerror((int)-sent));
		return -EBADMSG;
	}
	*nanoseconds_each = (double)(line->last - since) / (double)sent;
	return 0;
}

static int measure_writes(struct contender *contender, const struct settings *settings, double *values)
{
	static struct line line;
	static struct histogram times;
	int rc;

	line.threads = settings->threads;
	rc = run_line(&line, contender, settings, &values[0]);
	for (unsigned i = 0; i < line.threads; i++)
		add_histogram(&times, &line.writers[i].times);
	values[1] = percentile(&times, .5);
	values[2] = percentile(&times, .99);
	values[3] = percentile(&times, .999);
	return rc;
}

static int measure_latency(struct contender *contender, const struct settings *settings, double *values)
{
	static struct line line;
	double each;
	int rc;

	line.threads = 1;
	line.paced = true;
	rc = run_line(&line, contender, settings, &each);
	values[0] = percentile(&line.arrivals, .5);
	values[1] = percentile(&line.arrivals, .99);
	return rc;
}

static int write_slot(struct contender *contender, const struct settings *settings, double *values)
{
	return in_child(measure_writes, contender, settings, values, 4);
}

static int latency_slot(struct contender *contender, const struct settings *settings, double *values)
{
	return in_child(measure_latency, contender, settings, values, 2);
}

static bool can_write(const struct peer *peer)
{
	return peer->writes != NULL;
}

int bench_writers(const struct settings *settings)
{
	struct contender contenders[MOST_CONTENDERS];
	struct plan plan = {settings, write_quantities, 4, contenders, 0, write_slot};
	int rc;

	if (strcmp(settings->benchmark, "latency") == 0)
		plan = (struct plan){settings, latency_quantities, 2, contenders, 0, latency_slot};
	plan.contender_count = choose_contenders(settings, "mutex", can_write, contenders);
	report_begin(settings);
	rc = alternate(&plan);
	return report_end() != 0 || rc < 0;
}
