#!/bin/sh
# The man pages are free of mistakes that mandoc finds, and between them they have every
# public function in their NAME and SYNOPSIS sections.
set -u
. "${srcdir:-$(dirname "$0")/..}/test/lib.sh"
scratch_directory

found=no
for page in "$srcdir"/doc/man/*.[1-9]; do
	[ -f "$page" ] || continue
	found=yes
	if [ "${MANDOC:-no}" = no ]; then
		skip "$(basename "$page"): there is no mandoc"
	else
		attempt "$(basename "$page") is sound" "$MANDOC" -T lint -W warning "$page"
	fi
done
attempt "there are man pages" test "$found" = yes

cat "$srcdir"/doc/man/*.[1-9] 2>/dev/null >"$scratch/pages"
missing=
for function in $(public_functions); do
	grep -q "^\.Nm $function\([ ,]\|\$\)" "$scratch/pages" &&
		grep -q "^\.F[no] \"*$function\([ \"]\|\$\)" "$scratch/pages" || missing="$missing $function"
done
attempt "every public function has a page; without:${missing:- none}" test -z "$missing"

# What a page refers to, and each name that has no page of its own, is there.
missing=
for name in $(sed -n 's/^\.Xr \([bB][rR][iI][nN][kK][A-Za-z_]*\) 3.*/\1/p' "$scratch/pages" | sort -u); do
	grep -q "^\.Nm $name\( ,\)*\$" "$scratch/pages" || missing="$missing $name"
done
attempt "every page that is referred to exists; without:${missing:- none}" test -z "$missing"
missing=
for name in $(cd "$srcdir/doc/man" && sed -n '1,/^\.Nd/s/^\.Nm \([A-Za-z_-]*\).*/\1/p' ./*.3 | sort -u); do
	[ -f "$srcdir/doc/man/$name.3" ] || grep -q "/links/$name\.3" "$srcdir/doc/local.mk" ||
		missing="$missing $name"
done
attempt "every name has a page or a link in doc/local.mk; without:${missing:- none}" test -z "$missing"

# Who begins with brink(3) finds every header there, and every page.
missing=
for header in $(public_headers); do
	case $header in brink.h | brink/base.h) continue ;; esac
	grep -q "^\.It In $header " "$srcdir/doc/man/brink.3" || missing="$missing $header"
done
attempt "brink(3) has every header; without:${missing:- none}" test -z "$missing"
missing=
for page in "$srcdir"/doc/man/brink_*.3; do
	name=$(basename "$page" .3)
	sed -n '/^\.Sh SEE ALSO/,$p' "$srcdir/doc/man/brink.3" | grep -q "^\.Xr $name 3" || missing="$missing $name"
done
attempt "brink(3) refers to every page; without:${missing:- none}" test -z "$missing"

# The examples compile. One that begins with a statement is put into a function.
cat >"$scratch/prelude.h" <<'END'
#include <brink.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
extern brink_loop *loop;
END
for page in "$srcdir"/doc/man/*.3; do
	awk -v name="$scratch/example-$(basename "$page" .3)" '
		/^\.Sh / { examples = $2 == "EXAMPLES" }
		/^\.Ed/ && file != "" { if (statement) print "}" > file; close(file); file = "" }
		file != "" {
			gsub(/\\e/, "\\")
			if (first && (statement = !/^(static|struct [a-z]+ [{]|void|#|\/\*)/))
				print "void example(void);\nvoid example(void)\n{" > file
			first = 0
			print > file
		}
		/^\.Bd -literal/ && examples { file = name "-" ++n ".c"; first = 1
			print "#include \"prelude.h\"" > file }' "$page"
done
for example in "$scratch"/example-*.c; do
	# shellcheck disable=SC2086
	attempt "$(basename "$example" .c) compiles" "$CC" ${CFLAGS-} -std=gnu11 -Wall -Wextra -Wconversion \
		-Wno-unused-function -Werror -I"$srcdir/include" -I"$scratch" -c "$example" -o "$scratch/example.o"
done
finish
