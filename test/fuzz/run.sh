#!/bin/sh
# Called by make check-fuzz with the files of the targets: builds the library and the targets
# with clang, and runs each of them. One that finds nothing wrong in its time has passed.
set -u
seconds=$FUZZ_SECONDS
flags=fuzzer-no-link,address,undefined

if [ -f "$top/config.status" ]; then
	echo "check-fuzz needs a build outside the source tree" >&2
	exit 1
fi
mkdir -p _build/fuzz || exit 1

cat >_build/fuzz/try.c <<'END'
#include <stddef.h>
#include <stdint.h>
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return size != 0 && data == NULL;
}
END
if ! clang -fsanitize=fuzzer,address,undefined -o _build/fuzz/try _build/fuzz/try.c 2>/dev/null; then
	echo "check-fuzz: skipped: there is no clang with libFuzzer (script/setup test installs it)"
	echo "0 passed, 0 failed, $# skipped"
	exit 0
fi

arguments=$(./config.status --config)
(
	cd _build/fuzz &&
		{ [ -f config.status ] || eval "\"$top/configure\" --quiet $arguments CC=clang CFLAGS='-O1 -g' \
			--enable-debug --disable-shared --enable-sanitizers=$flags"; } &&
		$MAKE fuzz-programs
) || exit 1

ASAN_OPTIONS=detect_stack_use_after_return=1:allocator_may_return_null=1
UBSAN_OPTIONS=print_stacktrace=1
export ASAN_OPTIONS UBSAN_OPTIONS

# New inputs go to the first folder; the kept ones are only read.
fuzz()
{
	mkdir -p "_build/fuzz/new/$1" _build/fuzz/bad
	rm -f "_build/fuzz/$1.passed"
	"_build/fuzz/fuzz/$1" -max_total_time="$seconds" -timeout=60 -print_final_stats=1 \
		-artifact_prefix="_build/fuzz/bad/$1-" "_build/fuzz/new/$1" \
		"$top/test/fuzz/corpus/$1" >"_build/fuzz/$1.out" 2>&1 && : >"_build/fuzz/$1.passed"
}

passed=0
failed=0
tell()
{
	if [ -f "_build/fuzz/$1.passed" ]; then
		passed=$((passed + 1))
		echo "ok: $1"
		grep -E '^(Done|stat::number_of_executed_units)' "_build/fuzz/$1.out"
	else
		failed=$((failed + 1))
		echo "FAILED: $1"
		tail -n 60 "_build/fuzz/$1.out"
	fi
}

# Two at a time: one of them keeps one processor busy.
while [ $# -gt 0 ]; do
	pair=
	for source in "$1" ${2+"$2"}; do
		target=$(basename "$source" .c)
		pair="$pair $target"
		echo "check-fuzz: $target, $seconds s"
		fuzz "$target" &
		shift
	done
	wait
	for target in $pair; do
		tell "$target"
	done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
