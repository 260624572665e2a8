/* What is printed: text for people, TAP for harnesses, JSON for programs; the list of
 * scenarios; and the table of measured cells. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- --list ---- */

static void print_kinds(unsigned kinds)
{
	const char *separator = "";

	if (kinds == 0)
		fputs(kind_name(KIND_NONE), stdout);
	for (unsigned kind = 1; kind != 0 && kind <= kinds; kind <<= 1) {
		if ((kinds & kind) == 0)
			continue;
		printf("%s%s", separator, kind_name((enum kind)kind));
		separator = ",";
	}
}

static unsigned wanted_kinds(const char *pattern, const struct scenario *scenario)
{
	unsigned wanted = 0;

	for (unsigned kind = 1; kind != 0 && kind <= scenario->kinds; kind <<= 1)
		if ((scenario->kinds & kind) != 0 && is_wanted(pattern, scenario, (enum kind)kind))
			wanted |= kind;
	return wanted;
}

void list_scenarios(const char *pattern)
{
	char promises[32];

	for (size_t g = 0; g < group_count; g++) {
		for (const struct scenario *s = groups[g]->scenarios; s->name != NULL; s++) {
			unsigned kinds = wanted_kinds(pattern, s);

			if (kinds == 0 && (s->kinds != 0 || !is_wanted(pattern, s, KIND_NONE)))
				continue;
			promises_text(s, promises, sizeof promises);
			printf("%s\t%s\t", s->name, promises);
			print_kinds(kinds);
			putchar('\n');
		}
	}
}

/* ---- text ---- */

static void print_indented(const char *text, const char *prefix)
{
	while (text != NULL && *text != '\0') {
		size_t length = strcspn(text, "\n");

		printf("%s%.*s\n", prefix, (int)length, text);
		text += length + (text[length] == '\n');
	}
}

static void print_command(const struct plan *plan, const struct test_case *test, const char *prefix)
{
	printf("%sagain: brink-conformance --backend=%s --match='%s@%s' --seed=%llu%s\n", prefix,
	       test->backend->info.name, test->scenario->name, kind_name(test->kind),
	       (unsigned long long)plan->seed, plan->long_run ? " --long" : "");
}

static void print_details(const struct plan *plan, const struct test_case *test, const char *prefix)
{
	const char *deeper = prefix[0] == '#' ? "#   " : "        ";

	print_indented(test->reason, deeper);
	if (test->verdict != VERDICT_FAIL)
		return;
	print_command(plan, test, deeper);
	if (test->trace != NULL && *test->trace != '\0') {
		printf("%strace:\n", deeper);
		print_indented(test->trace, prefix[0] == '#' ? "#       " : "        ");
	}
	if (test->output != NULL && *test->output != '\0') {
		printf("%soutput:\n", deeper);
		print_indented(test->output, prefix[0] == '#' ? "#       " : "        ");
	}
}

/* The cases of one scenario on one backend stand next to each other: one line for all,
 * when the last is done; then what failed or was skipped. */
static void text_scenario(const struct plan *plan, size_t last)
{
	const struct test_case *test = &plan->cases[last];
	const char *word = "skip";
	char promises[32];
	size_t first = last;

	while (first > 0 && plan->cases[first - 1].scenario == test->scenario &&
	       plan->cases[first - 1].backend == test->backend)
		first--;
	for (size_t i = first; i <= last; i++)
		if (plan->cases[i].verdict == VERDICT_PASS && strcmp(word, "FAIL") != 0)
			word = "ok";
		else if (plan->cases[i].verdict == VERDICT_FAIL)
			word = "FAIL";
	promises_text(test->scenario, promises, sizeof promises);
	printf("%-4s  %-18s  %-48s promise %-8s ", word, test->backend->label, test->scenario->name, promises);
	for (size_t i = first; i <= last; i++)
		if (plan->cases[i].verdict != VERDICT_SKIP)
			printf(" %s", kind_name(plan->cases[i].kind));
	putchar('\n');
	for (size_t i = first; i <= last; i++) {
		if (plan->cases[i].verdict == VERDICT_FAIL) {
			printf("      FAILED on %s:\n", kind_name(plan->cases[i].kind));
			print_details(plan, &plan->cases[i], "      ");
		} else if (plan->cases[i].verdict == VERDICT_SKIP) {
			printf("      skipped on %s: %s\n", kind_name(plan->cases[i].kind), plan->cases[i].reason);
		}
	}
}

static void text_case(const struct plan *plan, const struct test_case *test)
{
	static const char *const words[] = {"none", "ok", "FAIL", "skip"};
	char promises[32];

	promises_text(test->scenario, promises, sizeof promises);
	printf("%-4s  %-18s  %s@%s  promise %s  %llu ms\n", words[test->verdict], test->backend->label,
	       test->scenario->name, kind_name(test->kind), promises, (unsigned long long)(test->took / 1000000u));
	if (test->verdict == VERDICT_PASS)
		print_indented(test->trace, "        ");
	else
		print_details(plan, test, "      ");
}

/* ---- TAP and JSON ---- */

static void tap_case(const struct plan *plan, size_t index)
{
	const struct test_case *test = &plan->cases[index];
	char promises[32];

	promises_text(test->scenario, promises, sizeof promises);
	printf("%s %zu - %s %s@%s (promise %s)", test->verdict == VERDICT_FAIL ? "not ok" : "ok", index + 1,
	       test->backend->label, test->scenario->name, kind_name(test->kind), promises);
	if (test->verdict == VERDICT_SKIP)
		printf(" # SKIP %.*s", (int)strcspn(test->reason, "\n"), test->reason);
	putchar('\n');
	if (test->verdict == VERDICT_FAIL)
		print_details(plan, test, "# ");
}

static void json_string(const char *text)
{
	putchar('"');
	for (; text != NULL && *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c > 0x7e)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void json_case(const struct plan *plan, size_t index)
{
	static const char *const words[] = {"none", "passed", "failed", "skipped"};
	const struct test_case *test = &plan->cases[index];
	char promises[32];

	promises_text(test->scenario, promises, sizeof promises);
	printf("%s\n  {\"scenario\": ", index == 0 ? "" : ",");
	json_string(test->scenario->name);
	printf(", \"promises\": [%s], \"backend\": ", promises);
	json_string(test->backend->info.name);
	printf(", \"stand_in\": %s, \"kind\": ",
	       test->backend->info.features & BRINK_FEATURE_STAND_IN ? "true" : "false");
	json_string(kind_name(test->kind));
	printf(", \"verdict\": \"%s\", \"ms\": %llu", words[test->verdict],
	       (unsigned long long)(test->took / 1000000u));
	if (test->reason != NULL) {
		fputs(", \"reason\": ", stdout);
		json_string(test->reason);
	}
	if (test->measures != NULL && *test->measures != '\0') {
		fputs(", \"measured\": ", stdout);
		json_string(test->measures);
	}
	putchar('}');
}

/* ---- the table of measured cells ---- */

/* The value of `cell` among a case's measures: all of them, where there are several. */
static bool print_cell(const struct test_case *test, const char *cell, size_t cell_length)
{
	bool found = false;

	for (const char *line = test->measures; line != NULL && *line != '\0';) {
		size_t length = strcspn(line, "\n");

		if (length > cell_length && line[cell_length] == '\t' && strncmp(line, cell, cell_length) == 0) {
			printf("%s%.*s", found ? ", " : "", (int)(length - cell_length - 1), line + cell_length + 1);
			found = true;
		}
		line += length + (line[length] == '\n');
	}
	return found;
}

static bool has_cell(const struct test_case *test, const char *end, const char *cell, size_t cell_length)
{
	for (const char *line = test->measures; line != NULL && *line != '\0' && line != end;) {
		size_t length = strcspn(line, "\n");

		if (length > cell_length && line[cell_length] == '\t' && strncmp(line, cell, cell_length) == 0)
			return true;
		line += length + (line[length] == '\n');
	}
	return false;
}

/* The same scenario and kind on backend `b`, or NULL. */
static const struct test_case *on_backend(const struct plan *plan, const struct test_case *test, size_t b)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->cases[i].scenario == test->scenario && plan->cases[i].kind == test->kind &&
		    plan->cases[i].backend == &plan->backends[b])
			return &plan->cases[i];
	return NULL;
}

/* A row is printed where its cell comes first: not if an earlier backend, or an earlier
 * line of this case, has it. */
static bool row_is_new(const struct plan *plan, const struct test_case *test, const char *line, size_t cell_length)
{
	for (size_t b = 0; &plan->backends[b] != test->backend; b++) {
		const struct test_case *other = on_backend(plan, test, b);

		if (other != NULL && has_cell(other, NULL, line, cell_length))
			return false;
	}
	return !has_cell(test, line, line, cell_length);
}

static void print_row(const struct plan *plan, const struct test_case *test, const char *cell, size_t cell_length)
{
	printf("| %s | %s | %.*s |", test->scenario->name, kind_name(test->kind), (int)cell_length, cell);
	for (size_t b = 0; b < plan->backend_count; b++) {
		const struct test_case *other = on_backend(plan, test, b);

		putchar(' ');
		if (other == NULL || !print_cell(other, cell, cell_length))
			putchar('-');
		fputs(" |", stdout);
	}
	putchar('\n');
}

static void print_table(const struct plan *plan)
{
	fputs("\n| scenario | kind | where kernels may differ |", stdout);
	for (size_t b = 0; b < plan->backend_count; b++)
		printf(" %s |", plan->backends[b].label);
	fputs("\n|---|---|---|", stdout);
	for (size_t b = 0; b < plan->backend_count; b++)
		fputs("---|", stdout);
	putchar('\n');
	for (size_t i = 0; i < plan->count; i++) {
		const struct test_case *test = &plan->cases[i];

		for (const char *line = test->measures; line != NULL && *line != '\0';) {
			size_t length = strcspn(line, "\n"), cell_length = strcspn(line, "\t");

			if (cell_length < length && row_is_new(plan, test, line, cell_length))
				print_row(plan, test, line, cell_length);
			line += length + (line[length] == '\n');
		}
	}
	putchar('\n');
}

/* ---- the whole ---- */

static void refused_backends(const struct plan *plan, const char *prefix)
{
	for (size_t b = 0; b < plan->backend_count; b++) {
		const struct backend_choice *backend = &plan->backends[b];

		if (backend->info.status != 0)
			printf("%sskip  %-18s  does not work here: %s\n", prefix, backend->label,
			       brink_strerror(backend->info.status));
	}
}

static void json_start(const struct plan *plan)
{
	const char *separator = "";

	printf("{\"version\": \"%s\", \"seed\": %llu, \"refused\": {", brink_version(),
	       (unsigned long long)plan->seed);
	for (size_t b = 0; b < plan->backend_count; b++) {
		if (plan->backends[b].info.status == 0)
			continue;
		fputs(separator, stdout);
		json_string(plan->backends[b].info.name);
		fputs(": ", stdout);
		json_string(brink_strerror(plan->backends[b].info.status));
		separator = ", ";
	}
	fputs("}, \"cases\": [", stdout);
}

void report_start(const struct plan *plan)
{
	if (plan->format == FORMAT_TEXT) {
		printf("brink %s, driver %s, seed %llu\n", brink_version(), driver_name(),
		       (unsigned long long)plan->seed);
		refused_backends(plan, "");
	} else if (plan->format == FORMAT_TAP) {
		printf("TAP version 13\n1..%zu\n# seed %llu\n", plan->count, (unsigned long long)plan->seed);
		refused_backends(plan, "# ");
	} else {
		json_start(plan);
	}
	fflush(stdout);
}

void report_case(const struct plan *plan, size_t index)
{
	const struct test_case *test = &plan->cases[index];
	bool last = index + 1 == plan->count || test[1].scenario != test->scenario ||
	            test[1].backend != test->backend;

	if (plan->format == FORMAT_TAP)
		tap_case(plan, index);
	else if (plan->format == FORMAT_JSON)
		json_case(plan, index);
	else if (plan->verbose)
		text_case(plan, test);
	else if (last)
		text_scenario(plan, index);
	fflush(stdout);
}

static void print_failures(const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->cases[i].verdict == VERDICT_FAIL)
			printf("failed: %s %s@%s\n", plan->cases[i].backend->label, plan->cases[i].scenario->name,
			       kind_name(plan->cases[i].kind));
}

void report_end(const struct plan *plan)
{
	const char *comment = plan->format == FORMAT_TAP ? "# " : "";

	if (plan->format == FORMAT_JSON) {
		printf("\n], \"passed\": %zu, \"failed\": %zu, \"skipped\": %zu}\n", plan->passed, plan->failed,
		       plan->skipped);
		return;
	}
	if (plan->table && plan->format == FORMAT_TEXT)
		print_table(plan);
	if (plan->format == FORMAT_TEXT)
		print_failures(plan);
	printf("%s%zu passed, %zu failed, %zu skipped\n", comment, plan->passed, plan->failed, plan->skipped);
}
