/* The wakeup: nothing that was handed to a loop stays behind while the loop sleeps.
 *
 * Stands for src/wakeup.c: brink__wakeup, brink_loop_wakeup, on_wakeup; for src/task.c:
 * brink_task_post, brink__tasks_run; for src/loop.c: patience, and the order of a turn.
 *
 * Posters push tasks to a stack; who finds it empty wakes the loop. To wake is to raise a
 * flag, and to write one byte to a pipe if it was down. The loop looks at the stack last
 * before it waits, and does not wait if there is something. After the wait it takes the
 * stack and calls what was in it; then, if the pipe was readable, it drains the pipe, hands
 * the ticket back, takes the flag down, and looks whether it was woken for its own sake.
 *
 * With SPURIOUS the pipe is once reported readable for nothing, which some kernels do. Then
 * the flag may be taken down between its raising and the byte, and a second byte come.
 *
 * Shown: at rest every task was called, and who woke the loop for its own sake was heard; at
 * most one byte is in the pipe; nobody goes round for ever.
 *
 * check: -DPOSTERS=2 -DTASKS=2 -DBYTES=1
 * check: -DPOSTERS=3 -DTASKS=1 -DBYTES=1 -DWAKER
 * check: -DPOSTERS=2 -DTASKS=2 -DBYTES=1 -DWAKER
 * check: -DPOSTERS=2 -DTASKS=2 -DBYTES=2 -DWAKER -DSPURIOUS
 * mutation 1: -DPOSTERS=2 -DTASKS=2 -DBYTES=9 | the flag is taken down before the pipe is drained
 * mutation 2: -DPOSTERS=2 -DTASKS=2 -DBYTES=1 | the loop does not look at the stack before it waits
 * mutation 3: -DPOSTERS=2 -DTASKS=2 -DBYTES=1 -DWAKER | the flag is raised by a look and a store
 * mutation 4: -DPOSTERS=2 -DTASKS=1 -DBYTES=1 | the loop is woken before the task is pushed
 * mutation 5: -DPOSTERS=2 -DTASKS=1 -DBYTES=1 | the stack is emptied by a look and a store
 * mutation 6: -DPOSTERS=1 -DTASKS=1 -DBYTES=1 -DWAKER | it is looked who woke for its own sake before the flag is down
 * mutation 7: -DPOSTERS=1 -DTASKS=2 -DBYTES=1 | the ticket is not handed back
 */
#define ALL (POSTERS * TASKS)

byte posted;        /* tasks in the stack */
bool pending;       /* the flag */
byte bytes;         /* in the pipe */
bool armed = true;  /* the pipe's ticket is with the kernel */
bool asked;         /* by brink_loop_wakeup() */

/* For the assertions only. */
byte called;
bool heard;

inline wakeup(was)
{
	if
	:: pending
	:: !pending ->
#ifdef MUTATION_3
		was = pending;
		pending = true;
#else
		d_step { was = pending; pending = true }
#endif
		if
		:: was
		:: !was ->
			d_step {
				bytes++;
				assert(bytes <= BYTES)
			}
		fi
	fi
}

proctype poster()
{
	byte n = TASKS, top;
	bool was;

	do
	:: n > 0 ->
		n--;
#ifdef MUTATION_4
		top = posted;
		if
		:: top == 0 -> wakeup(was)
		:: top != 0
		fi;
		posted++
#else
		/* The compare-and-swap that succeeds. */
		d_step { top = posted; posted++ }
		if
		:: top == 0 -> wakeup(was)
		:: top != 0
		fi
#endif
	:: n == 0 -> break
	od
}

#ifdef WAKER
proctype waker()
{
	bool was;

	asked = true;
	wakeup(was)
}
#endif

proctype loop()
{
	byte taken;
	bool ready;
#ifdef SPURIOUS
	bool lied;
#endif

	do
	::
		/* The wait. */
		if
#ifndef MUTATION_2
		:: posted > 0 -> ready = (armed && bytes > 0)
		:: posted == 0 ->
#else
		:: true ->
#endif
end_asleep:
			if
			:: armed && bytes > 0 -> ready = true
#ifdef SPURIOUS
			:: armed && !lied -> ready = true; lied = true
#endif
			fi
		fi;
		if
		:: ready -> armed = false
		:: !ready
		fi;
		/* The tasks. */
#ifdef MUTATION_5
		taken = posted;
		posted = 0;
#else
		d_step { taken = posted; posted = 0 };
#endif
		d_step { called = called + taken; taken = 0 };
		/* The watches. */
		if
		:: ready ->
			ready = false;
#ifdef MUTATION_1
			pending = false;
#endif
			bytes = 0;
#ifndef MUTATION_7
			armed = true;
#endif
#ifdef MUTATION_6
			d_step { heard = heard || asked; asked = false }
#endif
#ifndef MUTATION_1
			pending = false;
#endif
#ifndef MUTATION_6
			d_step { heard = heard || asked; asked = false }
#endif
		:: !ready
		fi
	od
}

/* Runs when nothing else can. */
proctype at_rest()
{
	timeout;
	d_step {
		assert(called == ALL);
#ifdef WAKER
		assert(heard && !asked)
#endif
	}
}

init {
	byte n;

	atomic {
		for (n : 1 .. POSTERS) {
			run poster()
		}
#ifdef WAKER
		run waker();
#endif
		run loop();
		run at_rest()
	}
}
