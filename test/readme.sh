#!/bin/sh
# The C programs of the README compile without a warning and run. A program to be tested
# has a line "<!-- test: NAME -->" before its ```c block.
#
# One whose name begins with "echo" is examples/NAME.c. It gets an address, with any free port,
# begins what it prints with the real one, and echoes, which examples/echo-client checks byte by
# byte, until it is told to stop. Any other must end with status 0.
set -u
. "${srcdir:-$(dirname "$0")/..}/test/lib.sh"
scratch_directory
warnings="-Wall -Wextra -Wshadow -Wconversion -Werror"

# Each marked block becomes NAME.c.
awk -v folder="$scratch" '
	/^<!-- test: [a-z0-9-]+ -->/ { name = $3; next }
	/^```c[ \t]*$/ && name != "" { file = folder "/" name ".c"; print name; name = ""; next }
	/^```/ && file != "" { close(file); file = ""; next }
	file != "" { print > file; next }
	/[^ \t]/ { name = "" }
' "$srcdir/README.md" >"$scratch/names"
attempt "the README has a program to test" test -s "$scratch/names"

echoes()
{
	"$scratch/$1" 127.0.0.1:0 >"$scratch/said" 2>"$scratch/errors" &
	server=$!
	waited=0
	# Only a server that hangs, or ended, is waited for in vain.
	while [ ! -s "$scratch/said" ] && [ $waited -lt 60 ] && kill -0 "$server" 2>/dev/null; do
		sleep 1
		waited=$((waited + 1))
	done
	port=$(sed -n '1s/^127\.0\.0\.1:\([0-9]*\).*/\1/p' "$scratch/said")
	examples/echo-client --port "$port" --connections 5 --seconds 0.3
	verdict=$?
	kill -TERM "$server"
	wait "$server" || verdict=1
	cat "$scratch/said" "$scratch/errors"
	return $verdict
}

for name in $(cat "$scratch/names"); do
	# shellcheck disable=SC2086
	attempt "$name compiles without a warning" $CC ${CFLAGS-} $warnings -I"$srcdir/include" \
		-c "$scratch/$name.c" -o "$scratch/$name.o"
	# shellcheck disable=SC2086
	attempt "$name links" ./libtool --quiet --tag=CC --mode=link $CC ${CFLAGS-} \
		-o "$scratch/$name" "$scratch/$name.o" libbrink.la
	case $name in
	echo*)
		attempt "$name is examples/$name.c" diff "$srcdir/examples/$name.c" "$scratch/$name.c"
		attempt "$name echoes every byte, and stops well" echoes "$name"
		;;
	*) attempt "$name runs" "$scratch/$name" ;;
	esac
done
finish
