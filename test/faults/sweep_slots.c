/* How much of the library's memory is there for good. */
#include "config.h"

#include "scarce.h"
#include "socket.h"

#define SLOTS 128 /* a block: see slot.c */
#define MOST 65536 /* where a scenario has an allocator of its own */

long blocks_of_slots(void);
brink_socket *next_socket(uint32_t *at);

brink_socket *next_socket(uint32_t *at)
{
	return brink__slot_walk(at);
}

/* The first of a new block tells how many there were. */
long blocks_of_slots(void)
{
	long before = blocks_live();
	brink_socket *socket;

	for (unsigned i = 0; blocks_live() == before; i++)
		if (i == MOST || brink__slot_take(&socket) < 0)
			return 0;
	return socket->index / SLOTS;
}
