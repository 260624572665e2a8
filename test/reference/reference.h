/* The reference tests: the same scripts played with libuv and with libbrink, and what
 * became of them compared.
 *
 *   reference.c    plays each script on libuv and on each backend, and judges
 *   scripts.c      the scripts, and where the libraries differ and why
 *   side_uv.c, side_brink.c   what a script is written with, on each library */
#ifndef REFERENCE_H
#define REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A connection, a pipe's end or a socket of datagrams, as a script sees it. Errors are
 * negative errno values on both sides. */
struct stream {
	int fd;
	size_t received; /* bytes */
	unsigned pieces; /* datagrams, zero-length ones too */
	uint32_t sum;    /* of the bytes and their order */
	bool ended;
	int end;         /* 0: the end; else the error */
	size_t written;  /* bytes whose writing has been completed */
	int write_error; /* the first */
	bool closed;
	unsigned calls_after_close;
	void (*on_data)(struct stream *stream); /* after data was counted; may close streams */
	struct stream *other;                   /* the script's */
};

struct side {
	const char *name; /* "libuv", or the backend */
	void (*start)(const struct side *side);
	void (*stop)(void); /* frees what the script has opened, too */
	void (*turn)(void); /* waits a moment for something, and calls back */
	int (*run)(void);   /* until stopped (1), or until nothing is left (0) */
	void (*end_run)(void);

	/* Takes the descriptor. Datagrams: `packets`. */
	struct stream *(*open)(int fd, bool packets);
	void (*read)(struct stream *stream);
	void (*write)(struct stream *stream, const void *bytes, size_t size); /* copies; as soon as there is room */
	void (*close)(struct stream *stream);

	/* To the loopback port: *result is the errno value as soon as it is known, 1 until then. */
	struct stream *(*connect)(uint16_t port, int *result);
	/* Each connection counts in *accepted, and is closed. */
	void (*listen)(int fd, unsigned *accepted);

	/* Calls are noted by `note(id)`. */
	void (*timer)(unsigned id, unsigned after_ms, unsigned period_ms, unsigned times);
	void (*signal)(int number, unsigned *calls);
	/* `count` times from a thread, or from this one before a turn. */
	void (*wake)(unsigned *calls, unsigned count, bool thread);
	void (*level)(int fd, unsigned *calls); /* readable: called again and again */
	void (*level_end)(void);
};

extern const struct side uv_side, brink_side;

/* For the sides. */
void note(unsigned id);
void add_received(struct stream *stream, const void *bytes, size_t size);
void add_end(struct stream *stream, int error);

/* For the scripts: a line of the outcome; a broken promise of the system's. */
void say(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));
_Noreturn void broken(const char *what, int line);
#define MUST(condition) ((condition) ? (void)0 : broken(#condition, __LINE__))

/* Turns until it holds; a hang ends the program. */
bool in_time(void);
void start_time(void);
#define TURN_UNTIL(side, condition) \
	do { \
		start_time(); \
		while (!(condition)) { \
			(side)->turn(); \
			if (!in_time()) \
				broken("hangs before " #condition, __LINE__); \
		} \
	} while (0)

struct script {
	const char *name;
	void (*play)(const struct side *side);
	const char *difference; /* why the outcomes differ; NULL: they must not */
};

extern const struct script scripts[];

#endif
