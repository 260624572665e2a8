#include "config.h"

#include "stream.h"

#include "memory.h"

#include <errno.h>
#include <string.h>

static bool widen(struct brink__table *table, uint32_t fd)
{
	uint32_t count = table->stream_count != 0 ? table->stream_count : 64;
	struct brink__stream **streams;

	while (count <= fd)
		count *= 2;
	streams = brink__resize(table->streams, count, sizeof(struct brink__stream *));
	if (streams == NULL)
		return false;
	memset(streams + table->stream_count, 0, (count - table->stream_count) * sizeof(struct brink__stream *));
	table->streams = streams;
	table->stream_count = count;
	return true;
}

int brink__stream_attach(struct brink__table *table, int fd, struct brink__stream *stream)
{
	if ((uint32_t)fd >= table->stream_count && !widen(table, (uint32_t)fd))
		return -ENOMEM;
	table->streams[fd] = stream;
	return 0;
}

void brink__stream_detach(struct brink__table *table, int fd, struct brink__stream *stream)
{
	if ((uint32_t)fd < table->stream_count && table->streams[fd] == stream)
		table->streams[fd] = NULL;
}
