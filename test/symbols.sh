#!/bin/sh
# The shared library exports the functions of the public headers and nothing else; the
# static one defines no global name outside brink_.
set -u
. "${srcdir:-$(dirname "$0")/..}/test/lib.sh"
scratch_directory

if [ "${NM:-no}" = no ]; then
	skip "exported symbols: there is no nm"
	finish
fi

public_functions >"$scratch/declared"
attempt "the headers declare functions" test -s "$scratch/declared"

shared=
for file in .libs/libbrink.so.*.*.* .libs/libbrink.so.*.* .libs/libbrink.*.dylib; do
	[ -f "$file" ] && shared=$file && break
done
if [ -z "$shared" ]; then
	skip "the shared library's symbols: it was not built"
else
	# -P: name type value size. An underscore comes first on macOS.
	"$NM" -P -g -D "$shared" 2>/dev/null >"$scratch/nm" || "$NM" -P -g "$shared" >"$scratch/nm"
	# What the linker itself defines in every library is not ours.
	awk '$2 ~ /^[A-TV-Zuw]$/ && $2 != "w" { print $1 }' "$scratch/nm" |
		sed -e 's/@.*//' -e 's/^_brink/brink/' |
		grep -v -x -e __bss_start -e _edata -e _end -e _init -e _fini -e __progname -e environ |
		grep -v '^__\(asan\|tsan\|ubsan\|odr_asan\)' | sort -u >"$scratch/exported"
	attempt "only declared functions are exported, and all of them" \
		diff "$scratch/declared" "$scratch/exported"
fi

if [ ! -f .libs/libbrink.a ]; then
	skip "the static library's symbols: it was not built"
else
	"$NM" -P -g .libs/libbrink.a 2>/dev/null >"$scratch/nm"
	awk '$2 ~ /^[A-TV-Z]$/ { print $1 }' "$scratch/nm" | sed 's/^_brink/brink/' |
		grep -v '^brink_' | grep -v '^__\(asan\|tsan\|ubsan\|odr_asan\)' |
		sort -u >"$scratch/foreign"
	attempt "every global name of the static library begins with brink_" \
		diff /dev/null "$scratch/foreign"
	awk '$2 == "T" { print $1 }' "$scratch/nm" | sed 's/^_brink/brink/' | sort -u >"$scratch/defined"
	attempt "the static library has every function that the headers declare" \
		test -z "$(comm -23 "$scratch/declared" "$scratch/defined")"
fi
finish
