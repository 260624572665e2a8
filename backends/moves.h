/* Requests that move bytes instead of telling readiness, for slots that have a stream.
 *
 * They stand in the place of a direction's poll request, and so obey the same invariants (see
 * requests.h): at most one a direction, cancelled in the same way. A write is made at once or
 * not at all (MSG_DONTWAIT): its result is there when the enter that handed it over returns.
 * So no write is ever under way while anything else happens, its bytes have to stay only that
 * long, and its order among the socket's other writes is that of the program. What finds no
 * room says EAGAIN, and waits for readiness. */
#ifndef BRINK_MOVES_H
#define BRINK_MOVES_H

#include "dispatcher.h"
#include "receive.h"
#include "stream.h"

#include <errno.h>
#include <sys/socket.h>

/* Writes into `sqe` what serves `direction` of a slot with a stream; false: readiness is to be
 * asked for. */
static inline bool brink__move_write(struct brink__receive *receive, struct io_uring_sqe *sqe, int fd,
                                     unsigned direction, struct brink__stream *stream)
{
	bool is_read = direction == BRINK_READ;

	if (is_read ? stream->first != NULL || stream->end != BRINK__STREAM_GOES_ON
	            : stream->sent != BRINK__STREAM_UNSENT) {
		io_uring_prep_nop(sqe); /* only to be told of what is here already */
		return true;
	}
	if (!is_read && stream->out != NULL) {
		io_uring_prep_send(sqe, fd, stream->out, stream->out_size, MSG_DONTWAIT | MSG_NOSIGNAL);
		return true;
	}
	if (!is_read || stream->direct || stream->over || !brink__receive_ready(receive))
		return false;
	io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = BRINK__RECEIVE_GROUP;
	stream->receiving = true;
	return true;
}

/* The kernel has no memory, no buffer, or no such request: the socket has to read by itself,
 * for once, or all have to. */
static inline unsigned brink__move_give_up(struct brink__receive *receive, int error)
{
	if (error == -ENOBUFS)
		receive->ran_out = true;
	else if (error != -ENOMEM)
		receive->refused = true;
	return BRINK_READ;
}

/* What the answer to a request to receive says of READ; 0: nothing. */
static inline unsigned brink__move_received(struct brink__receive *receive, struct brink__stream *stream,
                                            int res, struct brink__piece *piece)
{
	if (piece != NULL)
		brink__stream_arrived(stream, piece);
	if (res > 0)
		return BRINK_READ;
	switch (res) {
	case 0:
		stream->end = 0;
		return BRINK_READ | BRINK_EOF;
	case -ECANCELED:
	case -EINTR:
		return 0;
	case -ENOBUFS:
	case -ENOMEM:
	case -EINVAL:
	case -EOPNOTSUPP:
		return brink__move_give_up(receive, res);
	default:
		stream->end = res;
		return BRINK_READ;
	}
}

/* The same of WRITE. */
static inline unsigned brink__move_sent(struct brink__stream *stream, int res)
{
	if (res == -ECANCELED || res == -EINTR)
		return 0;
	stream->sent = res;
	stream->out = NULL;
	return BRINK_WRITE;
}

static inline unsigned brink__move_answer(struct brink__receive *receive, unsigned direction,
                                          struct brink__stream *stream, int res, struct brink__piece *piece)
{
	if (direction == BRINK_READ)
		return stream->receiving ? brink__move_received(receive, stream, res, piece) : BRINK_READ;
	return stream->out != NULL ? brink__move_sent(stream, res) : BRINK_WRITE;
}

#endif
