/* The model test: random steps are played on a loop and, at the same time, on a small
 * model of the contract that says what each call must answer and which events must, may
 * and must not come.
 *
 *   model.c         sequences of steps from a seed, and the shrinking of one that fails
 *   model_play.c    plays a sequence: the model, beside the calls */
#ifndef CONFORMANCE_MODEL_H
#define CONFORMANCE_MODEL_H

#include "conformance.h"

#define MODEL_SPOTS 4u  /* each holds a pair of descriptors, or none */
#define MODEL_WATCHES 2u /* on each */

/* What `bits` of MODEL_OPEN means. */
enum model_kind { MODEL_TCP, MODEL_UNIX, MODEL_UDP, MODEL_PIPE_IN, MODEL_PIPE_OUT, MODEL_KINDS };

enum model_op {
	MODEL_OPEN,       /* a pair of kind `bits` */
	MODEL_START,      /* `watch`, for `bits` */
	MODEL_STOP,
	MODEL_CLOSE,      /* brink_watch_close() */
	MODEL_SET,        /* level-triggered: `bits` from now on */
	MODEL_REARM,
	MODEL_AGAIN,
	MODEL_READ,       /* brink_watch_read(), once, `size` bytes */
	MODEL_READ_ALL,   /* until it says no */
	MODEL_TAKE,       /* read(2) until it says no */
	MODEL_WRITE,      /* brink_watch_write(), once */
	MODEL_FILL,       /* until it says no */
	MODEL_PUT,        /* write(2) until it says no */
	MODEL_SHUT,       /* our own SHUT_WR */
	MODEL_PEER_WRITE, /* `size` bytes, as many as fit */
	MODEL_PEER_READ,  /* up to `size` bytes */
	MODEL_PEER_SHUT,
	MODEL_PEER_CLOSE,
	MODEL_PEER_RESET,
	MODEL_DROP,       /* stops the watches, and closes the pair */
	MODEL_TURN,       /* one turn */
	MODEL_SETTLE,     /* turns until everything that is due has come, and two more */
	MODEL_OPS
};

struct model_step {
	uint8_t op;
	uint8_t spot;
	uint8_t watch;
	uint8_t bits;
	uint16_t size;
	uint8_t inside; /* not now, but in the next call of watch (inside - 1) of this spot */
};

struct model_failure {
	size_t step; /* how many were played */
	char text[300];
};

/* Plays the steps on a new loop that takes `batch` events a turn. What must come may take
 * `patience` nanoseconds. False, and why, if the loop did not do as the model says. */
bool model_play(const struct model_step *steps, size_t count, unsigned batch, uint64_t patience,
                struct model_failure *failure);

/* The step in words. */
void model_describe(const struct model_step *step, char *text, size_t size);

#endif
