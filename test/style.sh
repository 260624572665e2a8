#!/bin/sh
# What the sources promise to their readers and a script can see: short backends, no
# preprocessor conditional inside a function, nothing left to be done later.
set -u
. "${srcdir:-$(dirname "$0")/..}/test/lib.sh"
scratch_directory

for file in "$srcdir"/backends/*.c; do
	attempt "backends/$(basename "$file") is a page or so (at most 260 lines)" \
		test "$(wc -l <"$file")" -le 260
done

# A function's body stands between a "{" and a "}" that begin a line; tables of data do
# not have their brace there.
for file in "$srcdir"/src/*.[ch] "$srcdir"/backends/*.[ch]; do
	[ -f "$file" ] || continue
	awk -v name="${file#"$srcdir"/}" '
		/^{/ { inside = 1 }
		/^}/ { inside = 0 }
		inside && /^[ \t]*#[ \t]*(if|ifdef|ifndef|elif|else|endif)/ {
			print name ":" FNR ": " $0
		}' "$file"
done >"$scratch/conditionals"
attempt "no #if inside a function" diff /dev/null "$scratch/conditionals"

folders="src backends include test examples bench doc script"
(cd "$srcdir" && for folder in $folders; do
	[ -d "$folder" ] && grep -rnE '\b(TODO|FIXME|XXX)\b' "$folder" \
		--include='*.[ch]' --include='*.md' --include='*.[1-9]'
done) >"$scratch/later"
attempt "nothing is marked as to be done later" diff /dev/null "$scratch/later"

# A tab counts as 4 here, so that a deep line is not punished twice.
(cd "$srcdir" && for file in src/*.[ch] backends/*.[ch] include/*.h include/brink/*.h; do
	[ -f "$file" ] && expand -t 4 "$file" | awk -v name="$file" \
		'length($0) > 120 { print name ":" FNR ": " length($0) " columns" }'
done) >"$scratch/long"
attempt "no line of the library is much longer than 100 columns" diff /dev/null "$scratch/long"
(cd "$srcdir" && grep -nE '[ 	]+$' src/*.[ch] backends/*.[ch] include/*.h include/brink/*.h) \
	>"$scratch/trailing" 2>/dev/null
attempt "no white space at the ends of lines" diff /dev/null "$scratch/trailing"
finish
