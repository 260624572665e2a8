#!/bin/sh
# The examples that are servers of the socket layer, each with a real client: echo on one loop
# and on a group, calls whose replies come out of order, a chat. Each stops on a signal.
. "${srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/test/lib.sh"
scratch_directory
running=
trap '[ -z "$running" ] || kill "$running" 2>/dev/null; rm -rf "$scratch"' EXIT

# Starts a server on any free port; it says where it listens.
start()
{
	: >"$scratch/server" # at once: the other shell does it in its own time
	"$@" >"$scratch/server" 2>&1 &
	running=$!
	tries=0
	until grep -q '^127.0.0.1:' "$scratch/server"; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] && kill -0 "$running" 2>/dev/null || return 1
		sleep 0.1
	done
	port=$(sed -n 's/^127.0.0.1:\([0-9]*\): .*/\1/p' "$scratch/server")
	sed 's/^/    /' "$scratch/server"
}

stopped_well()
{
	kill -TERM "$running"
	wait "$running"
	status=$?
	running=
	return $status
}

# Two join; what the first says, the second gets. Their input stays open until then.
chat_together()
{
	rm -f "$scratch/one" "$scratch/two"
	mkfifo "$scratch/one" "$scratch/two" || return 1
	examples/chat-client "127.0.0.1:$port" <"$scratch/one" >"$scratch/one.got" &
	one=$!
	examples/chat-client "127.0.0.1:$port" <"$scratch/two" >"$scratch/two.got" &
	two=$!
	exec 8>"$scratch/one" 9>"$scratch/two"
	tries=0
	# Who comes later has missed what was said before: so it is said until it is heard.
	until grep -q ': hello' "$scratch/two.got" && grep -q ': good day' "$scratch/one.got"; do
		tries=$((tries + 1))
		if [ "$tries" -ge 600 ]; then
			kill "$one" "$two"
			break
		fi
		echo hello >&8
		echo 'good day' >&9
		sleep 0.1
	done
	exec 8>&- 9>&-
	wait "$one" && wait "$two" && [ "$tries" -lt 600 ] &&
		! grep -q ': hello' "$scratch/one.got" # nobody hears himself
}

for backend in $(examples/echo-server --list 2>/dev/null); do
	BRINK_BACKEND=$backend
	export BRINK_BACKEND
	attempt "$backend: echo starts" start examples/echo 127.0.0.1:0
	attempt "$backend: echo serves 50 clients" \
		examples/echo-client --port "$port" --connections 50 --size 64 --seconds 0.3
	attempt "$backend: echo stops on a signal" stopped_well
	attempt "$backend: echo-group starts" start examples/echo-group 127.0.0.1:0 3
	attempt "$backend: echo-group serves 50 clients" \
		examples/echo-client --port "$port" --connections 50 --size 5000 --seconds 0.3
	attempt "$backend: echo-group stops on a signal" stopped_well
	attempt "$backend: rpc-server starts" start examples/rpc-server 127.0.0.1:0 4
	attempt "$backend: 6 threads call over one connection" \
		sh -c "examples/rpc-client 127.0.0.1:$port 6 200 | tee '$scratch/calls'"
	attempt "$backend: quick replies overtake slow ones" \
		grep -Eq '^calls 1200 right 1200 overtaking [1-9]' "$scratch/calls"
	attempt "$backend: rpc-server stops on a signal" stopped_well
	attempt "$backend: chat starts" start examples/chat 127.0.0.1:0 2
	attempt "$backend: two chat" chat_together
	attempt "$backend: chat stops on a signal" stopped_well
done
finish
