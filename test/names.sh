#!/bin/sh
# The examples that know names, beside programs that know them, too.
. "${srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/test/lib.sh"
scratch_directory

# getent(1) leaves out what the machine has no interface for, unless it is told not to.
same_as_getent()
{
	getent -A ahosts "$1" | awk '!seen[$1]++ { print $1 }' >"$scratch/getent"
	[ -s "$scratch/getent" ] || return 1
	examples/lookup "$1" | sed 's/^[^ ]* //' >"$scratch/lookup"
	diff "$scratch/getent" "$scratch/lookup"
}

# c-ares asks DNS and the hosts file alone.
of_the_system=yes
examples/lookup --servers 127.0.0.1:53 ::1 >"$scratch/output" 2>&1 && of_the_system=no

for host in localhost 127.0.0.1 ::1 "$(uname -n)"; do
	if [ $of_the_system = no ]; then
		skip "lookup $host: names are asked of c-ares"
	elif getent -A ahosts "$host" >"$scratch/output" 2>&1; then
		attempt "lookup $host gives what getent does" same_as_getent "$host"
	else
		skip "lookup $host: there is no getent -A, or it does not know it"
	fi
done

many_at_once()
{
	examples/lookup 127.0.0.1 ::1 127.0.0.2 | sort >"$scratch/many"
	printf '%s\n' '127.0.0.1 127.0.0.1' '127.0.0.2 127.0.0.2' '::1 ::1' | diff - "$scratch/many"
}
attempt "lookup of many" many_at_once
attempt "a host that is none is an error" sh -c '! examples/lookup "no host"'
attempt "an address of the other family is an error" sh -c '! examples/lookup --family 6 127.0.0.1'

# Any free port, which nc tells.
start_server()
{
	: >"$scratch/said" # at once: the other shell does it in its own time
	nc -l -v -N "$1" 0 <"$scratch/answer" >"$scratch/heard" 2>"$scratch/said" &
	running=$!
	tries=0
	port=
	while [ -z "$port" ] && [ $tries -lt 600 ] && kill -0 "$running" 2>/dev/null; do
		port=$(sed -n 's/^[Ll]istening on .* \([0-9][0-9]*\)$/\1/p' "$scratch/said")
		[ -n "$port" ] || sleep 0.1
		tries=$((tries + 1))
	done
	[ -n "$port" ]
}

fetches_by_name()
{
	if ! start_server "$1"; then
		cat "$scratch/said"
		return 1
	fi
	examples/fetch "$2:$port" 'over the' 'wire' >"$scratch/fetched" || return 1
	wait "$running" || return 1
	running=
	diff "$scratch/answer" "$scratch/fetched" &&
		printf 'over the\r\nwire\r\n' | diff - "$scratch/heard"
}

running=
trap '[ -z "$running" ] || kill "$running" 2>/dev/null; rm -rf "$scratch"' EXIT
echo 'and back' >"$scratch/answer"
if ! nc -h 2>&1 | grep -q '^OpenBSD netcat'; then
	skip "fetch from nc: it is not here, or another one"
else
	attempt "fetch by number from nc" fetches_by_name 127.0.0.1 127.0.0.1
	for address in 127.0.0.1 ::1; do
		if examples/lookup localhost 2>/dev/null | grep -q " $address\$"; then
			attempt "fetch from localhost, where nc listens on $address alone" \
				fetches_by_name "$address" localhost
		else
			skip "fetch from localhost: it is not $address here"
		fi
	done
fi
attempt "a port that nobody listens on is an error" sh -c '! examples/fetch localhost:1'
attempt "a host that is none is an error to fetch from" sh -c '! examples/fetch nonesuch.invalid:80'
attempt "bad arguments are an error" sh -c '! examples/lookup && ! examples/lookup --nonesuch 1 ::1'
finish
