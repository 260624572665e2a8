#!/bin/sh
# Each benchmark runs, in its shortest form, and a peer that does not do its work is an error.
. "${srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/test/lib.sh"
scratch_directory
bench=bench/brink-bench
[ -x $bench ] || {
	skip 'the benchmarks are for Linux'
	finish
}

# measures SUBCOMMAND OPTION...: it ends well, with a number above 0 for each of libbrink's peers.
measures()
{
	$bench "$@" --rounds=tiny --json="$scratch/json" || return 1
	cat "$scratch/json"
	grep '"contender": "brink-' "$scratch/json" >"$scratch/rows" || return 1
	! grep '"median": \(0,\|-\|inf\|nan\)' "$scratch/rows"
}

for name in echo bulk pipeline idle connect timers wakeup tasks writers latency; do
	attempt "$name" measures $name
done

if ! $bench --list | grep -q brink-http; then
	skip 'http: the library was built without it'
elif ! command -v wrk >/dev/null 2>&1; then
	skip 'http: wrk is missing'
else
	attempt 'http' measures http --backend=epoll
	attempt 'http: a wrong page is an error' sh -c "! $bench http --rounds=tiny --peers=cheat-http --connections=1"
fi

# valgrind 3.19 gives up on the debugging information of clang 14.
valgrind_reads_it()
{
	! valgrind -q --tool=none $bench --list 2>&1 | grep -q 'debuginfo reader'
}

if ! command -v valgrind >/dev/null 2>&1 || ! command -v strace >/dev/null 2>&1; then
	skip 'counts: valgrind or strace is missing'
elif ! valgrind_reads_it; then
	skip 'counts: valgrind cannot read what this compiler wrote'
else
	attempt 'counts' $bench counts --rounds=tiny --peers=brink-watch --backend=poll --connections=1 \
		--json="$scratch/counts"
	for quantity in 'user instructions' 'system calls'; do
		attempt "counts: $quantity" grep "\"quantity\": \"$quantity per round trip\".*\"median\": [1-9]" "$scratch/counts"
	done
	attempt 'counts: HTTP' sh -c "$bench counts --rounds=tiny --peers=epoll-http --connections=2 --json=- 2>/dev/null |
		grep '\"quantity\": \"user instructions per request\".*\"median\": [1-9]'"
	attempt 'counts: bytes of an idle connection' \
		grep '"quantity": "idle connection".*"median": [1-9][0-9]' "$scratch/counts"
fi

attempt 'wrong bytes are an error' sh -c "! $bench echo --rounds=tiny --peers=cheat --connections=1"
attempt 'an unknown subcommand is an error' sh -c "! $bench nonesuch"
attempt 'an unknown option is an error' sh -c "! $bench echo --nonesuch=1"
attempt 'a value out of range is an error' sh -c "! $bench echo --rounds=0"
attempt 'an unknown peer is an error' sh -c "! $bench echo --peers=nonesuch"
attempt 'an unknown backend is an error' sh -c "! $bench echo --backend=nonesuch"
attempt 'so is one beside another' sh -c "! $bench echo --rounds=tiny --peers=epoll --backend=poll,nonesuch"
attempt 'so is a peer that cannot do it' sh -c "! $bench timers --rounds=tiny --peers=epoll"

# A program that counted 3.00 system calls where the limit was 3.06.
made_up()
{
	printf '#!/bin/sh\n[ "$1" != --list ] || exit 0\nfor option; do :; done\ncat >"${option#--json=}" <<END\n%s\nEND\n' '{"machine": {"architecture": "x", "build": "y"},
		"rows": [{"contender": "a/b, 1", "quantity": "calls", "value": {"median": 3.00}}]}' >"$scratch/program"
	chmod +x "$scratch/program"
}

# gate WHO LIMIT: its verdict, with this one and a backend that is not here.
gate()
{
	printf '{"compiler": "x y", "limits": {"%s": {"calls": %s}, "a/none": {"calls": 1}}}' "$1" "$2" >"$scratch/limits"
	python3 "$srcdir/bench/gate" "$scratch/program" "$scratch/limits" >"$scratch/said"
}

# judges WHAT WHO LIMIT STATUS SUM: the gate's status and its last line.
judges()
{
	what=$1
	gate "$2" "$3"
	status=$?
	if [ $status -eq "$4" ] && [ "$(tail -n 1 "$scratch/said")" = "$5" ]; then
		pass "the gate: $what"
	else
		fail "the gate: $what: status $status"
		cat "$scratch/said"
	fi
}

made_up
if ! command -v python3 >/dev/null 2>&1; then
	skip 'the gate: python3 is missing'
elif ! command -v valgrind >/dev/null 2>&1 || ! command -v strace >/dev/null 2>&1; then
	skip 'the gate: valgrind or strace is missing'
else
	judges 'below the limit' 'a/b, 1' 3.06 0 '1 passed, 0 failed, 1 skipped'
	judges 'above the limit' 'a/b, 1' 2.99 1 '0 passed, 1 failed, 1 skipped'
	judges 'a limit of what was not measured, and none of what was' 'a/b, 2' 3.06 1 '0 passed, 2 failed, 1 skipped'
	attempt 'the gate: --record' python3 "$srcdir/bench/gate" "$scratch/program" "$scratch/limits" --record
	attempt 'the gate: what it has recorded' grep '"calls": 3.06' "$scratch/limits"
	attempt 'the gate: an unknown option is an error' \
		sh -c "! python3 '$srcdir/bench/gate' '$scratch/program' '$scratch/limits' --recrod"
fi

attempt '--help' $bench --help
finish
