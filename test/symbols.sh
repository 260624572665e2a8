#!/bin/sh
# Each shared library exports the functions of its public headers and nothing else; the
# static one defines no global name outside brink_.
set -u
. "${srcdir:-$(dirname "$0")/..}/test/lib.sh"
scratch_directory

if [ "${NM:-no}" = no ]; then
	skip "exported symbols: there is no nm"
	finish
fi

# look LIBRARY HEADER...
look()
{
	library=$1
	shift
	functions_of "$@" >"$scratch/declared"
	attempt "$library: the headers declare functions" test -s "$scratch/declared"

	shared=
	for file in .libs/$library.so.*.*.* .libs/$library.so.*.* .libs/$library.*.dylib; do
		[ -f "$file" ] && shared=$file && break
	done
	if [ -z "$shared" ]; then
		skip "$library: the shared library's symbols: it was not built"
	else
		# -P: name type value size. An underscore comes first on macOS.
		"$NM" -P -g -D "$shared" 2>/dev/null >"$scratch/nm" || "$NM" -P -g "$shared" >"$scratch/nm"
		# What the linker itself defines in every library is not ours.
		awk '$2 ~ /^[A-TV-Zuw]$/ && $2 != "w" { print $1 }' "$scratch/nm" |
			sed -e 's/@.*//' -e 's/^_brink/brink/' |
			grep -v -x -e __bss_start -e _edata -e _end -e _init -e _fini -e __progname -e environ |
			grep -v '^__\(asan\|tsan\|ubsan\|odr_asan\)' | sort -u >"$scratch/exported"
		attempt "$library: only declared functions are exported, and all of them" \
			diff "$scratch/declared" "$scratch/exported"
	fi

	if [ ! -f ".libs/$library.a" ]; then
		skip "$library: the static library's symbols: it was not built"
	else
		"$NM" -P -g ".libs/$library.a" 2>/dev/null >"$scratch/nm"
		awk '$2 ~ /^[A-TV-Z]$/ { print $1 }' "$scratch/nm" | sed 's/^_brink/brink/' |
			grep -v '^brink_' | grep -v '^__\(asan\|tsan\|ubsan\|odr_asan\)' |
			sort -u >"$scratch/foreign"
		attempt "$library: every global name of the static library begins with brink_" \
			diff /dev/null "$scratch/foreign"
		awk '$2 == "T" { print $1 }' "$scratch/nm" | sed 's/^_brink/brink/' | sort -u >"$scratch/defined"
		attempt "$library: the static library has every function that the headers declare" \
			test -z "$(comm -23 "$scratch/declared" "$scratch/defined")"
	fi
}

# shellcheck disable=SC2046
look libbrink $(public_headers | grep -v -x brink/tls.h)
look libbrink-tls brink/tls.h
finish
