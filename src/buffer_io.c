/* Buffers and descriptors. */
#include "config.h"

#include "buffer.h"
#include "os.h"

#include <errno.h>
#include <limits.h> /* IOV_MAX */

#define READ_MOST ((size_t)512 * 1024)
#define READ_PARTS 16 /* enough for that: the rest of a block, seven large ones, and small ones for what is left */

#ifdef IOV_MAX
#define WRITE_PARTS (IOV_MAX < 1024 ? IOV_MAX : 1024)
#else
#define WRITE_PARTS 16 /* what POSIX promises at least */
#endif

ssize_t brink_buffer_read_from(brink_buffer *buffer, int fd, size_t most)
{
	struct iovec parts[READ_PARTS];
	int count = brink_buffer_reserve_iovecs(buffer, most < READ_MOST ? most : READ_MOST, parts, READ_PARTS);
	ssize_t moved;

	if (count < 0)
		return count;
	do
		moved = readv(fd, parts, count);
	while (moved < 0 && errno == EINTR);
	moved = moved < 0 ? -errno : moved;
	brink_buffer_commit(buffer, moved < 0 ? 0 : (size_t)moved);
	return moved;
}

ssize_t brink_buffer_write_to(brink_buffer *buffer, int fd)
{
	struct iovec parts[WRITE_PARTS];
	int count = brink_buffer_iovecs(buffer, 0, parts, WRITE_PARTS);
	ssize_t moved;

	if (count == 0)
		return 0;
	moved = brink__os_writev_any(fd, parts, count);
	if (moved > 0)
		brink_buffer_pop(buffer, (size_t)moved);
	return moved;
}
