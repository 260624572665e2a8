/* The replies of an HTTP connection: any thread answers, one at a time writes, in order, and no reply stays behind.
 *
 * Stands for src/http_line.c: brink__http_flush_locked, may_write, was_alone; src/http_time.c: is_served.
 *
 * Who answers takes the lock, and marks his request as answered. If nobody writes, he takes what is answered from the
 * line, writes it without the lock, and looks again with it, until there is nothing. If somebody writes he leaves a
 * mark, which is looked at again. What was all that there was, and little, needs no second look with the lock: the
 * writer leaves by swapping his own mark back, which fails where another's was left.
 *
 * When nothing is left in the line the connection is idle, also while the last reply is still to be written. The loop's
 * timer closes one that is idle for too long: unless somebody writes, or bytes are unsent, or were sent just now.
 *
 * Shown: one writes at a time, and none to a connection that was closed as idle, which none is that has just sent; at
 * rest every reply was written, in the order of the answers, and nobody writes.
 *
 * check: -DTHREADS=2 -DANSWERS=2
 * check: -DTHREADS=3 -DANSWERS=1
 * check: -DTHREADS=4 -DANSWERS=1
 * mutation 1: -DTHREADS=2 -DANSWERS=1 | who finds somebody writing leaves no mark
 * mutation 2: -DTHREADS=2 -DANSWERS=1 | the writer leaves by a store
 * mutation 3: -DTHREADS=2 -DANSWERS=1 | the mark is left by a store
 * mutation 4: -DTHREADS=2 -DANSWERS=1 | who leaves does so before he has written
 * mutation 5: -DTHREADS=1 -DANSWERS=1 | the timer does not ask whether somebody writes
 * mutation 6: -DTHREADS=1 -DANSWERS=1 | the timer looks at the bytes, and then whether somebody writes
 */
mtype = { NOBODY, ONE, ONE_AND_ANOTHER };

mtype writing = NOBODY;
bool locked;
byte answered; /* and in the line */
byte pending = THREADS * ANSWERS; /* in the line */
bool idle;
byte unsent;
bool recent;   /* something was sent just now */
bool closed;   /* for it was idle */

/* For the assertions only. */
byte answers;  /* so far: each has the next number */
byte written;
byte writers;

inline lock()
{
	d_step { !locked -> locked = true }
}

inline unlock()
{
	locked = false
}

/* `mine`: it is this thread that writes. With the lock. */
inline may_write(mine)
{
	do
	:: writing == NOBODY ->
		writing = ONE;
		mine = true;
		break
#ifdef MUTATION_1
	:: writing != NOBODY -> break
#elif defined(MUTATION_3)
	:: writing != NOBODY -> writing = ONE_AND_ANOTHER; break
#else
	:: d_step { writing == ONE -> writing = ONE_AND_ANOTHER }
		break
	:: writing == ONE_AND_ANOTHER -> break
#endif
	od
}

inline write(first, count)
{
	writers++;
	unsent = unsent + count;
	assert(writers == 1 && written == first && !closed);
	written = written + count;
	recent = true;
	unsent = unsent - count;
	writers--
}

proctype thread()
{
	byte n = ANSWERS, count, first;
	bool mine, alone;

	do
	:: n > 0 ->
		n--;
		lock();
		d_step { answered++; answers++ };
		mine = false;
		may_write(mine);
		do
		:: mine && answered > 0 ->
			d_step { count = answered; first = answers - answered; answered = 0; pending = pending - count };
			if
			:: alone = true; idle = (pending == 0)
			:: alone = false
			fi;
			unlock();
#ifdef MUTATION_4
			if
			:: d_step { alone && writing == ONE -> writing = NOBODY }
				write(first, count);
				break
			:: else
			fi;
#endif
			write(first, count);
			if
#ifdef MUTATION_2
			:: alone -> writing = NOBODY; break
			:: !alone
#else
			:: d_step { alone && writing == ONE -> writing = NOBODY }
				break
			:: !alone || writing != ONE
#endif
			fi;
			lock()
		:: mine && answered == 0 ->
			writing = NOBODY;
			idle = (pending == 0);
			unlock();
			break
		:: !mine ->
			unlock();
			break
		od
	:: n == 0 -> break
	od
}

proctype timer()
{
	bool goes_out;

	lock();
	if
	:: idle ->
#ifdef MUTATION_6
		goes_out = (unsent > 0 || recent);
		goes_out = goes_out || (writing != NOBODY);
		closed = !goes_out
#else
#ifndef MUTATION_5
		goes_out = (writing != NOBODY);
#endif
		goes_out = goes_out || (unsent > 0);
		closed = !goes_out && !recent
#endif
		assert(!closed || !recent)
	:: !idle
	fi;
	unlock()
}

/* Runs when nothing else can. */
proctype at_rest()
{
	timeout;
	assert(written == THREADS * ANSWERS && answered == 0 && writing == NOBODY && !locked)
}

init {
	byte n;

	atomic {
		for (n : 1 .. THREADS) {
			run thread()
		}
		run timer();
		run at_rest()
	}
}
