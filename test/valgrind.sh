#!/bin/sh
# Called by make check-valgrind: runs each of the programs under Memcheck, as many at a time as
# there are processors. Each process is a check: it must end without an error, a leak or a
# descriptor left open. NAME.log is what the program says, NAME-memcheck.log what Memcheck says.
set -u
. "$srcdir/test/lib.sh"

if [ "${VALGRIND:-no}" = no ]; then
	echo "check-valgrind: there is no valgrind (script/setup test installs it)" >&2
	exit 1
fi
BRINK_TEST_VALGRIND=1
# Memcheck does not know what the kernel writes for a request of io_uring's; check-sanitize does
# look at what becomes of that.
BRINK_COMPLETIONS=off
export BRINK_TEST_VALGRIND BRINK_COMPLETIONS srcdir VALGRIND

# What is wrong with the process that left this report, if anything. A process that a
# scenario started itself may end at any point: killed, or with descriptors left open.
complaint_about()
{
	awk -v program="$2" '
		/ Parent PID: / { parent = $NF }
		/ Open .*(file descriptor|socket) / { name = $0; sub(/^==[0-9]+== /, "", name); open = NR }
		open == NR - 1 && !/<inherited from parent>/ && parent == program { print "left open: " name }
		/ ERROR SUMMARY: / { ended = 1; if ($4 != 0) print $4 " errors" }
		/ Process terminating with default action of signal (11|6|7|4|8) / { print "died by signal" }
		END { if (!ended && parent == program) print "no summary" }
	' "$1"
}

# run NAME PROGRAM [ARGUMENT]: runs it; NAME is that of the logs.
run()
{
	name=$1
	program=$2
	shift 2
	echo "check-valgrind: $program $*"
	# exec: the number of this shell becomes the program's.
	sh -c 'echo $$ >"valgrind/$0.pid"
		exec ./libtool --mode=execute "$@"' "$name" \
		"$VALGRIND" --error-exitcode=99 --leak-check=full --track-fds=yes --trace-children=yes \
		--child-silent-after-fork=no --num-callers=30 --log-file="valgrind/$name.%p.report" \
		"./$program" "$@" >"valgrind/$name.log" 2>&1 </dev/null
	status=$?
	# What others than the harness fork is a scenario's.
	case $name in
	*conformance*) main=$(cat "valgrind/$name.pid") ;;
	*) main=none ;;
	esac
	passed=0
	failed=0
	{
		for report in valgrind/"$name".*.report; do
			[ -f "$report" ] || {
				fail "$name: no report"
				continue
			}
			complaint=$(complaint_about "$report" "$main")
			if [ -z "$complaint" ]; then
				passed=$((passed + 1))
			else
				fail "$report: $complaint"
				sed 's/^/    /' "$report"
			fi
		done
		if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
			fail "$name: exit status $status"
		fi
		echo "$passed passed, $failed failed, 0 skipped"
	} >"valgrind/$name-memcheck.log"
	tail -n 1 "valgrind/$name.log"
	if [ "$failed" -ne 0 ]; then
		grep -A 30 '^FAILED' "valgrind/$name-memcheck.log" | head -n 200
	fi
	echo "$name: $passed processes without a complaint, $failed with one"
}

if [ "${1-}" = --one ]; then
	shift
	run "$@" >"valgrind/$1.said"
	exit 0
fi

rm -rf valgrind
mkdir valgrind || exit 1

# check NAME PROGRAM [ARGUMENT]: has it run.
check()
{
	echo "$*" >>valgrind/checks
}

# What Valgrind translates is most of its work: what the program has run itself its processes need not have
# translated once more, each for itself.
rehearsed=
rehearsed_of_sockets=
for scenario in edge/drained-then-new-data@tcp removal/closed-in-own-callback@tcp task/in-order-of-posts timer/moved; do
	rehearsed="$rehearsed --rehearse=$scenario"
done
for scenario in client/single-is-shared@tcp http-client/well-served http-serve/plain messenger-place/both-protocols@tcp \
	server-serve/many-clients@tcp socket-write/gathered@tcp tls/client-certificate tls/resumed-1.2; do
	rehearsed_of_sockets="$rehearsed_of_sockets --rehearse=$scenario"
done

# What a backend's own code does is in these, and needs no threads.
groups="end removal level helper change file timer hook errors model"

# check_groups PROGRAM BACKEND GROUP...
check_groups()
{
	checked=$1
	backend=$2
	shift 2
	for group in "$@"; do
		# shellcheck disable=SC2086
		check "$(basename "$checked")-$backend-$group" "$checked" "--backend=$backend" "--match=$group/*" $rehearsed
	done
}

# On epoll everything is run. Valgrind (3.19) does not know that io_uring_enter() may block: it
# stops all other threads of the process meanwhile, so that what these would do is waited for in
# vain. So there it is the groups alone; for what has threads, and the unit test, there is the
# address sanitizer (check-sanitize).
for program in "$@"; do
	name=$(basename "$program")
	case $name-$(uname) in
	brink-conformance-Linux)
		# shellcheck disable=SC2086
		check "$name" "$program" --backend=epoll $rehearsed
		# shellcheck disable=SC2086
		check_groups "$program" poll $groups edge ticket
		if "./$program" --backend=io_uring --match=hook/errors >/dev/null 2>&1; then # it works here
			# shellcheck disable=SC2086
			check_groups "$program" io_uring $groups
		fi
		;;
	# What it shows is above the loop: one backend is as good as another, and mostly one kind of connection. On
	# io_uring all but a few of its scenarios would have threads.
	socket-conformance-Linux)
		# shellcheck disable=SC2086
		check "$name" "$program" --backend=epoll --one-kind $rehearsed_of_sockets
		check "$name-fresh" "$program" --backend=epoll --match=tls/scarce-openssl # which must be the first
		;;
	socket-conformance-kqueue-Linux) ;; # see socket-conformance
	# A process in which a check fails, as it may there, ends with its memory: see faults.
	socket-conformance-faulty-*) ;;
	# The stand-in's other backend is the same code as in the other program.
	*-conformance-kqueue-*)
		# shellcheck disable=SC2086
		check "$name" "$program" --backend=kqueue $rehearsed
		;;
	io_uring-*) ;; # has threads, see above
	*) check "$name" "$program" ;;
	esac
done

xargs -L 1 -P "$(getconf _NPROCESSORS_ONLN)" sh "$0" --one <valgrind/checks
status=0
while read -r name rest; do
	cat "valgrind/$name.said"
	grep -q ' passed, 0 failed' "valgrind/$name-memcheck.log" || status=1
done <valgrind/checks
exit $status
