#!/bin/sh
# Each public header can be included alone, in C99 and in C++11, with every warning on.
set -u
. "${srcdir:-$(dirname "$0")/..}/test/lib.sh"
scratch_directory

warnings="-Wall -Wextra -pedantic -Wshadow -Wconversion -Wundef -Werror"
for header in $(public_headers); do
	# Twice, because a header must bear that too.
	printf '#include <%s>\n#include <%s>\nint main(void) { return 0; }\n' "$header" "$header" \
		>"$scratch/program.c"
	cp "$scratch/program.c" "$scratch/program.cc"
	# shellcheck disable=SC2086
	attempt "<$header> alone, C99" $CC -std=c99 $warnings -Wstrict-prototypes -I"$srcdir/include" \
		-c "$scratch/program.c" -o "$scratch/program.o"
	if [ "${CXX:-no}" = no ]; then
		skip "<$header> alone, C++: there is no C++ compiler"
		continue
	fi
	# shellcheck disable=SC2086
	attempt "<$header> alone, C++" $CXX -std=c++11 $warnings -I"$srcdir/include" \
		-c "$scratch/program.cc" -o "$scratch/program.o"
done

# From C++ the functions must be found under their C names.
if [ "${CXX:-no}" = no ]; then
	skip "a C++ program links: there is no C++ compiler"
elif [ ! -f libbrink.la ]; then
	fail "a C++ program links: there is no libbrink.la here"
else
	cat >"$scratch/program.cc" <<'END'
#include <brink.h>
#include <cstring>

int main()
{
	brink_loop *loop = NULL;
	int rc = brink_loop_create(&loop, NULL);

	if (rc == 0)
		rc = brink_loop_run(loop);
	brink_loop_destroy(loop);
	return rc != 0 || std::strcmp(brink_version(), BRINK_VERSION_STRING) != 0;
}
END
	# shellcheck disable=SC2086
	attempt "a C++ program compiles" $CXX -std=c++11 $warnings -I"$srcdir/include" \
		-c "$scratch/program.cc" -o "$scratch/program.o"
	# shellcheck disable=SC2086
	attempt "a C++ program links" ./libtool --quiet --tag=CC --mode=link $CXX ${CFLAGS-} \
		-o "$scratch/program" "$scratch/program.o" libbrink.la
	attempt "a C++ program runs" "$scratch/program"
fi
finish
