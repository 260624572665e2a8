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

for host in localhost 127.0.0.1 ::1 "$(uname -n)"; do
	if getent -A ahosts "$host" >"$scratch/output" 2>&1; then
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
attempt "bad arguments are an error" sh -c '! examples/lookup && ! examples/lookup --nonesuch 1 ::1'
finish
