#!/bin/sh
# The programs of the handbook compile without a warning, run, and end with status 0: each
# ```c block of doc/handbook/*.md that has a main(). The other blocks are parts of something.
set -u
. "${srcdir:-$(dirname "$0")/..}/test/lib.sh"
scratch_directory
warnings="-Wall -Wextra -Wshadow -Wconversion -Werror"

# Each becomes CHAPTER-NUMBER.c, with the lines that it has in the chapter.
for chapter in "$srcdir"/doc/handbook/*.md; do
	[ -f "$chapter" ] || continue
	awk -v name="$(basename "$chapter" .md)" -v folder="$scratch" '
		/^```c[ \t]*$/ { inside = 1; has_main = 0; text = "#line " FNR + 1 " \"" name ".md\"\n"; next }
		/^```/ && inside {
			inside = 0
			if (has_main) {
				file = name "-" ++number
				printf "%s", text >(folder "/" file ".c")
				close(folder "/" file ".c")
				print file
			}
			next
		}
		inside { text = text $0 "\n" }
		inside && /^int main\(/ { has_main = 1 }
	' "$chapter"
done >"$scratch/names"
attempt "the handbook has programs to test" test -s "$scratch/names"

while read -r name; do
	# shellcheck disable=SC2086
	attempt "$name compiles without a warning" $CC ${CFLAGS-} $warnings -I"$srcdir/include" \
		-c "$scratch/$name.c" -o "$scratch/$name.o"
	# shellcheck disable=SC2086
	attempt "$name links" ./libtool --quiet --tag=CC --mode=link $CC ${CFLAGS-} \
		-o "$scratch/$name" "$scratch/$name.o" libbrink-tls.la libbrink.la
	attempt "$name runs" "$scratch/$name"
done <"$scratch/names"
finish
