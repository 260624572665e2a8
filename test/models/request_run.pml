/* A request that its writer may still lengthen: what is added is sent once, in its place, and nobody looks at a
 * request that was freed.
 *
 * Stands for src/request.c and what src/socket_flush.c has to do with it: gathering, taking off, and the end of
 * requests. The right to write is the loop's here, and it waits for a link that is under way: see write_queue.pml.
 *
 * A request has room for two bytes, each a write of its own. One thread, the lengthener, claims a request where the
 * queue's last is its own, and lets go of the one that it had. While the tail is the claimed one it adds
 * to that, by a swap that fails once it is sealed. Another thread queues a request for each byte. Who lets go and the
 * queue, when it is through, each mark the request by an exchange; who finds the other's mark frees it.
 *
 * The loop gathers two requests at most. It seals each that has another behind it before it looks at how much it is, and
 * the last one only when all of it is sent. The kernel takes one byte, or all. With FAILS the socket fails at some time:
 * then requests end with what is left of them.
 *
 * Shown: each byte is sent, or given up after a failure, once; none before one whose write was over when its own
 * began; all requests are freed in the end, once, and none is touched after that.
 *
 * check: -DMINE=3 -DOTHERS=1
 * large: -DMINE=2 -DOTHERS=2
 * large: -DMINE=3 -DOTHERS=1 -DFAILS
 * mutation 1: -DMINE=3 -DOTHERS=1 | the claimed one is lengthened wherever it is in the queue
 * mutation 2: -DMINE=3 -DOTHERS=1 | who gathers goes on to the next without sealing
 * mutation 3: -DMINE=3 -DOTHERS=1 | a request ends without being sealed
 * mutation 4: -DMINE=3 -DOTHERS=1 | the queue frees a request that is claimed
 * mutation 5: -DMINE=3 -DOTHERS=1 | who lets go does not look whether the queue is through
 * mutation 6: -DMINE=3 -DOTHERS=1 | the queue looks at the claim, and then stores its mark
 * mutation 7: -DMINE=3 -DOTHERS=1 | what is added counts though the request was sealed meanwhile
 * mutation 8: -DMINE=3 -DOTHERS=1 | the request is sealed when all seems to be sent, and ends without another look
 */
#define NIL 0
#define COUNT (MINE + OTHERS) /* of bytes, and so of requests at most */
#define ROOM 2

/* The socket. */
byte tail;
byte head;
bool failed;

/* The requests, numbered from 1 on. */
byte next[COUNT + 1];
byte used[COUNT + 1];
byte from[COUNT + 1];
bool sealed[COUNT + 1];
bool is_claimed[COUNT + 1];
bool over[COUNT + 1];
byte bytes[(COUNT + 1) * ROOM]; /* which write each is */
byte made;

/* For the assertions only. */
bool freed[COUNT + 1];
bool gone[COUNT + 1];     /* of each write: sent, or given up */
bool finished[COUNT + 1]; /* its call is over */
short before[COUNT + 1];  /* those that were over when it began */
byte running = 2;

inline begin(w)
{
	d_step {
		for (k : 1 .. COUNT) {
			if
			:: finished[k] -> before[w] = before[w] | (1 << k)
			:: else
			fi
		}
		k = 0
	}
}

inline free(r)
{
	d_step {
		assert(!freed[r]);
		freed[r] = true
	}
}

/* One with the byte of write `w`, put at the end. */
inline queue(r, w, claims)
{
	d_step {
		made++;
		r = made;
		bytes[r * ROOM] = w;
		used[r] = 1;
		is_claimed[r] = claims;
		sealed[r] = !claims
	}
	if
	:: claims ->
		let_go();
		mine = r
	:: else
	fi;
	d_step {
		last = tail;
		tail = r;
		if
		:: last == NIL -> head = r
		:: else -> assert(!freed[last])
		fi
	}
	if
	:: last != NIL -> next[last] = r
	:: else
	fi;
	last = NIL
}

inline let_go()
{
	if
	:: mine != NIL ->
		d_step {
			assert(!freed[mine]);
			is_claimed[mine] = false;
#ifndef MUTATION_5
			if
			:: over[mine] -> freed[mine] = true
			:: else
			fi;
#endif
			mine = NIL
		}
	:: else
	fi
}

proctype lengthener()
{
	byte w, r, k, last, seen, recent, mine;
	bool added;

	do
	:: w < MINE ->
		w++;
		begin(w);
		added = false;
		seen = tail;
		if
#ifdef MUTATION_1
		:: mine != NIL && !sealed[mine] && used[mine] < ROOM ->
#else
		:: seen == mine && mine != NIL && !sealed[mine] && used[mine] < ROOM ->
#endif
			assert(!freed[mine]);
			bytes[mine * ROOM + used[mine]] = w;
			d_step {
				assert(!freed[mine]);
#ifdef MUTATION_7
				used[mine]++;
				added = true
#else
				if
				:: !sealed[mine] -> used[mine]++; added = true
				:: else
				fi
#endif
			}
		:: else
		fi;
		if
		:: !added ->
			queue(r, w, (seen != NIL && seen == recent));
			recent = r;
			r = NIL
		:: else
		fi;
		finished[w] = true
	:: else -> break
	od;
	seen = NIL;
	let_go();
	running--
}

proctype other()
{
	byte w = MINE, r, k, last, mine;

	do
	:: w < COUNT ->
		w++;
		begin(w);
		queue(r, w, false);
		r = NIL;
		finished[w] = true
	:: else -> break
	od;
	running--
}

inline seal(r)
{
	assert(!freed[r]);
	sealed[r] = true
}

/* The byte at `at` of `r` is sent, or given up. */
inline take(r, at)
{
	d_step {
		assert(!freed[r]);
		w = bytes[r * ROOM + at];
		assert(w != 0 && !gone[w]);
		gone[w] = true;
		for (k : 1 .. COUNT) {
			assert(!(before[w] & (1 << k)) || gone[k])
		}
		w = 0;
		k = 0
	}
}

/* Up to `most` bytes of it were sent. */
inline pop(r, most)
{
	d_step {
		if
		:: used[r] - from[r] < most -> most = most - (used[r] - from[r]); from[r] = used[r]
		:: else -> from[r] = from[r] + most; most = 0
		fi
	}
}

proctype loop()
{
	byte r, second, first_size, second_size, sent, k, w, last;

end_idle:
	do
	:: tail != NIL && head != NIL -> r = head; goto look
	od;

look: /* whether `r` is at its end */
	if
	:: failed ->
		seal(r);
		do
		:: from[r] < used[r] -> take(r, from[r]); from[r]++
		:: else -> break
		od;
		goto ended
	:: else
	fi;
	if
	:: from[r] < used[r] -> goto write
	:: else
	fi;
#ifndef MUTATION_3
	seal(r);
#endif
#ifndef MUTATION_8
	if
	:: from[r] < used[r] -> goto write
	:: else
	fi;
#endif
ended:
	if
	:: d_step { next[r] == NIL && tail == r -> tail = NIL; head = NIL }
		last = r;
		r = NIL
	:: next[r] != NIL -> last = r; r = next[last]
	fi;
	/* Its bytes are all gone. */
	assert(from[last] == used[last]);
	if
#ifdef MUTATION_4
	:: true -> free(last)
#else
	:: !is_claimed[last] -> free(last)
	:: else ->
#ifdef MUTATION_6
		skip;
		over[last] = true
#else
		d_step {
			over[last] = true;
			if
			:: !is_claimed[last] -> assert(!freed[last]); freed[last] = true
			:: else
			fi
		}
#endif
#endif
	fi;
	last = NIL;
	if
	:: r == NIL -> goto end_idle
	:: else -> head = r; goto look
	fi;

write:
	second = next[r];
#ifndef MUTATION_2
	if
	:: second != NIL -> seal(r)
	:: else
	fi;
#endif
	first_size = used[r] - from[r];
	second_size = 0;
	if
	:: second != NIL && next[second] != NIL ->
#ifndef MUTATION_2
		seal(second);
#endif
		second_size = used[second]
	:: second != NIL && next[second] == NIL -> second_size = used[second]
	:: else
	fi;
	/* What was gathered cannot be something else later. */
	if
	:: first_size > 0 -> sent = 1; take(r, from[r])
	:: first_size == 0 -> sent = 1; take(second, 0)
	fi;
	if
	:: sent < first_size + second_size ->
		do
		:: sent < first_size -> take(r, from[r] + sent); sent++
		:: sent >= first_size && sent < first_size + second_size -> take(second, sent - first_size); sent++
		:: sent == first_size + second_size -> break
		od
	:: true /* the kernel took one */
	fi;
	first_size = 0;
	second_size = 0;
	pop(r, sent);
	if
	:: sent > 0 -> pop(second, sent); assert(sent == 0)
	:: else
	fi;
	second = NIL;
	goto look
}

#ifdef FAILS
proctype failer()
{
	failed = true
}
#endif

/* Runs when nothing else can. */
proctype at_rest()
{
	byte r;

	timeout;
	d_step {
		assert(tail == NIL && running == 0);
		for (r : 1 .. COUNT) {
			assert(gone[r]);
			assert(r > made || freed[r])
		}
	}
}

init {
	atomic {
		run lengthener();
		run other();
		run loop();
#ifdef FAILS
		run failer();
#endif
		run at_rest()
	}
}
