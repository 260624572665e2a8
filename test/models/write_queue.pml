/* The write queue: wait-free for whoever writes, one owner of the right to write, every
 * request ended once and in order.
 *
 * Stands for src/socket_write.c: brink_socket_write, the write in place, the hand-over, the
 * loop's write task, the call of the socket's watch for WRITE; and for the part that
 * brink_socket_fail has in it.
 *
 * `tail` is the last request, or NIL when the queue is idle. Who adds a request exchanges
 * it into the tail, and links it behind the one that was there. Who found NIL owns the
 * right to write: writes once in place, or hands over to the loop at once. An owner ends
 * requests from the head on. Behind one that is done and has none linked to it, the tail
 * tells whether there is more: swapped back to NIL, the queue is idle; if it is another's,
 * that one has not linked yet. Nobody waits for it: the owner puts HOLE where the link will
 * be, and leaves. Who links finds HOLE, and inherits the duty to post the loop's task. What is
 * done stays as a dummy until its successor is known, since the link is written into it.
 *
 * The loop tries to write before it waits. It arms WRITE after its own EAGAIN only, and the
 * right to write then rests with it until the edge. Who fails the socket posts another task
 * to the loop, which ends all that rests with it; who else owns hands over to the loop, or
 * leaves an idle queue. When it is idle the loop closes the transport and the descriptor; where a write is
 * about to come, later than here: see write_end.pml. So
 * who writes in place looks once more whether the socket has failed, with the right to write.
 *
 * Who writes holds a reference to the socket. The write task has one of its own, which the
 * loop keeps until it gives up the right to write; a mark, which is the owner's, says that there is one. A hole needs
 * none: who will link has one. Nor does what the loop writes itself, before the socket has ended (with CORKED), for
 * the socket's first reference goes with the close, which waits until the queue is idle.
 *
 * The kernel has room for CAPACITY pieces; requests are of two pieces and of one in turn. It
 * makes an edge when there is room again after it said that there was none. The edge is
 * an event if WRITE is armed, is remembered between the loop's EAGAIN and its arming, and is
 * otherwise lost. With SPURIOUS an armed WRITE may also be an event for nothing, once. With
 * FAILS somebody fails the socket at some time, and the peer may stop reading. With CALLBACK
 * the end of the first request calls back, and that call adds another.
 *
 * Shown: one owner at most; every request ends once, in the order of the exchanges; none is
 * touched after it was freed, and all are freed; nothing is sent after the close; nor is the socket after its last reference;
 * at rest all have ended and the queue is idle; nobody goes round for ever.
 *
 * check: -DWRITERS=2 -DREQUESTS=2 -DCAPACITY=1
 * large: -DWRITERS=2 -DREQUESTS=2 -DCAPACITY=1 -DFAILS
 * large: -DWRITERS=3 -DREQUESTS=1 -DCAPACITY=2 -DFAILS
 * check: -DWRITERS=2 -DREQUESTS=1 -DCAPACITY=2 -DFAILS -DSPURIOUS -DCALLBACK
 * check: -DWRITERS=2 -DREQUESTS=1 -DCAPACITY=1 -DFAILS -DCORKED
 * mutation 1: -DWRITERS=1 -DREQUESTS=1 -DCAPACITY=1 | after EAGAIN in place the loop arms and waits instead of trying first
 * mutation 2: -DWRITERS=2 -DREQUESTS=1 -DCAPACITY=1 | who links does not look whether there was a hole
 * mutation 3: -DWRITERS=2 -DREQUESTS=1 -DCAPACITY=1 | the queue is made idle by a store
 * mutation 4: -DWRITERS=2 -DREQUESTS=1 -DCAPACITY=1 | what is done is freed though its successor is not known
 * mutation 5: -DWRITERS=2 -DREQUESTS=1 -DCAPACITY=1 | the hole is made by a store
 * mutation 6: -DWRITERS=1 -DREQUESTS=1 -DCAPACITY=1 -DFAILS | who fails the socket does not tell the loop
 * mutation 7: -DWRITERS=2 -DREQUESTS=1 -DCAPACITY=1 | the owner in place hands over only what it did not write itself
 * mutation 8: -DWRITERS=2 -DREQUESTS=1 -DCAPACITY=1 | a request ends after the right to write was given up
 * mutation 9: -DWRITERS=2 -DREQUESTS=1 -DCAPACITY=1 | the dummy is noted after the hole was made
 * mutation 10: -DWRITERS=2 -DREQUESTS=1 -DCAPACITY=1 -DFAILS | the write task has no reference of its own
 * mutation 11: -DWRITERS=2 -DREQUESTS=1 -DCAPACITY=1 -DFAILS | who writes in place does not look whether the socket has failed
 * mutation 12: -DWRITERS=2 -DREQUESTS=1 -DCAPACITY=1 -DFAILS -DCORKED | it is looked for the mark after the right was given up
 * mutation 13: -DWRITERS=1 -DREQUESTS=1 -DCAPACITY=1 -DFAILS -DCORKED | the close does not wait for an idle queue
 */
#define NIL 0
#define HOLE 255

#define WRITTEN (WRITERS * REQUESTS)
#ifdef CALLBACK
#define COUNT (WRITTEN + 1)
#define ADDED COUNT /* by the call back */
#elif defined(CORKED)
#define COUNT (WRITTEN + 1)
#define OWN COUNT /* the loop's */
#else
#define COUNT WRITTEN
#endif

/* The socket. */
byte tail;
byte head;          /* where the next owner goes on: the owner's, or left for the next */
bool failed;
bool waiting;       /* the loop owns, and waits for the edge */
bool held;          /* a reference came with the right: the owner's */
bool write_task;    /* posted */
bool fail_task;     /* posted */
#ifdef MUTATION_1
bool was_full;      /* what the owner in place was told */
#endif

/* The requests. */
byte next[COUNT + 1];
byte left[COUNT + 1];  /* pieces to be written */
bool done[COUNT + 1];  /* written or failed, and called back */

/* The kernel. */
byte used;
bool no_room;       /* it said so */
bool armed;
bool told;          /* the loop has EAGAIN and is about to arm */
bool remembered;    /* an edge, meanwhile */
bool edge;          /* an event, on its way to the loop */

/* For the assertions only. */
bool closed;        /* the transport and the descriptor, after a failure */
byte owners;
byte references = 1 + WRITERS; /* to the socket; the first keeps it alive until it is failed */
byte exchanges;
byte place[COUNT + 1]; /* in the order of the exchanges */
byte ends;
bool freed[COUNT + 1];

inline release()
{
	d_step {
		assert(references > 0);
		references--
	}
}

inline post_write()
{
	d_step {
		assert(!write_task && references > 0);
#ifndef MUTATION_10
		references++;
		held = true;
#endif
		write_task = true
	}
}

inline free(r)
{
	d_step {
		assert(done[r] && !freed[r]);
		freed[r] = true
	}
}

inline exchange_tail(r, before)
{
	d_step {
		assert(references > 0);
		before = tail;
		tail = r;
		exchanges++;
		place[r] = exchanges;
		if
		:: before == NIL ->
			owners++;
			assert(owners == 1)
		:: else -> assert(!freed[before])
		fi
	}
}

/* `hole`: there was one. */
inline link(r, before, hole)
{
	d_step {
		assert(!freed[before]);
		hole = (next[before] == HOLE);
		next[before] = r;
		if
		:: hole ->
			owners++;
			assert(owners == 1)
		:: else
		fi
	}
}

/* One call of sendmsg: as much as there is room for. */
inline send(r)
{
	d_step {
		assert(owners == 1 && references > 0 && !closed);
		assert(!freed[r] && !done[r] && left[r] > 0);
		if
		:: left[r] <= CAPACITY - used ->
			used = used + left[r];
			left[r] = 0
		:: else ->
			left[r] = left[r] - (CAPACITY - used);
			used = CAPACITY;
			no_room = true
		fi
	}
}

inline finish(r)
{
	d_step {
		assert(references > 0 && !freed[r] && !done[r]);
		done[r] = true;
		ends++;
		assert(place[r] == ends);
	}
#ifdef CALLBACK
	if
	:: r == 1 ->
		exchange_tail(ADDED, before);
		assert(before != NIL);
		link(ADDED, before, hole);
		assert(!hole)
	:: else
	fi
#endif
}

/* Behind `r`, which is done: `successor`, or NIL when the right to write was given up. */
inline advance(r, successor)
{
	successor = next[r];
	if
	:: successor != NIL ->
#ifdef MUTATION_8
		finish(r);
#endif
		free(r)
	:: successor == NIL ->
		if
#ifdef MUTATION_3
		:: d_step { tail = NIL; owners-- }
#else
		:: d_step { tail == r -> tail = NIL; owners-- }
#endif
#ifdef MUTATION_8
			finish(r);
#endif
			free(r)
#ifndef MUTATION_3
		:: tail != r ->
#ifdef MUTATION_8
			finish(r);
#endif
#ifndef MUTATION_9
			head = r;
#endif
#ifdef MUTATION_4
			free(r);
#endif
			if
#ifdef MUTATION_5
			:: d_step { next[r] = HOLE; owners-- }
#else
			:: d_step { next[r] == NIL -> next[r] = HOLE; owners-- }
#ifdef MUTATION_9
				head = r;
#endif
			:: d_step { next[r] != NIL -> successor = next[r] }
				free(r)
#endif
			fi
#endif
		fi
	fi
}

proctype writer(byte first)
{
	byte n = REQUESTS, r = first, before, successor;
	bool hole;

	do
	:: n > 0 ->
		n--;
		exchange_tail(r, before);
		if
		:: before == NIL ->
			head = r;
			if
			:: post_write() /* at once, when writes follow back to back */
			:: true ->
#ifdef MUTATION_11
				send(r);
#else
				if
				:: failed /* the loop ends it */
				:: !failed -> send(r)
				fi;
#endif
				if
				:: left[r] > 0 ->
#ifdef MUTATION_1
					was_full = true;
#endif
					post_write()
				:: left[r] == 0 ->
#ifndef MUTATION_8
					finish(r);
#endif
					advance(r, successor);
					if
					:: successor != NIL ->
						head = successor;
#ifndef MUTATION_7
						post_write()
#endif
					:: successor == NIL
					fi
				fi
			fi
		:: before != NIL ->
			link(r, before, hole);
			if
			:: hole ->
#ifdef MUTATION_2
				skip
#else
				post_write()
#endif
			:: !hole
			fi
		fi;
		r++
	:: n == 0 -> break
	od;
	release()
}

proctype loop()
{
	byte r, before, successor;
	bool hole, torn, mine;
#ifdef CORKED
	bool corked = true;
#endif

end_idle:
	do
#ifdef CORKED
	:: corked && !torn ->
		corked = false;
		exchange_tail(OWN, before);
		if
		:: before == NIL -> head = OWN; r = OWN; goto write
		:: before != NIL ->
			link(OWN, before, hole);
			if
			:: hole -> post_write()
			:: !hole
			fi
		fi
#endif
	:: write_task ->
		write_task = false;
		assert(owners == 1);
		r = head;
		if
		:: done[r] -> /* the dummy at what was a hole */
			successor = next[r];
			assert(successor != NIL && successor != HOLE);
			free(r);
			r = successor
		:: !done[r]
		fi;
#ifdef MUTATION_1
		if
		:: was_full -> was_full = false; goto arm
		:: !was_full
		fi;
#endif
		goto write
	:: edge ->
		edge = false;
		if
		:: waiting -> waiting = false; r = head; goto write
		:: !waiting /* it ended meanwhile, or was an event for nothing */
		fi
#ifdef MUTATION_13
	:: torn && !closed -> closed = true; release()
#else
	:: torn && tail == NIL && !closed -> closed = true; release()
#endif
	:: fail_task ->
		fail_task = false;
		torn = true;
		if
		:: waiting -> waiting = false; r = head; goto write
		:: !waiting /* the owner will see it */
		fi
	od;

write:
	mine = mine || held;
	held = false;
	if
	:: failed -> goto over
	:: !failed
	fi;
	remembered = false;
	if
	:: d_step { used == CAPACITY -> no_room = true; told = true }
		goto arm
	:: used < CAPACITY ->
		send(r)
	fi;
	if
	:: left[r] > 0 -> goto write
	:: left[r] == 0
	fi;
over:
#ifndef MUTATION_8
	finish(r);
#endif
	advance(r, successor);
	if
	:: successor != NIL -> r = successor; goto write
	:: successor == NIL ->
#ifdef MUTATION_12
		mine = held;
		held = false;
#endif
		if
		:: mine -> release()
		:: !mine
		fi;
		mine = false;
		goto end_idle
	fi;
arm:
	head = r;
	held = mine;
	mine = false;
	d_step {
		assert(references > 0);
		waiting = true;
		told = false;
		if
		:: remembered -> edge = true
		:: else -> armed = true
		fi
	}
	goto end_idle
}

/* The other side, and how its reading is seen here. */
proctype peer()
{
end:
	do
	:: d_step {
		used > 0 ->
		used--;
		if
		:: no_room ->
			no_room = false;
			if
			:: armed -> armed = false; edge = true
			:: !armed && told -> remembered = true
			:: else
			fi
		:: else
		fi
	   }
#ifdef FAILS
	:: break
#endif
	od
}

#ifdef SPURIOUS
proctype kernel()
{
end:
	d_step { armed -> armed = false; edge = true }
}
#endif

#ifdef FAILS
proctype failer()
{
	failed = true;
#ifdef MUTATION_6
	release()
#else
	fail_task = true /* which the first reference goes with */
#endif
}
#endif

/* Runs when nothing else can. */
proctype at_rest()
{
	byte r;

	timeout;
	d_step {
		assert(tail == NIL && owners == 0 && !waiting);
#ifdef FAILS
		assert(references == 0);
#else
		assert(references == 1);
#endif
		for (r : 1 .. COUNT) {
#ifdef CORKED
			assert(done[r] && freed[r] || r == OWN && place[r] == 0) /* which may come too late */
#else
			assert(done[r] && freed[r])
#endif
		}
	}
}

init {
	byte n;

	atomic {
		for (n : 1 .. COUNT) {
			left[n] = 1 + n % 2
		}
		for (n : 1 .. WRITERS) {
			run writer((n - 1) * REQUESTS + 1)
		}
		run loop();
		run peer();
#ifdef SPURIOUS
		run kernel();
#endif
#ifdef FAILS
		run failer();
#endif
		run at_rest()
	}
}
