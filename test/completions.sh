#!/bin/sh
# The socket layer on io_uring also without completions, and with one buffer to receive into and
# queues of two entries.
. "${srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/test/lib.sh"
scratch_directory
works=$(examples/echo-server --list 2>/dev/null | grep -c -x io_uring) || works=0

# conforms HOW: counts what the suite says.
conforms()
{
	./socket-conformance --backend=io_uring --completions="$1" >"$scratch/log" 2>&1
	grep -E -A 6 '^(FAIL|failed:)' "$scratch/log"
	line=$(tail -n 1 "$scratch/log" | tr -cd '0-9 ')
	# shellcheck disable=SC2086
	set -- $line
	[ $# -eq 3 ] || set -- 0 1 0
	passed=$((passed + $1))
	failed=$((failed + $2))
	skipped=$((skipped + $3))
}

if [ "$works" -eq 0 ]; then
	skip 'io_uring does not work here, or is not compiled in'
else
	conforms off
	conforms tiny
fi
finish
