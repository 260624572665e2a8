/* The end of a failed socket, and writes that overlap with it: the program hears of no request after
 * on_close, and on_close comes.
 *
 * Stands for admit(), submit() and after_giving_up() of src/socket_write.c, and end() of src/socket.c. How
 * the queue works is write_queue.pml's: here it is how many requests are in it, and who made it
 * one has the right to write, until it is empty.
 *
 * A write counts its bytes before it looks whether the socket has failed; one of nothing counts a byte
 * until it is in the queue. A request's bytes are down before it is told of, and it leaves the
 * queue after that. Who fails the socket posts the loop's task. That closes only if nothing is
 * counted and then, which is looked at last, nothing queued. Whoever was in its way and
 * finds that the socket has failed posts it again: who gives up the right to write, and who takes
 * back what he has counted, since the socket had failed or there was no memory.
 *
 * Shown: none is told of after the close; at rest a failed socket is closed, nothing is counted and the queue is
 * empty.
 *
 * check: -DWRITERS=2
 * check: -DWRITERS=3
 * mutation 1: -DWRITERS=1 | a write counts after it has looked whether the socket has failed
 * mutation 2: -DWRITERS=1 | the close does not wait for what is counted
 * mutation 3: -DWRITERS=1 | the close looks at the queue before it looks at what is counted
 * mutation 4: -DWRITERS=1 | who takes back what he has counted does not post
 * mutation 5: -DWRITERS=1 | who gives up the right to write does not post
 * mutation 6: -DWRITERS=1 | a write of nothing does not count
 * mutation 7: -DWRITERS=2 | the close does not wait for an empty queue
 */

byte counted;        /* by the bytes of each */
byte large, nothing; /* requests in the queue: with bytes, and of nothing */
bool failed;
bool write_task, fail_task; /* posted */
bool closed;

inline post_fail()
{
	if
	:: failed -> fail_task = true
	:: else
	fi
}

inline uncount()
{
#ifdef MUTATION_6
	if
	:: !blank -> counted--
	:: else
	fi;
#else
	counted--;
#endif
#ifndef MUTATION_4
	post_fail()
#endif
}

/* All requests, by who has the right to write. */
inline serve()
{
	do
	:: large > 0 ->
		counted--;
		assert(!closed); /* told */
		d_step { large--; over = (large + nothing == 0) }
		if
		:: over -> break
		:: else
		fi
	:: nothing > 0 ->
		assert(!closed);
		d_step { nothing--; over = (large + nothing == 0) }
		if
		:: over -> break
		:: else
		fi
	od;
#ifndef MUTATION_5
	post_fail()
#else
	skip
#endif
}

proctype writer()
{
	bool blank, refused, first, over;

	if
	:: blank = true
	:: true
	fi;
#ifdef MUTATION_1
	refused = failed;
	counted++;
#elif defined(MUTATION_6)
	if
	:: !blank -> counted++
	:: else
	fi;
	refused = failed;
#else
	counted++;
	refused = failed;
#endif
	if
	:: refused -> uncount(); goto end
	:: !refused -> uncount(); goto end /* there is no memory */
	:: !refused
	fi;
	d_step {
		first = (large + nothing == 0);
		if
		:: blank -> nothing++
		:: else -> large++
		fi
	}
	if
	:: first -> serve()           /* in place */
	:: first -> write_task = true /* or the loop */
	:: !first
	fi;
	if
	:: blank -> uncount()
	:: else
	fi;
end:
	skip
}

proctype loop()
{
	bool over;

end_idle:
	do
	:: write_task -> write_task = false; serve()
	:: fail_task ->
		fail_task = false;
#ifdef MUTATION_3
		if
		:: large + nothing == 0 ->
			if
			:: counted == 0 -> closed = true
			:: else
			fi
		:: else
		fi
#else
		if
#ifdef MUTATION_2
		:: true ->
#else
		:: counted == 0 ->
#endif
			if
#ifdef MUTATION_7
			:: true -> closed = true
#else
			:: large + nothing == 0 -> closed = true
			:: else
#endif
			fi
#ifndef MUTATION_2
		:: else
#endif
		fi
#endif
	od
}

proctype failer()
{
	failed = true;
	fail_task = true
}

/* Runs when nothing else can. */
proctype at_rest()
{
	timeout;
	assert(closed && counted == 0 && large + nothing == 0 && !write_task && !fail_task)
}

init {
	byte n;

	atomic {
		for (n : 1 .. WRITERS) {
			run writer()
		}
		run loop();
		run failer();
		run at_rest()
	}
}
