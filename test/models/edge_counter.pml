/* The edge counter: at most one reader of a socket, and no edge lost.
 *
 * Stands for src/socket_read.c: the call of the socket's watch for READ, the start of the
 * reader on an executor's thread, and the reader; and src/socket_pause.c: resume.
 *
 * An edge adds one to a counter, and only the step from 0 to 1 starts a reader. The reader
 * looks at the counter, reads until EAGAIN, hands the ticket back, and leaves by
 * compare-and-swap from what it saw to 0. If edges came meanwhile the swap fails, tells what
 * the counter is now, and the reader goes round once more.
 *
 * The kernel is a number of unread pieces. With TICKET it is seen through the loop: an event
 * closes the direction, and rearm, which another thread posts to the loop, opens it again or
 * makes an event at once. Without, every arrival is an edge, as where the counter has to
 * stand alone. RESUMES calls from yet another thread start the reader by an edge made up.
 *
 * Shown: one reader at most; when all is at rest nothing is unread, the counter is 0 and the
 * ticket is with the kernel; nobody goes round for ever.
 *
 * check: -DTICKET -DARRIVALS=4 -DRESUMES=2
 * check: -DARRIVALS=3 -DRESUMES=2
 * mutation 1: -DTICKET -DARRIVALS=2 -DRESUMES=0 | the counter is set to 0 without a look at what it is
 * mutation 2: -DTICKET -DARRIVALS=2 -DRESUMES=1 | the counter is swapped to 0 before the reading
 * mutation 3: -DTICKET -DARRIVALS=2 -DRESUMES=0 | the counter is looked at after the reading
 * mutation 4: -DTICKET -DARRIVALS=2 -DRESUMES=0 | every edge starts a reader
 * mutation 5: -DTICKET -DARRIVALS=2 -DRESUMES=0 | the ticket is not handed back
 */
#define THREADS 2 /* of the executor */

byte unread;        /* in the kernel */
bool event;         /* from the kernel, on its way to the loop */
bool armed = true;  /* the ticket is with the kernel */
bool rearm_posted;  /* by another thread, to the loop */
byte events;        /* the counter */
byte starts;        /* handed to the executor */

byte reading;       /* for the assertions only */

inline edge(old)
{
	d_step {
		old = events;
		events++;
	}
	if
#ifdef MUTATION_4
	:: starts++
#else
	:: old == 0 -> starts++
	:: else
#endif
	fi
}

proctype arrivals()
{
	byte n;

	for (n : 1 .. ARRIVALS) {
		d_step {
			unread++;
#ifdef TICKET
			if
			:: armed -> armed = false; event = true
			:: else
			fi
#else
			event = true
#endif
		}
	}
}

proctype resume()
{
	byte n = RESUMES, old;

	do
	:: n > 0 ->
		n--;
		edge(old)
	:: n == 0 -> break
	od
}

proctype loop()
{
	byte old;

end:
	do
	:: event ->
		event = false;
		edge(old)
	:: rearm_posted ->
		d_step {
			rearm_posted = false;
			if
			:: unread > 0 -> armed = false; event = true
			:: else -> armed = true
			fi
		}
	od
}

inline read_until_eagain()
{
	do
	:: d_step { unread > 0 -> unread-- }
	:: unread == 0 -> break
	od
}

inline hand_ticket_back()
{
#ifdef MUTATION_5
	skip
#else
	rearm_posted = true
#endif
}

proctype reader()
{
	byte seen;

end:
	do
	:: d_step {
		starts > 0 ->
		starts--;
		reading++;
		assert(reading == 1)
	   }
	   seen = events;
round:
#ifdef MUTATION_2
	   if
	   :: d_step { events == seen -> events = 0 }
	   :: d_step { events != seen -> seen = events }
		goto round
	   fi;
	   read_until_eagain();
	   hand_ticket_back();
	   reading--
#else
	   read_until_eagain();
	   hand_ticket_back();
#ifdef MUTATION_3
	   seen = events;
#endif
	   if
#ifdef MUTATION_1
	   :: d_step { events = 0; reading-- }
#else
	   :: d_step { events == seen -> events = 0; reading-- }
	   :: d_step { events != seen -> seen = events }
		goto round
#endif
	   fi
#endif
	od
}

/* Runs when nothing else can. */
proctype at_rest()
{
	timeout;
	assert(unread == 0);
	assert(events == 0 && reading == 0 && starts == 0);
#ifdef TICKET
	assert(armed)
#endif
}

init {
	byte n;

	atomic {
		run arrivals();
		run resume();
		run loop();
		for (n : 1 .. THREADS) {
			run reader();
		}
		run at_rest()
	}
}
