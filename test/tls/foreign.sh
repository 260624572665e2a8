#!/bin/sh
# TLS with programs that others wrote: our server with openssl s_client and curl, our client with
# openssl s_server; and the example. The certificates are made here, by the openssl program.
. "${srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/test/lib.sh"
scratch_directory
peer=test/tls/peer
running=
trap '[ -z "$running" ] || kill "$running" 2>/dev/null; rm -rf "$scratch"' EXIT

if ! command -v openssl >/dev/null 2>&1 || ! openssl version | grep -q '^OpenSSL 3'; then
	skip 'TLS with other programs: there is no openssl program of version 3'
	finish
fi

# ---- certificates

cd_scratch()
{
	(cd "$scratch" && "$@")
}

cat >"$scratch/ca.cnf" <<'END'
[ca]
default_ca = ours
[ours]
new_certs_dir = .
database = index
serial = serial
default_md = sha256
policy = anything
copy_extensions = copy
unique_subject = no
email_in_dn = no
[anything]
commonName = supplied
END
: >"$scratch/index"
echo 1000 >"$scratch/serial"

# certificate NAME SUBJECT NAMES [BEGIN END]: by the CA, with its key beside it.
certificate()
{
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -subj "/CN=$2" \
		-addext "subjectAltName=$3" -out "$1.csr" &&
		openssl ca -batch -notext -config ca.cnf -cert ca.pem -keyfile ca.key -in "$1.csr" -out "$1.pem" \
			-startdate "${4:-20200101000000Z}" -enddate "${5:-20491231000000Z}"
}

make_all()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 3 \
		-subj '/CN=test CA' &&
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout self.key -out self.pem -days 3 \
			-subj '/CN=self' -addext 'subjectAltName=DNS:server.test' &&
		certificate server server 'DNS:server.test,IP:127.0.0.1' &&
		certificate second second 'DNS:second.test' &&
		certificate renewed renewed 'DNS:server.test,IP:127.0.0.1' &&
		certificate client 'a client' 'DNS:client.test' &&
		certificate expired expired 'DNS:server.test' 20200101000000Z 20210101000000Z
}
attempt 'the certificates are made' cd_scratch make_all
[ "$failed" -eq 0 ] || finish
ca=$scratch/ca.pem

# ---- starting and stopping

# Waits until FILE has a line that matches; only a hang, or the end of what should write it, ends it.
wait_for()
{
	tries=0
	until grep -q "$1" "$2" 2>/dev/null; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] && kill -0 "$running" 2>/dev/null || return 1
		sleep 0.1
	done
}

# serve WORD=VALUE...: our server; `port` is where.
serve()
{
	: >"$scratch/said"
	$peer server 127.0.0.1:0 "$@" >"$scratch/said" 2>&1 &
	running=$!
	wait_for '^127.0.0.1:' "$scratch/said" || return 1
	port=$(sed -n 's/^127.0.0.1:\([0-9]*\): .*/\1/p' "$scratch/said")
}

stopped_well()
{
	kill -TERM "$running"
	wait "$running"
	status=$?
	running=
	cat "$scratch/said"
	return $status
}

# openssl_serves OPTION...: theirs, which sends back each line reversed.
openssl_serves()
{
	: >"$scratch/said"
	openssl s_server -accept 127.0.0.1:0 -rev "$@" >"$scratch/said" 2>&1 </dev/null &
	running=$!
	wait_for '^ACCEPT' "$scratch/said" || return 1
	port=$(sed -n 's/^ACCEPT.*:\([0-9]*\)$/\1/p' "$scratch/said" | head -n 1)
}

end_openssl()
{
	kill "$running"
	wait "$running" 2>/dev/null
	running=
	return 0
}

# Waits until theirs, which writes output.client, has written a line that matches, or has gone.
until_written()
{
	tries=0
	until grep -q "$1" "$scratch/output.client"; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] && kill -0 "$theirs" 2>/dev/null || break
		sleep 0.1
	done
}

# client WORDS OPTION...: openssl s_client that says WORDS, and goes when "got back" comes back. It may
# go earlier; 0 only if that came. With `command` set, that comes first, until it says `answer`.
client()
{
	words=$1
	shift
	rm -f "$scratch/input"
	: >"$scratch/output.client"
	mkfifo "$scratch/input" || return 1
	openssl s_client -connect "127.0.0.1:$port" -CAfile "$ca" "$@" <"$scratch/input" \
		>"$scratch/output.client" 2>&1 &
	theirs=$!
	exec 8>"$scratch/input"
	if [ -n "${command-}" ]; then
		echo "$command" >&8
		until_written "$answer"
	fi
	echo "$words" >&8
	until_written 'got back'
	[ -z "${kill_it-}" ] || kill -KILL "$theirs"
	exec 8>&-
	wait "$theirs" 2>/dev/null
	[ "$tries" -lt 600 ] && says 'got back'
}

refused_client()
{
	! client 'got back' "$@" && ! says 'got back' && says alert
}

says()
{
	grep -q "$1" "$scratch/output.client" || { cat "$scratch/output.client" && false; }
}

said()
{
	wait_for "$1" "$scratch/said" || { cat "$scratch/said" && false; }
}

# ---- on each backend

for backend in $(examples/echo-server --list 2>/dev/null); do
	BRINK_BACKEND=$backend
	export BRINK_BACKEND
	echo "on $backend:"
	. "$srcdir/test/tls/programs.sh"
done
finish
