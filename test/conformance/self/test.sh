#!/bin/sh
# Runs scenarios that must fail, and sees that the harness finds each of them out.
program=${HARNESS_TEST:-./conformance-self-test}
passed=0
failed=0
unset BRINK_ONE_KIND

# says NAME PATTERN [TEXT [ARGUMENT]]: the verdict lines of NAME match PATTERN, and TEXT is in the report
says()
{
	report=$("$program" --verbose --deadline=2 --match="$1" ${4+"$4"} 2>&1)
	if printf '%s\n' "$report" | grep -q "$2" && printf '%s\n' "$report" | grep -q -e "${3:-.}"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'FAILED: %s: no "%s" with "%s" in:\n%s\n' "$1" "$2" "${3:-.}" "$report"
	fi
}

# exits WANTED ARGUMENT ...
exits()
{
	wanted=$1
	shift
	"$program" "$@" >/dev/null 2>&1
	status=$?
	if test "$status" = "$wanted"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: exit status $status, not $wanted, of $program $*"
	fi
}

says 'pass/*' '^[1-9][0-9]* passed, 0 failed, [0-9]* skipped$'
says fail/check '^FAIL' 'bad.c:[0-9]*: 1 + 1 == 3: got 2, expected 3'
says fail/check '^FAIL' 'printed before the failure'
says fail/check '^FAIL' "--match='fail/check@-' --seed="
says fail/wrong-error '^FAIL' 'got -9'
says fail/descriptor-lost '^FAIL' 'was left open'
says fail/crash '^FAIL' 'killed by signal 11'
says fail/early-exit '^FAIL' 'ended before its scenario'
says fail/hang '^FAIL' 'hung'
says skip/at-run-time '^skip' 'a reason with a number, 7'
says skip/by-table '^skip' 'the table says so'
says fail/unexpected-event '^FAIL' 'bad.c:[0-9]*: 1 unexpected calls'
says fail/forbidden-bit '^FAIL' 'EOF must not'
says fail/same-direction-twice '^FAIL' 'the same direction came again'
says fail/busy-loop '^FAIL' 'a busy loop'
if "$program" --match=pass/trace-free --verbose | grep -c '^ok' | grep -q '^1$'; then
	echo 'only one backend works here: nothing to compare'
else
	says differ/trace '^FAIL' 'the trace differs from that of'
	if "$program" --table --match=pass/trace-free | grep -q 'a cell | [a-z_]* says so | [a-z_]* says so'; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo 'FAILED: the table has not what was measured'
	fi
fi
# Ended from outside, it leaves neither processes nor files behind.
"$program" --match=fail/hang --seed=$$ >/dev/null 2>&1 &
process=$!
sleep 1
kill "$process"
wait "$process" 2>/dev/null
if ps -A -o args 2>/dev/null | grep -v grep | grep -q -e "--match=fail/hang --seed=$$\$"; then
	failed=$((failed + 1))
	echo 'FAILED: processes are left behind'
else
	passed=$((passed + 1))
fi

# lists PATTERN SED WANTED: what is listed for PATTERN comes down to WANTED by SED.
lists()
{
	listed=$("$program" --list --match="$1" | sed "$2" | sort -u | tr '\n' ' ')
	if test "$listed" = "$3"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: of '$1' are listed: $listed, and not $3"
	fi
}

lists '!fail/*' 's|/.*||' 'differ pass skip '
lists 'pass/nothing@tcp6' 's|.*\t||' 'tcp6 '
lists '!*@tcp' 's|.*\t||; /tcp\(,\|$\)/!d' ''

# What fails, or would be skipped, in a rehearsal ends the program.
says pass/nothing '^ok' . --rehearse=pass/nothing
says pass/nothing 'rehearsal of fail/check' '1 + 1 == 3' --rehearse=fail/check
says pass/nothing 'rehearsal of fail/descriptor-lost' 'was left open' --rehearse=fail/descriptor-lost
says pass/nothing 'rehearsal of skip/at-run-time' 'would be skipped: a reason' --rehearse=skip/at-run-time
exits 1 --match=pass/nothing --rehearse=fail/check
exits 1 --match=pass/nothing --rehearse=skip/at-run-time

(
	trap '' USR1 # is inherited
	exec "$program" --match=pass/signals-come >/dev/null 2>&1
)
if test $? = 0; then
	passed=$((passed + 1))
else
	failed=$((failed + 1))
	echo 'FAILED: a signal that was inherited ignored is so in scenarios'
fi

# kinds_with OPTION...: a line for each kind on which pass/nothing, of promise 1, was run on whatever backend.
kinds_with()
{
	"$program" --match=pass/nothing "$@" | awk '/^ok/ { for (i = NF; $i != 1; i--) print $i }' | sort -u
}

seeds=$(awk 'BEGIN { for (seed = 1; seed <= 60; seed++) print seed }')
drawn=$(for seed in $seeds; do kinds_with --one-kind "--seed=$seed"; done)
if test "$(echo "$drawn" | wc -l)" -eq 60 && test "$(echo "$drawn" | sort -u)" = "$(kinds_with)"; then
	passed=$((passed + 1))
else
	failed=$((failed + 1))
	echo "FAILED: of the kinds $(kinds_with | tr '\n' ' ')60 seeds drew $(echo "$drawn" | sort | uniq -c | tr '\n' ' ')"
fi
alike=$(export BRINK_ONE_KIND=yes; for seed in $seeds; do kinds_with "--seed=$seed"; done)
if test "$drawn" = "$alike"; then
	passed=$((passed + 1))
else
	failed=$((failed + 1))
	echo 'FAILED: BRINK_ONE_KIND is not --one-kind'
fi

exits 0 '--match=pass/*'
exits 0 '--match=pass/*' --jobs=1 --format=tap
exits 0 '--match=pass/*' --format=json
exits 1 --match=fail/check
exits 1 --match=fail/check --format=tap
exits 1 --match=fail/check --format=json
exits 1 --match=no/such-scenario
exits 2 --backend=no-such-backend
exits 2 --format=no-such-format
exits 2 --seed=x
exits 2 --no-such-option
exits 2 --match=pass/nothing --match=fail/check
exits 0 --match=pass/nothing "--backend=!no-such-backend"
exits 1 --match=pass/nothing "--backend=!epoll,poll,io_uring,kqueue"
exits 0 --list

echo "$passed passed, $failed failed"
test "$failed" = 0
