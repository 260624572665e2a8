#!/bin/sh
# The datagram examples with real programs, on every backend: socat, nc and python3 ask the servers,
# and the client asks a server that is written in python3 and one that is socat.
. "${srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/test/lib.sh"
scratch_directory
running=
trap '[ -z "$running" ] || kill "$running" 2>/dev/null; rm -rf "$scratch"' EXIT

have()
{
	command -v "$1" >/dev/null 2>&1
}

# Starts a server on any free port; it says where it is.
start()
{
	: >"$scratch/server"
	"$@" >"$scratch/server" 2>&1 &
	running=$!
	tries=0
	until grep -q ': .*' "$scratch/server"; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] && kill -0 "$running" 2>/dev/null || return 1
		sleep 0.1
	done
	port=$(sed -n '1s/^[^ ]*:\([0-9]*\): .*/\1/p' "$scratch/server")
	sed 's/^/    /' "$scratch/server"
}

stopped_well()
{
	kill -TERM "$running"
	wait "$running"
	status=$?
	running=
	cat "$scratch/server"
	return $status
}

# say TEXT ANSWER PROGRAM...: the program sends what it reads, and prints what comes. Its input stays open
# until the answer is there; it is asked again where it may have been lost.
say()
{
	text=$1
	answer=$2
	shift 2
	rm -f "$scratch/in"
	mkfifo "$scratch/in" || return 1
	: >"$scratch/out"
	"$@" <"$scratch/in" >"$scratch/out" 2>"$scratch/errors" &
	program=$!
	exec 8>"$scratch/in"
	tries=0
	until grep -qx "$answer" "$scratch/out"; do
		tries=$((tries + 1))
		if [ "$tries" -ge 600 ]; then
			cat "$scratch/out" "$scratch/errors"
			break
		fi
		echo "$text" >&8
		sleep 0.1
	done
	exec 8>&-
	kill "$program" 2>/dev/null
	wait "$program" 2>/dev/null
	[ "$tries" -lt 600 ]
}

# Empty ones, large ones, and many at a time from several sockets: each comes back to who sent it.
cat >"$scratch/echo.py" <<'END'
import os, socket, sys

def check(family, address):
    sockets = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(5)]
    for one in sockets:
        one.settimeout(60)
        one.connect(address)
    for size in (0, 1, 100, 1472, 9000, 65507):
        for number, one in enumerate(sockets): # one at a time: the kernel drops what it has no room for
            one.send(bytes([number]) * size)
            assert one.recv(70000) == bytes([number]) * size, size
    for number, one in enumerate(sockets):
        for part in range(20):
            one.send(b'%d %d' % (number, part))
    for number, one in enumerate(sockets):
        for part in range(20):
            assert one.recv(100) == b'%d %d' % (number, part)

check(socket.AF_INET, ('127.0.0.1', int(sys.argv[1])))
END

# A UNIX socket without a name cannot be answered; those whose datagrams come with its own are.
cat >"$scratch/paths.py" <<'END'
import os, signal, socket, sys, time

path, server, own = sys.argv[1], int(sys.argv[2]), sys.argv[1] + '-client'
named, nameless = [socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2)]
named.bind(own)
named.settimeout(60)
os.kill(server, signal.SIGSTOP)
nameless.sendto(b'from nobody', path)
for number in range(3):
    named.sendto(b'%d' % number, path)
os.kill(server, signal.SIGCONT)
for number in range(3):
    assert named.recv(100) == b'%d' % number
os.unlink(own)
END

# As each address family has it, a name that is given to the server of this machine is known afterwards.
cat >"$scratch/learn.py" <<'END'
import socket, sys

family, host, port = sys.argv[1:4]
one = socket.socket(getattr(socket, family), socket.SOCK_DGRAM)
one.settimeout(60)
one.connect((host, int(port)))
one.send(b'attic=10.0.0.10')
assert one.recv(100) == b'attic 10.0.0.10\n'
END

# A name server that does not answer the first question: it got lost.
cat >"$scratch/names.py" <<'END'
import socket

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(('127.0.0.1', 0))
print('127.0.0.1:%d: knows 1 name' % server.getsockname()[1], flush=True)
server.recvfrom(1000)
while True:
    question, client = server.recvfrom(1000)
    assert question.endswith(b'?')
    server.sendto(question[:-1] + b' 10.1.2.3\n', client)
END

# socat answers each question by a program.
cat >"$scratch/names.sh" <<'END'
#!/bin/sh
IFS= read -r question || [ -n "$question" ]
printf '%s %s\n' "${question%?}" 10.4.5.6
END
chmod +x "$scratch/names.sh"

# socat does not say which port it got: the port is held by a socket that it shares, and of two the later one
# gets what comes.
cat >"$scratch/socat.py" <<'END'
import os, socket, sys

held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
held.bind(('127.0.0.1', 0))
held.set_inheritable(True)
port = held.getsockname()[1]
print('127.0.0.1:%d: socat' % port, flush=True)
os.execvp('socat', ['socat', '-d', '-d', 'UDP4-RECVFROM:%d,bind=127.0.0.1,reuseaddr,fork' % port,
                    'EXEC:' + sys.argv[1]])
END

start_socat()
{
	start python3 "$scratch/socat.py" "$scratch/names.sh" || return 1
	tries=0
	until grep -q 'receiving on' "$scratch/server"; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] && kill -0 "$running" 2>/dev/null || return 1
		sleep 0.1
	done
}

end_server()
{
	kill "$running"
	wait "$running" 2>/dev/null
	running=
}

answered()
{
	examples/name-client "127.0.0.1:$port" "$@" >"$scratch/answers"
	status=$?
	cat "$scratch/answers"
	return $status
}

# It takes its time to give up.
(! examples/name-client 127.0.0.1:1 lamp) >"$scratch/nobody" 2>&1 &
nobody=$!

for backend in $(examples/echo-server --list 2>/dev/null); do
	BRINK_BACKEND=$backend
	export BRINK_BACKEND
	attempt "$backend: datagram-echo starts" start examples/datagram-echo 127.0.0.1:0
	if have python3; then
		attempt "$backend: python3 gets back what it sent" python3 "$scratch/echo.py" "$port"
	else
		skip "$backend: there is no python3"
	fi
	if have socat; then
		attempt "$backend: socat gets back what it sent" say hello hello socat - "UDP4:127.0.0.1:$port"
	else
		skip "$backend: there is no socat"
	fi
	if have nc; then
		attempt "$backend: nc gets back what it sent" say good-day good-day nc -u 127.0.0.1 "$port"
	else
		skip "$backend: there is no nc"
	fi
	attempt "$backend: datagram-echo stops on a signal" stopped_well
	attempt "$backend: it has answered, and dropped nothing" grep -Eq '^received [0-9]+ sent [0-9]+ dropped 0 ' "$scratch/server"
	if have python3; then
		attempt "$backend: datagram-echo starts on a path" start examples/datagram-echo "unix:$scratch/echo"
		attempt "$backend: who has no name does not keep others from their answers" \
			python3 "$scratch/paths.py" "$scratch/echo" "$running"
		attempt "$backend: datagram-echo stops there" stopped_well
	fi

	attempt "$backend: name-server starts" start examples/name-server 127.0.0.1:0 lamp=10.0.0.7:80 door=10.0.0.8
	attempt "$backend: name-client is answered" answered lamp door
	attempt "$backend: with what is known" grep -qx 'lamp 10.0.0.7:80' "$scratch/answers"
	attempt "$backend: an unknown name is an error" sh -c "! examples/name-client 127.0.0.1:$port bell"
	if have nc; then
		attempt "$backend: nc teaches it a name" say 'bell=10.0.0.9' 'bell 10.0.0.9' nc -u 127.0.0.1 "$port"
		attempt "$backend: and name-client learns it" answered bell
	fi
	attempt "$backend: name-server stops on a signal" stopped_well
	attempt "$backend: name-server starts on a path" start examples/name-server "unix:$scratch/names" lamp=10.0.0.7:80
	attempt "$backend: name-client is answered there" examples/name-client "unix:$scratch/names" lamp
	attempt "$backend: name-server stops there" stopped_well
	if have python3; then
		attempt "$backend: name-server starts on IPv4 and IPv6" start examples/name-server '*:0'
		attempt "$backend: this machine teaches it by IPv4" python3 "$scratch/learn.py" AF_INET 127.0.0.1 "$port"
		if grep -q '^\[' "$scratch/server"; then
			attempt "$backend: and by IPv6" python3 "$scratch/learn.py" AF_INET6 ::1 "$port"
		fi
		attempt "$backend: name-server stops everywhere" stopped_well
		attempt "$backend: a name server in python3 starts" start python3 "$scratch/names.py"
		attempt "$backend: it is asked again until it answers" answered gate
		attempt "$backend: and its answer is heard" grep -qx 'gate 10.1.2.3' "$scratch/answers"
		end_server
	fi
	if have socat && have python3; then
		attempt "$backend: a name server of socat starts" start_socat
		attempt "$backend: its answer is heard" answered roof
		end_server
	fi
done
wait "$nobody"
attempt 'nobody to ask is an error' test $? -eq 0
attempt 'and is told' grep -q 'lamp: no answer' "$scratch/nobody"
long=$(printf '%600s' '' | tr ' ' a)
attempt 'a name that is too long is refused' sh -c "examples/name-client 127.0.0.1:1 $long; [ \$? -eq 2 ]"
finish
