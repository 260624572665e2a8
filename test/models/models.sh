#!/bin/sh
# Checks the models of the concurrent algorithms, each in every state that it can reach.
#
#   models.sh [MODEL...]      (default: all)
#
# A model says in its first comment with which bounds it is checked ("check: OPTIONS") and
# which mistakes must be caught ("mutation N: OPTIONS | what is wrong"). A check looks at
# all states for a false assertion and for a rest in the wrong place, and then for a cycle:
# with neither, every run ends, and ends well. With large bounds ("large: OPTIONS") cycles, which
# take twice as long, are looked for only in models that are asked for by name.
set -u
: "${srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
. "$srcdir/test/lib.sh"
folder=$(cd "$srcdir/test/models" && pwd) || exit 99
thorough=$#
# The largest first, so that no long one is left for the end.
# shellcheck disable=SC2046 # none has a space in its name
[ $# -ne 0 ] || set -- $(cd "$folder" && ls -S -- *.pml | sed 's/\.pml$//')

: "${SPIN:=spin}"
if ! command -v "$SPIN" >/dev/null 2>&1; then
	skip "the models: there is no spin here (script/setup test installs it where it is packaged)"
	finish
fi
scratch_directory
printf 'int main(void)\n{\n\treturn 0;\n}\n' >"$scratch/hello.c"
# shellcheck disable=SC2086 # a compiler may come with arguments
if ! $CC -o "$scratch/hello" "$scratch/hello.c" >/dev/null 2>&1; then
	skip "the models: spin needs a C compiler, and '$CC' is none"
	finish
fi
cd "$scratch" || exit 99

# search WHAT MODEL OPTIONS: writes what was found to "said".
search()
{
	case $1 in
	states) pan="-O1 -DSAFETY" run= ;;
	mistake) pan="-O0 -DSAFETY" run= ;;
	cycles) pan="-O1 -DNP" run=-l ;;
	mistaken-cycles) pan="-O0 -DNP" run=-l ;;
	esac
	# shellcheck disable=SC2086
	"$SPIN" -a $3 "$2" >said 2>&1 &&
		$CC -w $pan -DMEMLIM=6000 -o pan pan.c >said 2>&1 &&
		./pan $run -m1000000 >said 2>&1
}

# Complete, and nothing wrong. pan says so in words only.
found_nothing()
{
	grep -q 'errors: 0$' said && grep -q '^State-vector' said &&
		! grep -qiE 'max search depth too small|out of memory|reached -DMEMLIM|truncated|not completed|aborting' said
}

found_a_mistake()
{
	grep -q '^pan:[0-9]*: \(assertion violated\|invalid end state\|non-progress cycle\)' said &&
		grep -q 'errors: [1-9]' said
}

# What it is, for the log: how much there was to look at.
size()
{
	sed -n 's/^ *\([0-9]*\) states, stored.*/\1 states/p' said | tail -n 1
}

tell()
{
	sed 's/^/    /' said | tail -n 12
}

# check MODEL SIZE OPTIONS
check()
{
	kinds="states cycles"
	[ "$2" != large ] || [ "$thorough" -ne 0 ] || kinds=states
	for what in $kinds; do
		if search "$what" "$1" "$3" && found_nothing; then
			pass "$name, all $what ($(size)): $3"
		else
			fail "$name, $what: $3"
			tell
		fi
	done
}

# check_mutation MODEL N OPTIONS WHAT
check_mutation()
{
	for what in mistake mistaken-cycles; do
		if search $what "$1" "-DMUTATION_$2 $3" && found_a_mistake; then
			pass "$name, caught: $4: $(sed -n 's/^pan:[0-9]*: \(.*\) (at depth.*/\1/p' said | head -n 1)"
			return
		fi
	done
	fail "$name, mutation $2 was not caught: $4"
	tell
}

check_model()
{
	name=$(basename "$1" .pml)
	sed -n -e 's/^ \* check: */check /p' -e 's/^ \* large: */large /p' "$1" >checks
	sed -n 's/^ \* mutation \([0-9]*\): *\(.*\)/\1 \2/p' "$1" >mutations
	[ -s checks ] || fail "$name says no bound"
	[ "$(wc -l <mutations)" -ge 2 ] || fail "$name has fewer than two mutations"
	while read -r bounds options; do
		check "$1" "$bounds" "$options"
	done <checks
	while read -r number rest; do
		check_mutation "$1" "$number" "${rest%% |*}" "${rest#*| }"
	done <mutations
}

# In a folder of its own, where its counts are left.
check_apart()
(
	passed=0
	failed=0
	cd "$1" || exit 1
	case $2 in
	*.pml) check_model "$2" ;;
	*) check_model "$folder/$2.pml" ;;
	esac
	echo "$passed $failed" >counts
)

# Takes those that no other worker has taken.
worker()
{
	for model in "$@"; do
		name=$(basename "$model" .pml)
		! mkdir "$name" 2>/dev/null || check_apart "$name" "$model" >"$name.log" 2>&1
	done
}

# Two, since each keeps one processor busy.
worker "$@" &
worker "$@" &
wait
for model in "$@"; do
	name=$(basename "$model" .pml)
	cat "$name.log"
	if read -r right wrong <"$name/counts"; then
		passed=$((passed + right))
		failed=$((failed + wrong))
	else
		fail "$name was not checked to its end"
	fi
done
finish
