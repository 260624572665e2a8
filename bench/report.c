/* What was measured, as a table for people and as JSON for programs. */
#include "bench.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static FILE *json;
static const char *separator;

void progress(const char *format, ...)
{
	va_list arguments;

	if (!isatty(STDERR_FILENO))
		return;
	fputs("\r\033[K", stderr);
	if (format != NULL) {
		va_start(arguments, format);
		vfprintf(stderr, format, arguments);
		va_end(arguments);
	}
	fflush(stderr);
}

void complain(const char *format, ...)
{
	va_list arguments;

	progress(NULL);
	fputs("brink-bench: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
}

/* The table goes where the JSON does not. */
static FILE *table(void)
{
	return json == stdout ? stderr : stdout;
}

static void begin_json(const struct settings *settings)
{
	fprintf(json, "{\"benchmark\": \"%s\",\n \"machine\": ", settings->benchmark);
	describe_machine_json(json);
	fprintf(json,
	        ",\n \"settings\": {\"connections\": %u, \"size\": %zu, \"depth\": %u, \"rounds\": %u, \"slot\": %g, "
	        "\"threads\": %u, \"idle\": %u, \"timers\": %u},\n \"rows\": [",
	        settings->connections, settings->size, settings->depth, settings->rounds, settings->slot,
	        settings->threads, settings->idle, settings->timers);
}

void report_begin(const struct settings *settings)
{
	separator = "\n  ";
	if (settings->json != NULL) {
		json = strcmp(settings->json, "-") == 0 ? stdout : fopen(settings->json, "w");
		if (json == NULL) {
			complain("%s: %s", settings->json, strerror(errno));
			exit(EXIT_FAILURE);
		}
		begin_json(settings);
	}
	describe_machine(table());
	fprintf(table(), "%-28s %-30s %5s %11s %23s %9s %19s %19s\n", settings->benchmark, "quantity", "slots", "median",
	        "quartiles", "ratio", "quartiles", "95% interval");
}

static void json_summary(const char *name, const struct summary *summary)
{
	fprintf(json,
	        ", \"%s\": {\"count\": %zu, \"median\": %.6g, \"q1\": %.6g, \"q3\": %.6g, \"low\": %.6g, \"high\": %.6g, "
	        "\"least\": %.6g, \"most\": %.6g}",
	        name, summary->count, summary->median, summary->q1, summary->q3, summary->low, summary->high,
	        summary->least, summary->most);
}

static void json_row(const char *label, const struct quantity *quantity, const struct summary *values,
                     const struct summary *ratios)
{
	fprintf(json, "%s{\"contender\": \"%s\", \"quantity\": \"%s\", \"unit\": \"%s\"", separator, label,
	        quantity->name, quantity->unit);
	separator = ",\n  ";
	json_summary("value", values);
	if (ratios != NULL)
		json_summary("ratio", ratios);
	fprintf(json, "}");
}

void report_row(const char *label, const struct quantity *quantity, const struct summary *values,
                const struct summary *ratios)
{
	char name[64];

	progress(NULL);
	snprintf(name, sizeof name, "%s, %s", quantity->name, quantity->unit);
	fprintf(table(), "%-28s %-30s %5zu %11.4g  %10.4g - %9.4g", label, name, values->count, values->median,
	        values->q1, values->q3);
	if (ratios != NULL)
		fprintf(table(), " %9.3f   %7.3f - %6.3f   %7.3f - %6.3f", ratios->median, ratios->q1, ratios->q3,
		        ratios->low, ratios->high);
	fputc('\n', table());
	fflush(table());
	if (json != NULL)
		json_row(label, quantity, values, ratios);
}

int report_end(void)
{
	int failed = 0;

	if (json != NULL) {
		fprintf(json, "\n ]}\n");
		failed = ferror(json) != 0 || (json == stdout ? fflush(json) : fclose(json)) != 0;
		if (failed)
			complain("the JSON could not be written");
	}
	json = NULL;
	return failed;
}
