# For the test scripts: counts, and ends with the line that script/test adds up.

: "${srcdir:=$(cd "$(dirname "$0")/.." && pwd)}"
: "${CC:=cc}"
passed=0
failed=0
skipped=0

pass()
{
	passed=$((passed + 1))
	echo "ok: $*"
}

fail()
{
	failed=$((failed + 1))
	echo "FAILED: $*"
}

skip()
{
	skipped=$((skipped + 1))
	echo "skipped: $*"
}

# 77 is automake's status for "skipped".
finish()
{
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ] || exit 1
	[ "$passed" -gt 0 ] || [ "$skipped" -eq 0 ] || exit 77
	exit 0
}

# A folder that goes away with the script.
scratch_directory()
{
	scratch=$(mktemp -d "${TMPDIR:-/tmp}/brink-test.XXXXXX") || exit 99
	trap 'rm -rf "$scratch"' EXIT
	trap 'exit 99' HUP INT TERM
}

# attempt WHAT COMMAND...: one check that is right when the command succeeds.
attempt()
{
	what=$1
	shift
	if "$@" >"$scratch/output" 2>&1; then
		pass "$what"
	else
		fail "$what: $*"
		sed 's/^/    /' "$scratch/output"
	fi
}

public_headers()
{
	(cd "$srcdir/include" && ls brink.h brink/*.h)
}

# functions_of HEADER...: the names of the functions that public headers declare.
functions_of()
{
	(cd "$srcdir/include" && cat "$@") |
		sed -n 's/^BRINK_API[^(]*[ *]\(brink_[a-z0-9_]*\)(.*/\1/p' | sort -u
}

public_functions()
{
	# shellcheck disable=SC2046
	functions_of $(public_headers)
}
