/* What the files of the play share: the steps and their judge, a kqueue's events, descriptors, and the parts. */
#ifndef TRACE_H
#define TRACE_H

#include <sys/types.h>

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/event.h>

#define SILENCE 50     /* ms without an event that count as silence */
#define PATIENCE 20000 /* ms; for what must come */

#ifdef BRINK_KQUEUE_STAND_IN
static const bool on_stand_in = true;
#else
static const bool on_stand_in = false;
#endif

/* ---- steps ---- */

struct step {
	const char *id;
	const char *what;
	const char *expected;
	const char *not_on_stand_in; /* the reason */
	bool done;
};

void fail_here(const char *what);
struct step *step_of(const char *id);
bool is_among(const char *got, const char *expected); /* is one of the alternatives */
void judge(const char *id, const char *got);
void judge_number(const char *id, long number);
const char *name_of(int error);
unsigned verdict(void); /* how many failed, once all is played */

/* ---- events ---- */

/* What came, as text too. */
struct record {
	struct kevent events[8];
	int count;
	char text[256];
};

extern int kq;
extern bool without_data; /* R for R(n): datagrams are counted with their headers by some */

struct kevent change(int fd, bool write, unsigned flags, char tag);
int call(int queue, struct kevent *array, int changes, int room, long milliseconds);
int apply(int fd, bool write, unsigned flags, char tag);
void watch(int fd, const char *filters);
void say(char *text, size_t size, const struct kevent *event);
void record(struct record *record, const struct kevent *event);
long now(void);
void wait_from(int queue, const char *id, int room);
void expect(const char *id);
void expect_error(const char *id, int error);

/* ---- descriptors ---- */

struct pair {
	int ours, theirs; /* of a pipe: the end that reads, the end that writes */
};

int open_socket(int type);
int bind_one(int type, struct sockaddr_in *address);
int start_connect(int fd, const struct sockaddr_in *address);
void await(int fd, short events);
int connect_to(const struct sockaddr_in *address);
struct pair tcp_pair(void);
struct pair unix_pair(void);
struct pair pipe_pair(void);
void close_pair(struct pair pair);
void send_bytes(int from, int size, int to, int held);
int take_bytes(int fd, int size);
int fill(int fd);
void reset(int fd);
int socket_error(int fd);

/* ---- parts ---- */

void play_pipes(void);
void play_tcp(void);
void play_unix(void);
void play_reset(void);
void play_refused(void);
void play_connect(void);
void play_listener(void);
void play_delete(void);
void play_reuse(void);
void play_threads(void);
void play_receipts(void);
void play_errors(void);
void play_timeouts(void);
void play_small_batches(void);
void play_adding_again(void);
void play_pipe_ends(void);
void play_disabling(void);
void play_datagrams(void);
void play_nested(void);
void play_use(void);

#endif
