#!/bin/sh
# The examples do what they say, on every backend: the echo server serves the client, which
# checks every byte, and stops through the wakeup pipe when a signal tells it to.
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
done
for backend in $($server --list 2>/dev/null); do
	attempt "$backend: 16 threads write to one connection" \
		examples/many-writers --backend "$backend" --threads 16 --seconds 0.3
done
attempt 'a refused connection is an error' sh -c "! $client --port 1 --connections 1 --seconds 1"
attempt 'an unknown backend is an error' sh -c "! $server --backend nonesuch"
attempt 'bad arguments are an error' sh -c "! $client --port 0 && ! $client --size"

# refused PROGRAM ARGUMENT...: it ends, and says how it is used. One that is not refused may be a server.
refused()
{
	"$@" >"$scratch/said" 2>"$scratch/errors" &
	running=$!
	tries=0
	while kill -0 "$running" 2>/dev/null && [ "$tries" -lt 600 ] && [ ! -s "$scratch/said" ]; do
		tries=$((tries + 1))
		sleep 0.1
	done
	kill "$running" 2>/dev/null
	wait "$running"
	status=$?
	running=
	cat "$scratch/said" "$scratch/errors"
	[ "$status" -ne 0 ] && [ ! -s "$scratch/said" ] && grep -q '^usage: ' "$scratch/errors"
}

for port in 70000 -1 http ''; do
	attempt "port '$port' is refused" refused $server --port "$port"
done
for threads in 0 -1 many; do
	attempt "rpc-client does not begin with $threads threads" refused examples/rpc-client 127.0.0.1:1 $threads
done
attempt 'rpc-client does not begin with no calls' refused examples/rpc-client 127.0.0.1:1 1 0
attempt 'http-server does not serve in the clear what is to be secret' refused examples/http-server 127.0.0.1:0 chain.pem
attempt 'lookup knows two families' refused examples/lookup --family 5 localhost
attempt 'http-fetch knows its options' refused examples/http-fetch --haed http://127.0.0.1:1/

# Who prints what is fetched says so where it cannot.
fetches_from_path()
{
	examples/echo "unix:$scratch/socket" >"$scratch/server" 2>&1 &
	running=$!
	tries=0
	until grep -q '^unix:' "$scratch/server"; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] && kill -0 "$running" 2>/dev/null || return 1
		sleep 0.1
	done
	examples/fetch "unix:$scratch/socket" hello >"$scratch/fetched" 2>"$scratch/errors"
	status=$?
	unwritten=no
	[ ! -c /dev/full ] || ! examples/fetch "unix:$scratch/socket" hello >/dev/full 2>&1 || unwritten=yes
	kill -TERM "$running"
	wait "$running" || status=1
	running=
	cat "$scratch/errors"
	[ "$status" -eq 0 ] && [ "$unwritten" = no ] && grep -q hello "$scratch/fetched" &&
		grep -q "^fetch: unix:$scratch/socket is at " "$scratch/errors"
}
attempt 'fetch takes a path, and fails where its output does' fetches_from_path
finish
