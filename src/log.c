#include "config.h"

#include "loop.h"

#include <stdarg.h>
#include <stdio.h>

static brink_log_fn *sink;
static enum brink_log_level sink_level;
static void *sink_context;

void brink_set_log(brink_log_fn *log, enum brink_log_level most, void *context)
{
	sink = log;
	sink_level = most;
	sink_context = context;
}

void brink__log(enum brink_log_level level, const char *format, ...)
{
	char line[512];
	va_list arguments;

	if (sink == NULL || level > sink_level)
		return;
	va_start(arguments, format);
	vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	sink(level, line, sink_context);
}
