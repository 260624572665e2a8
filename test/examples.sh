#!/bin/sh
# The examples do what they say, on every backend: the echo server serves the client, which
# checks every byte, and stops through the wakeup pipe when a signal tells it to. The
# counting benchmark runs, too.
. "${srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/test/lib.sh"
scratch_directory
server=examples/echo-server
client=examples/echo-client
running=
trap '[ -z "$running" ] || kill "$running" 2>/dev/null; rm -rf "$scratch"' EXIT

start()
{
	: >"$scratch/server"
	$server --backend "$1" >"$scratch/server" 2>&1 &
	running=$!
	tries=0
	until grep -q '^backend' "$scratch/server"; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] && kill -0 "$running" 2>/dev/null || return 1
		sleep 0.1
	done
	port=$(awk '/^listening/ { print $NF }' "$scratch/server")
}

stopped_well()
{
	kill -TERM "$running"
	wait "$running" || return 1
	running=
	grep '^stopped by signal 15 through the wakeup pipe' "$scratch/server"
}

for backend in $($server --list 2>/dev/null); do
	if ! start "$backend"; then
		fail "$backend: the echo server starts"
		sed 's/^/    /' "$scratch/server"
		continue
	fi
	attempt "$backend: 50 clients, small messages" \
		$client --port "$port" --connections 50 --size 64 --seconds 0.3
	attempt "$backend: 3 clients, messages larger than any buffer" \
		$client --port "$port" --connections 3 --size 3000000 --seconds 0.3
	attempt "$backend: stops on a signal" stopped_well
	attempt "$backend: a refused connection is an error" \
		sh -c "! $client --port $port --connections 1 --seconds 1"
done
for backend in $($server --list 2>/dev/null); do
	attempt "$backend: 16 threads write to one connection" \
		examples/many-writers --backend "$backend" --threads 16 --seconds 0.3
done
attempt 'an unknown backend is an error' sh -c "! $server --backend nonesuch"
attempt 'bad arguments are an error' sh -c "! $client --port 0 && ! $client --size"

# What is counted is a difference of two runs of some time each. On a busy machine the longer
# one may make fewer round trips: then it is done again.
counts_well()
{
	tries=0
	while [ $tries -lt 20 ]; do
		sh "$srcdir/bench/counts" --rounds 1 --connections 1 poll | tee "$scratch/counts"
		awk 'NR == 2 && $3 > 10 && $4 >= 1 { ok = 1 } END { exit !ok }' "$scratch/counts" && return 0
		tries=$((tries + 1))
	done
	return 1
}

# valgrind 3.19 gives up on the debugging information of clang 14.
valgrind_reads_it()
{
	! valgrind -q --tool=none --trace-children=yes $server --list 2>&1 | grep -q 'debuginfo reader'
}

if ! command -v valgrind >/dev/null 2>&1 || ! command -v strace >/dev/null 2>&1; then
	skip 'counting instructions and system calls: valgrind or strace is missing'
elif ! valgrind_reads_it; then
	skip 'counting instructions and system calls: valgrind cannot read what this compiler wrote'
else
	attempt 'counting instructions and system calls' counts_well
fi
finish
