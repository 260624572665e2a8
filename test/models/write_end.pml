/* The end of a failed socket, and writes that overlap with it: the program hears of no request after
 * on_close, and on_close comes.
 *
 * Stands for admit(), submit(), write_nothing() and after_giving_up() of src/socket_write.c, and end() of src/socket.c. How
 * the queue works is write_queue.pml's: here it is how many requests are in it, and who made it
 * one has the right to write, until it is empty.
 *
 * A write counts its bytes before it looks whether the socket has failed; one of nothing counts a byte
 * until it is in the queue, where it is not linked before that byte is down: who comes to where it will be
 * leaves it the right to write. A request's bytes are down before it is told of, and it leaves the
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
 * mutation 8: -DWRITERS=1 | a write of nothing takes its byte back before it is in the queue
 */

byte counted;        /* by the bytes of each */
byte large, nothing; /* requests in the queue: with bytes, and of nothing */
byte apart;          /* those that are not linked there yet */
bool hole;           /* the right to write is left to one of these */
bool failed;
bool write_task, fail_task; /* posted */
bool closed;

#define QUEUED (large + nothing + apart)

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
		d_step { large--; over = (QUEUED == 0) }
		if
		:: over -> break
		:: else
		fi
	:: nothing > 0 ->
		assert(!closed);
		d_step { nothing--; over = (QUEUED == 0) }
		if
		:: over -> break
		:: else
		fi
	:: d_step { large + nothing == 0 && apart > 0 -> hole = true }; break
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
#ifdef MUTATION_8
	if
	:: blank -> counted--
	:: else
	fi;
#endif
	d_step {
		first = (QUEUED == 0);
		if
		:: blank -> apart++
		:: else -> large++
		fi
	}
	if
	:: blank ->
#if !defined(MUTATION_6) && !defined(MUTATION_8)
		counted--;
#endif
		d_step {
			apart--;
			nothing++;
			first = first || hole;
			hole = false
		}
	:: else
	fi;
	if
	:: first -> serve()           /* in place */
	:: first -> write_task = true /* or the loop */
	:: !first
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
		:: QUEUED == 0 ->
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
			:: QUEUED == 0 -> closed = true
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
	assert(closed && counted == 0 && QUEUED == 0 && !write_task && !fail_task)
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
