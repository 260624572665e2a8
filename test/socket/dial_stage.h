/* Addresses of one port, each of which answers, refuses or hangs, and a dial to a name that has them. */
#ifndef SOCKET_DIAL_STAGE_H
#define SOCKET_DIAL_STAGE_H

#include "client_stage.h"
#include "names_stage.h"

enum manner { ANSWERS, REFUSES, HANGS };

struct spot {
	const char *host; /* in numbers; NULL ends a list */
	enum manner manner;
	int fd;
	struct crowd crowd; /* of one that hangs */
};

/* A list of them, on the spot. */
#define SPOT(host_, manner_) {.host = (host_), .manner = (manner_)}
#define SPOTS(...) (const struct spot[]){__VA_ARGS__, {.host = NULL}}

struct dial_stage {
	brink_loop *loop;
	brink_resolver *resolver;
	struct spot spots[4];
	unsigned spot_count;
	char name[64]; /* "spots.test" with the port */
	brink_dial dial;
	unsigned calls, turns;
	int result;
	char winner[64];      /* its host */
	unsigned descriptors; /* open before the first dial */
	void (*act)(struct dial_stage *stage); /* in the call */
};

/* All spots, with "spots.test" for a name, in this order. Skips where there are no such addresses. */
void open_dial_stage(struct dial_stage *stage, const struct spot *spots);
void close_dial_stage(struct dial_stage *stage);
void start_dial(struct dial_stage *stage);
#define ANY UINT32_MAX /* where a slow machine makes fewer */
void expect_connected(struct dial_stage *stage, const char *host, unsigned attempts); /* and closes it */
void expect_failed(struct dial_stage *stage, int error, unsigned attempts);
void expect_nothing_open(struct dial_stage *stage); /* of the dial's */
bool was_connected_to(struct spot *spot); /* and closes what was */
void open_crowd(struct spot *spot); /* one that hangs has room from now on */

#endif
