#include "config.h"

#include "loop.h"

void brink_loop_set_trace(brink_loop *loop, brink_trace_fn *trace, void *context)
{
	loop->trace = trace;
	loop->trace_context = context;
}

void brink__trace_emit(brink_loop *loop, enum brink_trace_kind kind, int fd, unsigned bits,
                       const void *object, int64_t value)
{
	struct brink_trace_record record = {
		.kind = kind,
		.fd = fd,
		.bits = bits,
		.object = object,
		.value = value,
	};

	loop->trace(&record, loop->trace_context);
}
