/* Checks of the tests that look inside. */
#ifndef UNIT_CHECK_H
#define UNIT_CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* A condition that fails ends the program: what follows would say nothing more. */
#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

static uint64_t check_seed;
static unsigned checks_passed;

static _Noreturn void check_failed(const char *file, int line, const char *what)
{
	printf("%s:%d: not so: %s\n", file, line, what);
	if (check_seed != 0)
		printf("again with this seed as the first argument: %llu\n", (unsigned long long)check_seed);
	printf("%u passed, 1 failed\n", checks_passed);
	fflush(stdout);
	_Exit(1);
}

static inline void passed(const char *what)
{
	printf("ok  %s\n", what);
	fflush(stdout);
	checks_passed++;
}

static inline int finish(void)
{
	printf("%u passed, 0 failed\n", checks_passed);
	return 0;
}

/* ---- reproducible chance ---- */

static uint64_t random_state;

static inline void seed_random(int argc, char **argv, uint64_t otherwise)
{
	check_seed = random_state = argc > 1 ? strtoull(argv[1], NULL, 0) : otherwise;
	printf("seed %llu\n", (unsigned long long)check_seed);
}

static inline uint64_t random_bits(void)
{
	uint64_t value = random_state += 0x9e3779b97f4a7c15u;

	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
	return value ^ (value >> 31);
}

static inline unsigned random_below(unsigned end)
{
	return (unsigned)(random_bits() % end);
}

#endif
