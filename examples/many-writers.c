/* many-writers: threads that all write to one connection at once.
 *
 *     many-writers [--backend NAME] [--threads N] [--seconds S]
 *
 * The peer is another loop of this process, at the other end of a TCP connection over the
 * loopback address. It checks that the requests of each thread came whole and in order. Who
 * writes faster than the peer reads waits for the low-water mark. At the end: requests, the
 * system calls that they took, and how long the calls of brink_socket_write_bytes() were. */
#include <brink.h>

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST_THREADS 64
#define BUCKETS 4096 /* of the times of calls: by 16 to each power of two of nanoseconds */

struct request {
	uint32_t thread, number;
	unsigned char rest[56]; /* each byte: thread + number */
};

struct writer {
	pthread_t thread;
	uint32_t index, sent;
	uint64_t times[BUCKETS];
	int error;
};

static brink_socket_id connection;
static atomic_bool enough;
static struct writer writers[MOST_THREADS];
static unsigned threads = 16;

/* ---- the peer ---- */

static uint32_t expected[MOST_THREADS];
static _Atomic uint64_t received;
static atomic_bool wrong, peer_gone;

static bool is_right(const struct request *request)
{
	if (request->thread >= threads || request->number != expected[request->thread]++)
		return false;
	for (size_t i = 0; i < sizeof request->rest; i++)
		if (request->rest[i] != (unsigned char)(request->thread + request->number))
			return false;
	return true;
}

static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct request scratch;
	const struct request *request;

	(void)socket;
	(void)arg;
	while ((request = brink_buffer_peek(in, sizeof scratch, &scratch)) != NULL) {
		if (request != &scratch)
			memcpy(&scratch, request, sizeof scratch); /* it may not be aligned */
		if (!is_right(&scratch))
			atomic_store(&wrong, true);
		brink_buffer_pop(in, sizeof scratch);
		atomic_fetch_add_explicit(&received, 1, memory_order_relaxed);
	}
}

static void on_peer_close(brink_socket *socket, int error, const char *text, void *arg)
{
	(void)socket;
	(void)text;
	(void)arg;
	if (error < 0)
		atomic_store(&wrong, true);
	atomic_store(&peer_gone, true);
}

/* ---- the writers ---- */

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static unsigned bucket_of(uint64_t ns)
{
	unsigned power = 0;

	while (ns >> power >= 32)
		power++;
	return power * 16 + (unsigned)(ns >> power) % BUCKETS;
}

static uint64_t end_of_bucket(unsigned bucket)
{
	return bucket < 32 ? bucket + 1 : (uint64_t)(bucket % 16 + 17) << (bucket / 16 - 1);
}

static int write_one(brink_socket *socket, struct writer *writer)
{
	struct request request = {writer->index, writer->sent, {0}};
	uint64_t start;
	int rc;

	memset(request.rest, (int)(writer->index + writer->sent), sizeof request.rest);
	do {
		start = now();
		rc = brink_socket_write_bytes(socket, &request, sizeof request);
		writer->times[bucket_of(now() - start)]++;
	} while (rc == -BRINK_EOVERCROWDED && (rc = brink_socket_wait(socket, -1)) == 0);
	if (rc == 0)
		writer->sent++;
	return rc;
}

static void *write_all(void *arg)
{
	struct writer *writer = arg;
	brink_socket *socket = brink_socket_address(connection);

	if (socket == NULL)
		return NULL;
	while (!atomic_load(&enough) && writer->error == 0)
		writer->error = write_one(socket, writer);
	brink_socket_release(socket);
	return NULL;
}

/* ---- the two ends ---- */

static int make_pair(int fds[2])
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM, 0), rc;

	fds[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (listener >= 0 && fds[0] >= 0 && bind(listener, (struct sockaddr *)&address, length) == 0 &&
	    listen(listener, 1) == 0 && getsockname(listener, (struct sockaddr *)&address, &length) == 0 &&
	    connect(fds[0], (struct sockaddr *)&address, length) == 0)
		fds[1] = accept(listener, NULL, NULL);
	rc = fds[1] < 0 ? -errno : 0;
	if (listener >= 0)
		close(listener);
	return rc;
}

static uint64_t percentile(double part)
{
	uint64_t all = 0, before = 0;

	for (unsigned i = 0; i < threads; i++)
		for (unsigned bucket = 0; bucket < BUCKETS; bucket++)
			all += writers[i].times[bucket];
	for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
		for (unsigned i = 0; i < threads; i++)
			before += writers[i].times[bucket];
		if ((double)before >= part * (double)all)
			return end_of_bucket(bucket);
	}
	return 0;
}

static int measure(double seconds)
{
	struct timespec time = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
	struct timespec tick = {.tv_nsec = 1000000};
	struct brink_socket_info info;
	brink_socket *socket = brink_socket_address(connection);
	uint64_t sent = 0;
	int rc = 0;

	for (unsigned i = 0; i < threads; i++) {
		writers[i].index = i;
		if (pthread_create(&writers[i].thread, NULL, write_all, &writers[i]) != 0) {
			fprintf(stderr, "many-writers: no more than %u threads can be had\n", i);
			exit(EXIT_FAILURE);
		}
	}
	nanosleep(&time, NULL);
	atomic_store(&enough, true);
	for (unsigned i = 0; i < threads; i++) {
		pthread_join(writers[i].thread, NULL);
		sent += writers[i].sent;
		rc = writers[i].error != 0 ? writers[i].error : rc;
	}
	brink_socket_close(socket); /* sends what is queued first */
	while (!atomic_load(&peer_gone))
		nanosleep(&tick, NULL);
	brink_socket_get_info(socket, &info);
	brink_socket_release(socket);
	printf("threads %u requests %" PRIu64 " requests_per_s %.0f calls_per_request %.3f p50_us %.1f p99_us %.1f "
	       "p99.9_us %.1f verified %" PRIu64 "\n",
	       threads, sent, (double)sent / seconds, (double)info.writes / (double)sent, (double)percentile(.5) / 1e3,
	       (double)percentile(.99) / 1e3, (double)percentile(.999) / 1e3, atomic_load(&received));
	if (rc < 0)
		fprintf(stderr, "many-writers: %s\n", brink_strerror(rc));
	return rc < 0 || atomic_load(&wrong) || atomic_load(&received) != sent;
}

static int connect_both(brink_group *group)
{
	int fds[2] = {-1, -1};
	brink_socket_id peer;
	int rc = make_pair(fds);

	if (rc == 0)
		rc = brink_socket_create(&peer, brink_group_loop(group, 1),
		                         &(struct brink_socket_options){
			                         .fd = fds[1], .on_bytes = on_bytes, .on_close = on_peer_close});
	if (rc == 0)
		rc = brink_socket_create(&connection, brink_group_loop(group, 0),
		                         &(struct brink_socket_options){.fd = fds[0], .unsent_limit = 1 << 20});
	return rc;
}

int main(int argc, char **argv)
{
	struct brink_group_options options = {.tag = "writers", .loops = 2};
	brink_group *group = NULL;
	double seconds = 1;
	int rc;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--backend") == 0)
			options.loop.backend = argv[i + 1];
		else if (strcmp(argv[i], "--threads") == 0)
			threads = (unsigned)atoi(argv[i + 1]);
		else if (strcmp(argv[i], "--seconds") == 0)
			seconds = atof(argv[i + 1]);
		else
			threads = 0;
	}
	if (argc % 2 == 0 || threads < 1 || threads > MOST_THREADS || seconds <= 0) {
		fprintf(stderr, "usage: many-writers [--backend NAME] [--threads 1-64] [--seconds S]\n");
		return 2;
	}
	rc = brink_group_create(&group, &options);
	if (rc == 0)
		rc = connect_both(group);
	if (rc < 0)
		fprintf(stderr, "many-writers: %s\n", brink_strerror(rc));
	else
		rc = measure(seconds);
	brink_group_destroy(group);
	return rc != 0;
}
