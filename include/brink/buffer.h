/* A buffer: a sequence of bytes that grows at its end and shrinks at either, and that is
 * moved, shared and cut without copying.
 *
 * It is a chain of pieces of blocks. A block is 8 KiB of memory (68 KiB where 34 KiB or more are
 * asked for at once, and of another size where brink_buffer_reserve() could not have one piece of
 * that) with a count of the pieces that stand for parts of it; to share or to cut
 * bytes is to make another piece. So the bytes of one block may be in many buffers, on many
 * threads, at once: nobody writes to bytes that are in a buffer, and what is still free of a
 * block is filled by one buffer at a time.
 *
 * A buffer belongs to one thread at a time, as any other object; the functions that take it
 * as const may be called by several threads at once while nobody changes it. Two buffers
 * may be used by two threads at once also while they share blocks. Any thread may use and
 * drop what another thread filled. None of these functions may be called in a signal handler.
 *
 * What is held. An empty buffer holds nothing. Otherwise each block of which the buffer has
 * as much as one byte is held whole: ten bytes that were cut from what a connection sent
 * keep 8 or 68 KiB until they are dropped, together with all others that were cut from the same
 * block. That is cheap for what is dealt with and dropped; what is to stay for long is
 * better copied out, by brink_buffer_copy(), into memory of its own size (which can be a
 * buffer again: brink_buffer_wrap()). Dropped blocks are kept for the next use: at most 256
 * KiB of small and 544 KiB of large ones for each thread, given back when it ends, and some 4 MiB of
 * each for the process. */
#ifndef BRINK_BUFFER_H
#define BRINK_BUFFER_H

#include <brink/base.h>

#include <sys/types.h>
#include <sys/uio.h>

BRINK_BEGIN_DECLS

/* Is called when nothing refers to wrapped memory any more, from the thread that dropped
 * the last reference, inside the function that dropped it. It must not use the buffers of
 * that call. */
typedef void brink_release_fn(void *bytes, size_t size, void *arg);

/* In the caller's memory; all zero is empty. The members are the library's. It may be
 * moved in memory, by assignment for example, as long as only one of the two is used
 * afterwards. Before its memory goes, it must be empty: brink_buffer_clear(). */
struct brink_buffer {
	struct brink__piece *first, *last;
	size_t length;
};

/* Makes it empty, whatever it held: for memory that is not zero. */
BRINK_API void brink_buffer_init(brink_buffer *buffer);

/* Drops everything. */
BRINK_API void brink_buffer_clear(brink_buffer *buffer);

/* The number of bytes. */
static inline size_t brink_buffer_length(const brink_buffer *buffer)
{
	return buffer->length;
}

/* ---- bytes in ---- */

/* Appends a copy of `size` bytes, which may lie in the buffer itself.
 *   -ENOMEM   nothing is changed */
BRINK_API int brink_buffer_append(brink_buffer *buffer, const void *bytes, size_t size);

/* Appends memory of the caller's without copying it. It must stay, and stay as it is, until
 * `release` (may be NULL) is called with these arguments, exactly once. For a `size` of 0
 * that is at once.
 *   -ENOMEM   nothing is changed, and `release` is not called */
BRINK_API int brink_buffer_wrap(brink_buffer *buffer, void *bytes, size_t size, brink_release_fn *release,
                                void *arg);

/* Room to write to, at the end of the buffer: at least `least` bytes, and at least one, in one
 * piece. Their number is in `room` (may be NULL). The bytes that are written there are part
 * of the buffer only after brink_buffer_commit(). The room can be written to until then, or
 * until the buffer is changed by any other function: that gives the room up, and so does
 * another reservation. NULL without memory. */
BRINK_API void *brink_buffer_reserve(brink_buffer *buffer, size_t least, size_t *room);

/* The same in up to `count` parts, for readv(2): together `size` bytes, or fewer if so many
 * parts do not hold them. Returns how many parts it set.
 *   -ENOMEM   nothing is reserved
 *   -EINVAL   `size` or `count` is less than 1 */
BRINK_API int brink_buffer_reserve_iovecs(brink_buffer *buffer, size_t size, struct iovec *parts, int count);

/* Appends the first `size` bytes of the room reserved last, in the order of its parts, and
 * gives up the rest. `size` is at most what was reserved; 0 is right too. */
BRINK_API void brink_buffer_commit(brink_buffer *buffer, size_t size);

/* ---- from buffer to buffer: no byte is copied ---- */

/* Appends everything that is in `from`, which is empty then. Never fails. */
BRINK_API void brink_buffer_move(brink_buffer *to, brink_buffer *from);

/* Appends the bytes of `from`, which keeps them, too. The two may be the same.
 *   -ENOMEM   nothing is changed */
BRINK_API int brink_buffer_share(brink_buffer *to, const brink_buffer *from);

/* Moves the first `size` bytes of `from`, or all if it has fewer, to the end of `to`. The
 * two may be the same. Returns how many that were. To cut off everything never fails.
 *   -ENOMEM   nothing is changed */
BRINK_API ssize_t brink_buffer_cut(brink_buffer *from, brink_buffer *to, size_t size);

/* ---- bytes out ---- */

/* Drop `size` bytes, or all if there are fewer, at the beginning and at the end. Return how
 * many that were. Never fail. */
BRINK_API size_t brink_buffer_pop(brink_buffer *buffer, size_t size);
BRINK_API size_t brink_buffer_pop_back(brink_buffer *buffer, size_t size);

/* Copies up to `size` bytes, from `offset` on, to `to`; the buffer keeps them. Returns how
 * many that were. */
BRINK_API size_t brink_buffer_copy(const brink_buffer *buffer, size_t offset, void *to, size_t size);

/* The first `size` bytes in one piece: where they are, if they lie together, else copied
 * to `scratch`, which has room for them. They are good until the buffer is changed. NULL
 * if there are fewer. For a `size` of 0 it is `scratch`. */
BRINK_API const void *brink_buffer_peek(const brink_buffer *buffer, size_t size, void *scratch);

/* Where the bytes from `offset` on lie, in up to `count` parts; returns how many it set, 0
 * when `offset` is the length or above. The parts are good until the buffer is changed. */
BRINK_API int brink_buffer_iovecs(const brink_buffer *buffer, size_t offset, struct iovec *parts, int count);

#define BRINK_BUFFER_PATTERN 256 /* the longest pattern, in bytes */

/* The place of the first occurrence of `pattern` that begins at `offset` or later, counted
 * from the beginning of the buffer. The time is linear, whatever the pattern. A `size` of 0
 * is found at `offset`, if that is at most the length.
 *   -ENOENT   there is none
 *   -EINVAL   `size` is above BRINK_BUFFER_PATTERN */
BRINK_API ssize_t brink_buffer_find(const brink_buffer *buffer, size_t offset, const void *pattern, size_t size);

/* ---- descriptors ---- */

/* Appends what one readv(2) of up to `most` bytes gives. It reads at most 512 KiB at once.
 * Returns their number, 0 at the end of the stream, or a negative errno, when nothing is
 * changed: what the system call said, -EAGAIN for example, or
 *   -ENOMEM   nothing was read
 *   -EINVAL   `most` is 0
 * EINTR is retried. On a watched descriptor it is for programs that hand their tickets back
 * themselves: brink_watch_rearm() after -EAGAIN. */
BRINK_API ssize_t brink_buffer_read_from(brink_buffer *buffer, int fd, size_t most);

/* Writes as much as one writev(2) of up to IOV_MAX parts takes, and drops what was written.
 * Returns its size, 0 if the buffer is empty, or a negative errno, when nothing is changed.
 * EINTR is retried. Never raises SIGPIPE. Tickets as above. */
BRINK_API ssize_t brink_buffer_write_to(brink_buffer *buffer, int fd);

BRINK_END_DECLS

#endif
