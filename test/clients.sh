#!/bin/sh
# The examples that are clients, or stand between one and its server, do what they say: on every
# backend a client survives the restarts of its server, a forwarder passes everything on and
# holds but little of it, and two processes talk through shared memory.
. "${srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/test/lib.sh"
scratch_directory
server=
between=
client=
trap 'for one in $server $between $client; do kill "$one" 2>/dev/null; done; rm -rf "$scratch"' EXIT

# A server that says "ADDRESS: ..." is started as a job; its address is in $address then.
started()
{
	tries=0
	until grep -q '^[^ ]*: ' "$scratch/$1"; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] && kill -0 "$2" 2>/dev/null || return 1
		sleep 0.1
	done
	address=$(sed -n '1s/^\([^ ]*\): .*/\1/p' "$scratch/$1")
}

start_server()
{
	: >"$scratch/server"
	examples/echo "$1" >"$scratch/server" 2>&1 &
	server=$!
	started server "$server"
}

stop()
{
	kill -TERM "$1"
	wait "$1"
}

# Waits until $2 lines of $1 say $3.
seen()
{
	tries=0
	until [ "$(grep -c "$3" "$scratch/$1")" -ge "$2" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] && kill -0 "$client" 2>/dev/null || return 1
		sleep 0.1
	done
}

# The path of a UNIX socket is nobody else's while the server is down.
survives()
{
	path="unix:$scratch/socket"
	start_server "$path" || return 1
	: >"$scratch/client"
	examples/reconnect "$path" 40 >"$scratch/client" 2>&1 &
	client=$!
	seen client 1 '^connected$' || return 1
	for life in 1 2 3; do
		stop "$server" || return 1
		server=
		seen client $life '^down' || return 1
		start_server "$path" || return 1
		seen client $life '^connected again$' || return 1
	done
	wait "$client"
	status=$?
	client=
	sed 's/^/    /' "$scratch/client"
	stop "$server"
	server=
	[ "$status" -eq 0 ] && grep -q ' came back$' "$scratch/client"
}

forwards()
{
	start_server 127.0.0.1:0 || return 1
	: >"$scratch/between"
	examples/forward 127.0.0.1:0 "$address" >"$scratch/between" 2>&1 &
	between=$!
	started between "$between" || return 1
	port=${address##*:}
	examples/echo-client --port "$port" --connections 20 --size 64 --seconds 0.3 &&
		examples/echo-client --port "$port" --connections 3 --size 3000000 --seconds 0.3
	status=$?
	stop "$between" || status=1
	between=
	stop "$server" || status=1
	server=
	return $status
}

# One side of a forwarded connection sends, and the other does not read: most of it has to stay
# with the sender. Then it reads, and gets all of it. That the sender is stuck is only what is
# looked at next; a slow machine makes this test see less, and never fail.
holds_little()
{
	python3 - <<'END_OF_PYTHON'
import os, select, socket, subprocess, sys

TOTAL = 192 << 20  # the kernel's buffers of both connections take some tens of MiB at most
block = os.urandom(1 << 20)
twice = memoryview(block + block)

def send(sender, sent):
    start = sent % len(block)
    return sent + sender.send(twice[start:start + min(len(block), TOTAL - sent)])

def flood(what, sender, receiver):
    sent = received = 0
    while sent < TOTAL and select.select([], [sender], [], 1)[1]:
        sent = send(sender, sent)
    print(what, 'took', sent, 'bytes that nobody read')
    if sent > TOTAL // 2:
        sys.exit('that is too much')
    while received < TOTAL:
        readable, writable, _ = select.select([receiver], [sender] if sent < TOTAL else [], [], 120)
        if not readable and not writable:
            sys.exit('stuck: %d were sent and %d received' % (sent, received))
        if writable:
            sent = send(sender, sent)
        if readable:
            chunk = receiver.recv(1 << 18)
            start = received % len(block)
            if not chunk or chunk != twice[start:start + len(chunk)]:
                sys.exit('not what was sent, after %d' % received)
            received += len(chunk)

def small(*sockets):
    for one in sockets:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)

client, listener = socket.socket(), socket.socket()
small(client, listener)
listener.bind(('127.0.0.1', 0))
listener.listen()
listener.settimeout(120)
forwarder = subprocess.Popen(['examples/forward', '127.0.0.1:0', '127.0.0.1:%d' % listener.getsockname()[1]],
                             stdout=subprocess.PIPE)
try:
    client.connect(('127.0.0.1', int(forwarder.stdout.readline().split(b':')[1])))
    target = listener.accept()[0]
    small(target)
    client.setblocking(False)
    target.setblocking(False)
    flood('to the target, it', client, target)
    flood('from the target, it', target, client)
    client.shutdown(socket.SHUT_WR)
    if not select.select([target], [], [], 120)[0] or target.recv(1):
        sys.exit('the end was not passed on')
finally:
    forwarder.terminate()
    status = forwarder.wait()
sys.exit(status)
END_OF_PYTHON
}

# What the client of the chat reads is the server's, all of it, also from one that takes its time. That the client
# is stuck is only what is looked at next, as above. Its input is a pipe that others might share: it stays as it was.
chats_patiently()
{
	python3 - <<'END_OF_PYTHON'
import fcntl, os, select, socket, subprocess, sys

TOTAL = 96 << 20 # more than a socket may have unsent, and the kernel takes
listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen()
listener.settimeout(120)
ours, its = os.pipe()[::-1]
client = subprocess.Popen(['examples/chat-client', '127.0.0.1:%d' % listener.getsockname()[1]], stdin=its)
try:
    server = listener.accept()[0]
    server.settimeout(120)
    os.write(ours, b'hello\n')
    if server.recv(100) != b'hello\n':
        sys.exit('not what was said')
    if fcntl.fcntl(its, fcntl.F_GETFL) & os.O_NONBLOCK:
        sys.exit('its input is non-blocking now')
    os.close(its)
    os.set_blocking(ours, False)
    sent = received = 0
    while sent < TOTAL and select.select([], [ours], [], 1)[1]:
        sent += os.write(ours, bytes(min(65536, TOTAL - sent)))
    print('it took', sent, 'bytes that nobody read')
    while received < TOTAL:
        readable, writable, _ = select.select([server], [ours] if sent < TOTAL else [], [], 120)
        if writable:
            sent += os.write(ours, bytes(min(65536, TOTAL - sent)))
        if readable:
            chunk = server.recv(1 << 18)
            if not chunk:
                sys.exit('%d were sent and %d received' % (sent, received))
            received += len(chunk)
        elif not writable:
            sys.exit('stuck: %d were sent and %d received' % (sent, received))
    os.close(ours)
    if server.recv(1):
        sys.exit('more than was sent')
    server.close()
    sys.exit(client.wait())
finally:
    client.kill()
END_OF_PYTHON
}

backends=$(examples/echo-server --list 2>/dev/null)
for backend in $backends; do
	BRINK_BACKEND=$backend
	export BRINK_BACKEND
	attempt "$backend: a client survives the restarts of its server" survives
	attempt "$backend: a forwarder passes everything on" forwards
	if command -v python3 >/dev/null 2>&1; then
		attempt "$backend: and does not read what it cannot pass on" holds_little
		attempt "$backend: the chat's client loses nothing" chats_patiently
	else
		skip "$backend: there is no python3"
	fi
	attempt "$backend: shared memory" examples/shared-memory --backend "$backend" --bytes 20000000
	attempt "$backend: shared memory, one byte" examples/shared-memory --backend "$backend" --bytes 1
done
attempt 'bad arguments are an error' sh -c '! examples/reconnect && ! examples/forward && ! examples/shared-memory x'
finish
