/* The versioned reference: an id that anybody may ask about at any time, an object that goes
 * away once when nobody uses it, and comes back under the same id where that is wanted.
 *
 * Stands for src/slot.c: brink_socket_address, brink_socket_release, brink_socket_fail, the
 * create and recycle of a slot; and for the fail task, the revive task and the prober.
 *
 * One atomic word has a version and a count. An even version is alive and is what the id
 * has in it; fail makes it odd, recycle makes it even again, the next one.
 *
 * address: adds one to the count, and looks at the version that was there. If it is another
 *     than the id's, the reference is given back: it was a transient one. (The sources look
 *     at the version first and leave the word alone if it is another; that only means fewer
 *     transient references.)
 * fail: by who has a reference. Sets the lowest bit of the version; who found it even is
 *     the winner, and posts the fail task. The first reference goes with the task.
 * release: takes one from the count. Who leaves 0 and an odd version swaps to the next even
 *     version and 0: who succeeds recycles the slot.
 * revive: the fail task of a revivable object leaves the first reference to the prober. Who
 *     would leave the prober's alone does not drop his own: it goes with the revive task to
 *     the loop, which drops it. So who posts has a reference while he does, and while the task
 *     is under way nobody else can be the last. When the loop has once found the prober's
 *     reference alone with an odd version, nobody uses the object, and nobody can until the
 *     version is even: there may be transient references only, and those of who abandons, which
 *     are in nobody's way. So the object is made anew, and then the word swapped for one with
 *     the version less one and the count plus one, unless there is the mark of an abandoned one.
 *
 * abandon: takes a reference, whether the object is alive or has failed, and sets a mark in the
 *     word, for good. Who found it alive fails it; who found it failed knows that it is not
 *     revived any more, and his release tells the prober. The prober of a marked object, once it is
 *     alone, gives its reference up by a swap from the odd version and 1 to the next even version
 *     and 0, which recycles the slot. If that fails somebody is there, whose release
 *     brings the revive task, and it is tried again. (Were it just dropped, the last reference
 *     might be one that is under way with the task, and the next transient one would take
 *     it for the prober's.)
 *
 * USERS threads do ROUNDS times: ask for the first id or the newest, use what they get,
 * perhaps fail it, release it. A creator uses the recycled slot again, once. With REVIVES
 * each of the two objects is revivable or not. With ABANDONS one thread abandons the first.
 *
 * Shown: who has a reference by address sees the object of that id, the same life of it, until
 * the release; a life ends by one fail; a slot is recycled once, and never while somebody
 * uses it; no id of a recycled object resolves, nor one that was abandoned; each task is posted once at a time and only
 * by who has a reference; at rest an object that was failed is recycled or alive again, or has
 * a prober whose peer does not come back and whom nobody has told to give up.
 *
 * check: -DUSERS=2 -DROUNDS=2
 * check: -DUSERS=2 -DROUNDS=2 -DREVIVES
 * check: -DUSERS=2 -DROUNDS=1 -DREVIVES -DABANDONS
 * check: -DUSERS=1 -DROUNDS=3 -DREVIVES -DABANDONS
 * check: -DUSERS=3 -DROUNDS=1 -DREVIVES
 * mutation 1: -DUSERS=2 -DROUNDS=1 | the slot is recycled by who finds 0, without a swap
 * mutation 2: -DUSERS=2 -DROUNDS=1 | recycling leaves the version as it is, one up from the last
 * mutation 3: -DUSERS=2 -DROUNDS=1 | fail looks at the version and then stores it
 * mutation 4: -DUSERS=2 -DROUNDS=2 -DREVIVES | revive does not wait to be alone
 * mutation 5: -DUSERS=2 -DROUNDS=1 -DREVIVES -DABANDONS | the revive task is posted after the release
 * mutation 6: -DUSERS=2 -DROUNDS=2 | create stores the count
 * mutation 7: -DUSERS=2 -DROUNDS=1 -DREVIVES | a transient reference is given back without a look who is left
 * mutation 8: -DUSERS=2 -DROUNDS=1 | a reference counts though the version is another
 * mutation 9: -DUSERS=2 -DROUNDS=2 -DREVIVES | the fail task does not look whether it is alone already
 * mutation 10: -DUSERS=2 -DROUNDS=1 -DREVIVES -DABANDONS | a prober that gives up just drops its reference
 * mutation 11: -DUSERS=2 -DROUNDS=2 -DREVIVES | who gives a transient reference back asks too early whether the object is revivable
 * mutation 12: -DUSERS=1 -DROUNDS=2 -DREVIVES -DABANDONS | revive does not look at the mark
 */
#define FIRST 2 /* never 0: an id that is all zero must not resolve */

mtype = { FAIL, REVIVE, RECYCLE };

/* The word. */
byte version = FIRST;
byte count = 1;
#ifdef ABANDONS
bool mark;
#define MARKED mark
#define CLEAR_MARK mark = false
#else
#define MARKED false
#define CLEAR_MARK skip
#endif

bool prober;                   /* has the first reference of what was failed */
chan tasks = [5] of { mtype }; /* of the loop */
bool in_free_list;
#ifdef REVIVES
bool revivable;                /* what is in the slot: from its creation on */
#endif
byte newest = FIRST;           /* the last id that was given out */

/* For the assertions only. */
byte object = FIRST;           /* the version it was made for; 0: none */
byte life;                     /* counts revivals and creations */
bool torn_down;
byte users;                    /* have a reference by address */
bool fail_posted;
bool revive_posted;
#ifdef ABANDONS
bool abandoner;                /* has a reference */
bool gone;                     /* the first id was abandoned, and who did it has left */
#endif

#define odd(v) ((v) % 2 == 1)

inline post(task, flag)
{
	d_step {
		assert(!flag);
		flag = true;
		tasks ! task
	}
}

inline recycle()
{
	d_step {
		assert(object != 0 && users == 0 && torn_down);
		assert(!fail_posted && !revive_posted);
#ifdef ABANDONS
		assert(!abandoner);
#endif
		object = 0;
		tasks ! RECYCLE
	}
}

/* Drops a reference, and looks only whether it was the last. */
inline drop(v, n)
{
	d_step {
		assert(count > 0);
		count--;
		n = count;
		v = version
	}
	if
	:: n == 0 && odd(v) ->
		if
#ifdef MUTATION_1
		:: version = v + 1;
			recycle()
#else
		:: d_step {
			version == v && count == 0 ->
			CLEAR_MARK;
#ifndef MUTATION_2
			version = v + 1
#endif
		   }
			recycle()
		:: version != v || count != 0
#endif
		fi
	:: else
	fi
}

/* Gives back a reference to what may be anybody's. Whether that is revived is looked at
 * after an odd version was seen: from then on, while the reference is held, it is one and
 * the same object. */
inline give_back(v, n)
{
#ifndef REVIVES
	drop(v, n)
#else
#ifdef MUTATION_5
	drop(v, n);
	if
	:: odd(v) && n == 1 && revivable ->
		assert(version == v && count > 0);
		post(REVIVE, revive_posted)
	:: else
	fi
#else
	do
	:: d_step { v = version; n = count };
		if
		:: odd(v) && n == 2 && revivable ->
			post(REVIVE, revive_posted);
			break
		:: else ->
			if
			:: d_step { version == v && count == n -> count-- };
				if
				:: odd(v) && n == 1 ->
					if
					:: d_step { version == v && count == 0 -> version = v + 1; CLEAR_MARK }
						recycle()
					:: version != v || count != 0
					fi
				:: else
				fi;
				break
			:: version != v || count != n
			fi
		fi
	od;
	skip /* spin: no break may lead to a d_step */
#endif
#endif
}

/* By who has it from address: whether the object is revived will not change until then. */
inline release(v, n)
{
#ifdef REVIVES
	if
	:: revivable -> give_back(v, n)
	:: !revivable -> drop(v, n)
	fi
#else
	drop(v, n)
#endif
}

inline address(id, got, v, n)
{
	d_step {
		v = version;
		count++;
#ifdef MUTATION_8
		got = true;
#else
		got = (v == id);
#endif
		if
		:: got ->
			users++;
#ifdef ABANDONS
			assert(!(gone && id == FIRST));
#endif
			assert(object == id && !torn_down)
		:: else
		fi
	}
	if
	:: got
	:: !got ->
#ifdef MUTATION_7
		drop(v, n)
#else
#ifdef MUTATION_11
		release(v, n)
#else
		give_back(v, n)
#endif
#endif
	fi
}

inline fail(v)
{
#ifdef MUTATION_3
	v = version;
	if
	:: !odd(v) -> version = v + 1
	:: odd(v)
	fi;
#else
	d_step {
		v = version;
		if
		:: !odd(v) -> version = v + 1
		:: odd(v)
		fi
	}
#endif
	if
	:: !odd(v) -> post(FAIL, fail_posted)
	:: odd(v)
	fi
}

proctype user()
{
	byte rounds = ROUNDS, id, v, n, my_life;
	bool got;

	do
	:: rounds > 0 ->
		rounds--;
		if
		:: id = FIRST
		:: newest != FIRST -> id = newest
		fi;
		address(id, got, v, n);
		if
		:: got ->
			my_life = life;
			if
			:: fail(v)
			:: true
			fi;
			d_step {
				assert(object == id && life == my_life);
				users--;
				id = 0;
				my_life = 0;
				got = false
			}
			release(v, n)
		:: !got
		fi;
		d_step { v = 0; n = 0 }
	:: rounds == 0 -> break
	od
}

#ifdef ABANDONS
/* Once. Its reference gives it no right to the object but to the word and the posting. */
proctype abandons()
{
	byte v, n;

	if
	:: d_step {
		(version == FIRST || version == FIRST + 1) && count > 0 ->
		count++;
		abandoner = true
	   }
		d_step { v = version; mark = true };
		if
		:: !odd(v) -> fail(v)
		:: odd(v)
		fi;
		d_step { abandoner = false; gone = true; v = 0 }
		release(v, n)
	:: (version != FIRST && version != FIRST + 1) || count == 0
	fi
}

/* The prober gives up: alone or not at all. If somebody is there, he will be the last. */
inline leave()
{
#ifdef MUTATION_10
	prober = false;
	drop(v, n)
#else
	if
	:: d_step { odd(version) && count == 1 -> version++; count = 0; mark = false; prober = false }
		recycle()
	:: !odd(version) || count != 1
	fi
#endif
}
#endif

proctype loop()
{
	byte v, n;

end_idle:
	do
	:: tasks ? FAIL ->
		d_step {
			assert(!torn_down);
			fail_posted = false;
			torn_down = true
		}
#ifdef REVIVES
		if
		:: revivable -> prober = true
		:: !revivable -> drop(v, n); goto end_idle
		fi;
		d_step { v = version; n = count };
#ifdef MUTATION_9
		n = 0;
#endif
		goto perhaps_alone
#else
		drop(v, n)
#endif
	:: tasks ? REVIVE ->
		revive_posted = false;
#ifdef MUTATION_5
		d_step { v = version; n = count };
#else
		drop(v, n);
#endif
		goto perhaps_alone
	:: tasks ? RECYCLE -> in_free_list = true
	od;

perhaps_alone:
	if
#ifdef ABANDONS
	:: prober && mark && odd(v) && n == 1 -> leave()
	:: prober && !mark && odd(v) && n == 1 -> skip /* its peer is never well again */
#endif
#ifdef MUTATION_4
	:: prober && !MARKED && odd(v) ->
#else
	:: prober && !MARKED && odd(v) && n == 1 ->
#endif
		/* The probe, and the object is made anew. */
		d_step {
			assert(users == 0 && object != 0);
			torn_down = false;
			life++
		}
		if
#ifdef MUTATION_12
		:: d_step { true -> version--; count++; prober = false }
#else
		:: d_step { !MARKED -> version--; count++; prober = false }
#endif
			release(v, n) /* the prober's; the first is the object's again */
#ifdef ABANDONS
		:: mark -> d_step { torn_down = true; life-- }
#endif
		fi
	:: else
	fi;
	d_step { v = 0; n = 0 }
	goto end_idle
}

/* Once. */
proctype creator()
{
	byte v;

end:
	in_free_list;
	d_step {
		in_free_list = false;
		v = version;
		object = v;
		torn_down = false;
		life++
	}
#ifdef REVIVES
	if
	:: revivable = true
	:: revivable = false
	fi;
#endif
#ifdef MUTATION_6
	count = 1;
#else
	count++;
#endif
	newest = v
}

/* Runs when nothing else can. */
proctype at_rest()
{
	timeout;
	d_step {
		assert(users == 0 && len(tasks) == 0);
#ifdef ABANDONS
		assert(!prober || !mark);
#else
		assert(!prober);
#endif
		if
		:: object != 0 && prober -> assert(version == object + 1 && count == 1 && torn_down)
		:: object != 0 && !prober -> assert(version == object && count == 1 && !torn_down)
		:: object == 0 -> assert(!odd(version) && count == 0 && in_free_list)
		fi
	}
}

init {
	byte n;

	atomic {
#ifdef REVIVES
		if
		:: revivable = true
		:: revivable = false
		fi;
#endif
		for (n : 1 .. USERS) {
			run user()
		}
		run loop();
#ifdef ABANDONS
		run abandons();
#endif
		run creator();
		run at_rest()
	}
}
