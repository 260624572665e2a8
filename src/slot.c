/* Slots: memory that is always a socket, and ids that say which one.
 *
 * An id is the number of a slot and the version that the slot had when the socket was
 * made. The slot's word holds its present version, in the high half, and how many refer to
 * the socket, in the low half, so that one atomic addition takes a reference and says
 * whether it was the right socket's. The last two bits of the version are its state:
 *
 *     0   alive: the id with this version resolves
 *     1   failed: the id of the version before does not resolve (until it is revived)
 *     2   free, until the next socket is made of it
 *
 * The highest bit of the count is a mark: it was abandoned, and is not to be revived. One that is
 * alive may have it, and live on until it is closed.
 *
 * To fail is to set the lowest bit, which only one can do. Then no new reference can be
 * had, the count must come to 0, and whoever moves the word from {failed, 0} to {free, 0}
 * gives the slot back. It takes a compare-and-swap: late askers raise and lower the count
 * of a failed socket, so several may see it at 0.
 *
 * The memory of a slot is never freed, so that any id can be asked about at any time; a
 * slot whose version has come round is not used again, so that no id is given out twice. */
#include "config.h"

#include "memory.h"
#include "socket.h"

#include <errno.h>
#include <string.h>

#define PAGE 128u
#define PAGES 65536u
#define VERSION_OF(word) ((uint32_t)((word) >> 32))
#define ABANDONED (UINT64_C(1) << 31)
#define COUNT_OF(word) ((uint32_t)((word) & (ABANDONED - 1)))
#define WORD(version, count) ((uint64_t)(version) << 32 | (count))
#define ALIVE 0u
#define FAILED 1u
#define FREE 2u
#define STATE_OF(word) (VERSION_OF(word) & 3)

/* The one thing that is the process's and no loop's: an id is asked about without knowing
 * its loop. */
static _Atomic(brink_socket *) pages[PAGES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows */
static uint32_t made; /* slots that there are */
static brink_socket *unused; /* linked by `data` */

/* A page begins where a cache line does. The blocks that they lie in are linked, for who looks for leaks. */
static brink_socket *allocate_page(void)
{
	static void *blocks;
	void **block = brink__allocate(1, PAGE * sizeof(brink_socket) + sizeof *block + BRINK__CACHE_LINE);
	uintptr_t after = (uintptr_t)(block + 1);

	if (block == NULL)
		return NULL;
	*block = blocks;
	blocks = block;
	return (brink_socket *)(after + (BRINK__CACHE_LINE - after % BRINK__CACHE_LINE) % BRINK__CACHE_LINE);
}

static bool make_page(void)
{
	brink_socket *page = made / PAGE < PAGES ? allocate_page() : NULL;

	if (page == NULL)
		return false;
	for (uint32_t i = PAGE; i-- > 0;) {
		atomic_init(&page[i].word, WORD(FREE, 0));
		page[i].index = made + i;
		page[i].data = unused;
		unused = &page[i];
	}
	atomic_store(&pages[made / PAGE], page);
	made += PAGE;
	return true;
}

/* All but what stale ids may touch, and what tells the slot. */
static void clear(brink_socket *socket)
{
	uint32_t index = socket->index;
	size_t start = offsetof(brink_socket, index);

	memset((char *)socket + start, 0, sizeof *socket - start);
	socket->index = index;
}

int brink__slot_take(brink_socket **taken)
{
	brink_socket *socket;

	pthread_mutex_lock(&lock);
	if (unused == NULL && !make_page()) {
		pthread_mutex_unlock(&lock);
		return -ENOMEM;
	}
	socket = unused;
	unused = socket->data;
	pthread_mutex_unlock(&lock);
	clear(socket);
	*taken = socket;
	return 0;
}

void brink__slot_publish(brink_socket *socket, unsigned references)
{
	/* Not a store: who asks for an old id may have raised the count for a moment. The first
	 * version is 4, so that no id is 0. */
	atomic_fetch_add(&socket->word, WORD(FREE, references));
}

void brink__slot_give(brink_socket *socket)
{
	if (VERSION_OF(atomic_load(&socket->word)) == (UINT32_MAX & ~3u) + FREE)
		return; /* the next would be version 0 */
	pthread_mutex_lock(&lock);
	socket->data = unused;
	unused = socket;
	pthread_mutex_unlock(&lock);
}

void brink__slots_before_fork(void)
{
	pthread_mutex_lock(&lock);
}

void brink__slots_after_fork(void)
{
	pthread_mutex_unlock(&lock);
}

/* ---- references ---- */

/* Whoever brought the count of a failed socket to 0, leaving `word`, tries; one succeeds. */
static void recycle(brink_socket *socket, uint64_t word)
{
	if (atomic_compare_exchange_strong(&socket->word, &word, WORD(VERSION_OF(word) + 1, 0)))
		brink__socket_post(socket, BRINK__SOCKET_RECYCLE);
}

/* The prober of a revivable socket is to be told when its reference is the only one left. A
 * releaser has no right to touch the socket after its release, so the last one's reference
 * travels to the loop instead, which drops it there. While it travels the count is 2 with
 * nobody else about, so no other can see exactly 2. Whether the socket is revivable is asked
 * only after it was seen to have failed: only then it is known to be the same one. */
static void give_back(brink_socket *socket)
{
	uint64_t word = atomic_load(&socket->word);

	do {
		if (STATE_OF(word) == FAILED && COUNT_OF(word) == 2 && socket->revivable) {
			brink__socket_post(socket, BRINK__SOCKET_ALONE);
			return;
		}
	} while (!atomic_compare_exchange_weak(&socket->word, &word, word - 1));
	if (COUNT_OF(word) == 1 && STATE_OF(word) == FAILED)
		recycle(socket, word - 1);
}

void brink_socket_release(brink_socket *socket)
{
	uint64_t left;

	if (brink__unlikely(socket->revivable)) {
		give_back(socket);
		return;
	}
	left = atomic_fetch_sub(&socket->word, 1) - 1;
	if (brink__unlikely(COUNT_OF(left) == 0 && STATE_OF(left) == FAILED))
		recycle(socket, left);
}

brink_socket *brink_socket_hold(brink_socket *socket)
{
	/* There is a reference already, so nothing is to be ordered. */
	atomic_fetch_add_explicit(&socket->word, 1, memory_order_relaxed);
	return socket;
}

brink_socket *brink_socket_address(brink_socket_id id)
{
	uint32_t index = (uint32_t)id, version = (uint32_t)(id >> 32);
	brink_socket *page, *socket;

	if (brink__unlikely(index / PAGE >= PAGES))
		return NULL;
	page = atomic_load_explicit(&pages[index / PAGE], memory_order_acquire);
	if (brink__unlikely(page == NULL || (version & 3) != ALIVE))
		return NULL;
	socket = &page[index % PAGE];
	/* The look first: who asks for dead ids again and again moves no cache line, and keeps
	 * no prober from having the only reference. */
	if (brink__unlikely(VERSION_OF(atomic_load_explicit(&socket->word, memory_order_relaxed)) != version))
		return NULL;
	if (brink__likely(VERSION_OF(atomic_fetch_add(&socket->word, 1)) == version))
		return socket;
	give_back(socket);
	return NULL;
}

brink_socket *brink__slot_find(brink_socket_id id)
{
	uint32_t index = (uint32_t)id, version = (uint32_t)(id >> 32);
	brink_socket *page = index / PAGE < PAGES ? atomic_load(&pages[index / PAGE]) : NULL;
	uint64_t word;

	if (page == NULL || (version & 3) != ALIVE)
		return NULL;
	word = atomic_load(&page[index % PAGE].word);
	do {
		if ((VERSION_OF(word) & ~FAILED) != version || COUNT_OF(word) == 0)
			return NULL;
	} while (!atomic_compare_exchange_weak(&page[index % PAGE].word, &word, word + 1));
	return &page[index % PAGE];
}

brink_socket_id brink_socket_get_id(const brink_socket *socket)
{
	uint64_t word = atomic_load_explicit(&socket->word, memory_order_relaxed);

	return WORD(VERSION_OF(word) & ~3u, socket->index);
}

brink_socket *brink__slot_at(uint32_t index)
{
	brink_socket *page = NULL;

	if (index / PAGE < PAGES)
		page = atomic_load(&pages[index / PAGE]);
	return page != NULL ? &page[index % PAGE] : NULL;
}

brink_socket *brink__slot_walk(uint32_t *index)
{
	brink_socket *slot, *socket = NULL;

	while (socket == NULL && (slot = brink__slot_at(*index)) != NULL) {
		uint64_t word = atomic_load(&slot->word);

		if (STATE_OF(word) == ALIVE)
			socket = brink_socket_address(WORD(VERSION_OF(word), *index));
		++*index;
	}
	return socket;
}

void brink__slot_mark_failed(brink_socket *socket)
{
	atomic_fetch_or(&socket->word, WORD(FAILED, 0));
}

/* ---- the prober's ---- */

static bool is_alone(uint64_t word)
{
	return STATE_OF(word) == FAILED && COUNT_OF(word) == 1;
}

bool brink__slot_alone(brink_socket *socket)
{
	return is_alone(atomic_load(&socket->word));
}

bool brink__slot_drop(brink_socket *socket)
{
	return is_alone(atomic_fetch_sub(&socket->word, 1) - 1);
}

bool brink__slot_revive(brink_socket *socket)
{
	uint64_t word = atomic_load(&socket->word);

	do {
		if (word & ABANDONED)
			return false;
		/* One version back, and one reference more. */
	} while (!atomic_compare_exchange_weak(&socket->word, &word, word - WORD(FAILED, 0) + 1));
	return true;
}

enum brink__found brink__slot_abandon(brink_socket *socket)
{
	uint64_t word = atomic_fetch_or(&socket->word, ABANDONED);

	if (STATE_OF(word) == ALIVE)
		return BRINK__FOUND_ALIVE;
	return word & ABANDONED ? BRINK__FOUND_ABANDONED : BRINK__FOUND_FAILED;
}

bool brink__slot_abandoned(brink_socket *socket)
{
	return (atomic_load(&socket->word) & ABANDONED) != 0;
}

bool brink__slot_is_over(brink_socket_id id)
{
	brink_socket *socket = brink__slot_at((uint32_t)id);
	uint64_t word = socket != NULL ? atomic_load(&socket->word) : WORD(FREE, 0);

	return (VERSION_OF(word) & ~FAILED) != (uint32_t)(id >> 32) || (word & ABANDONED) != 0;
}

void brink__slot_give_up(brink_socket *socket)
{
	uint64_t word = WORD(VERSION_OF(atomic_load(&socket->word)), 1) | ABANDONED;

	/* A plain drop would make who is about for a moment the last but one. */
	if (atomic_compare_exchange_strong(&socket->word, &word, WORD(VERSION_OF(word) - FAILED + FREE, 0)))
		brink__socket_post(socket, BRINK__SOCKET_RECYCLE);
}
