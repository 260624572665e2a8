/* A stand-in for the BSDs' <sys/event.h>, for tests only: see ../kqueue.c. It declares
 * what the kqueue backend and its tests use, with values of its own. */
#ifndef BRINK_STAND_IN_EVENT_H
#define BRINK_STAND_IN_EVENT_H

#include <stdint.h>
#include <time.h>

#define BRINK_KQUEUE_STAND_IN 1

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)

#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_ENABLE 0x0004
#define EV_DISABLE 0x0008
#define EV_ONESHOT 0x0010
#define EV_CLEAR 0x0020
#define EV_RECEIPT 0x0040
#define EV_DISPATCH 0x0080
#define EV_ERROR 0x4000
#define EV_EOF 0x8000

struct kevent {
	uintptr_t ident;
	short filter;
	unsigned short flags;
	unsigned int fflags;
	int64_t data;
	void *udata;
};

#define EV_SET(event, id, what, how, fine, number, pointer)                                         \
	(*(event) = (struct kevent){ .ident = (id), .filter = (what), .flags = (how), .fflags = (fine), \
		                         .data = (number), .udata = (pointer) })

extern unsigned long stand_in_calls; /* of kevent(), in this process */

int kqueue(void);
int kevent(int queue, const struct kevent *changes, int change_count, struct kevent *events, int event_count,
           const struct timespec *timeout);

#endif
