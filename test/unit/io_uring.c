/* The io_uring backend against a descriptor table, without a loop above it: what only it
 * can get wrong. Each test runs on every kind of ring that the kernel gives, and with a
 * submission queue of one entry as well as with a roomy one. */
#include "config.h"

#include "io_uring.h"

#include <errno.h>
#include <liburing.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static int lowest_free(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void refusals_are_passed_on(void)
{
	const int answers[] = {-ENOSYS, -EPERM, -ENOMEM};
	const unsigned features[] = {IORING_FEAT_NODROP, IORING_FEAT_EXT_ARG, IORING_FEAT_RSRC_TAGS};
	const int before = lowest_free();
	struct rlimit limit, none;

	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		refusal = answers[i];
		CHECK(open_ring(8) == answers[i]);
	}
	refusal = 0;
	for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
		lacked_features = features[i];
		CHECK(open_ring(8) == -ENOSYS);
	}
	lacked_features = 0;
	CHECK(open_ring(1u << 20) == -EINVAL);
	getrlimit(RLIMIT_NOFILE, &limit);
	none = (struct rlimit){(rlim_t)before, limit.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	CHECK(open_ring(8) == -EMFILE);
	setrlimit(RLIMIT_NOFILE, &limit);
	CHECK(lowest_free() == before);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{"reports once, and looks at the level when armed", reports_once_and_looks_at_the_level},
	{"directions are independent; end and error", directions_are_independent},
	{"level: repeats, and can be taken away", level_repeats_and_can_be_taken_away},
	{"level: starves nobody", level_slots_starve_nobody},
	{"more requests and completions than the queues hold", more_than_the_queues_hold},
	{"remove lets go of the file", removal_lets_go_of_the_file},
	{"remove in a crowd lets go of the file", removal_lets_go_in_a_crowd},
	{"remove while another processor completes", removal_races_with_completion},
	{"stale completions are dropped", stale_completions_are_dropped},
	{"readiness that is over is no event", readiness_that_is_over_is_no_event},
	{"closed without remove", closed_without_removal_is_contained},
	{"a writer whose peer has half-closed", writer_to_a_half_closed_peer},
	{"timeouts and signals", timeouts_and_signals},
	{"a host polls the descriptor", host_polls_the_descriptor},
	{"a kernel without memory", kernel_without_memory},
	{"a stream whose answer is dropped fails", stream_whose_answer_is_dropped},
	{"buffers for what is received run out", buffers_run_out},
	{"disarmed, a stream receives no more", disarmed_receives_no_more},
	{"what was moved is reported", what_was_moved_is_reported},
	{"rests, and goes on", rests_and_goes_on},
	{"what was removed is not sent", what_was_removed_is_not_sent},
	{"what was sent is known", what_was_sent_is_known},
	{"changes hands only before it runs", changes_hands_only_before_it_runs},
	{"close lets go of all files", closing_lets_go_of_all_files},
	{"a forked child does not disturb", forked_child_does_not_disturb},
};

static const struct {
	const char *name;
	unsigned refused;
} kinds[] = {
	{"deferred", 0},
	{"cooperative", IORING_SETUP_DEFER_TASKRUN},
	{"plain", IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL},
};

static int passed, failed, skipped;

static void verdict(const char *name, const char *kind)
{
	printf("%s %s (%s, %u entries)\n", failures == 0 ? "ok  " : "FAIL", name, kind, entries);
	failures == 0 ? passed++ : failed++;
	failures = 0;
}

/* Those whose name contains `match`. */
static void run_all(const char *match)
{
	for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
		for (entries = 1; entries <= 64; entries *= 64)
			for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
				const int before = lowest_free();

				if (strstr(tests[i].name, match) == NULL)
					continue;
				refused_flags = kinds[k].refused;
				CHECK(open_ring(entries) == 0);
				tests[i].run();
				ops->close(ring);
				CHECK(lowest_free() == before);
				verdict(tests[i].name, kinds[k].name);
			}
	refused_flags = 0;
	refusals_are_passed_on();
	verdict("refusals are passed on", "no ring");
}

int main(int argc, char **argv)
{
	int rc;

	setvbuf(stdout, NULL, _IOLBF, 0);
	alarm(500); /* for hangs */
	signal(SIGPIPE, SIG_IGN);
	rc = open_ring(1);
	if (rc < 0) {
		printf("skip all: the kernel refuses io_uring: %s\n", strerror(-rc));
		skipped = 1;
	} else {
		ops->close(ring);
		run_all(argc > 1 ? argv[1] : "");
	}
	brink__table_free(&descriptors);
	printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
	return failed != 0;
}
