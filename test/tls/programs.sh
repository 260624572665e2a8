# What foreign.sh does on each backend.

# ---- our server and openssl s_client

for version in 1_3 1_2; do
	attempt "TLS $version: our server starts" serve "cert=$scratch/server.pem" "key=$scratch/server.key" \
		"cert=$scratch/second.pem" "key=$scratch/second.key" alpn=h2 alpn=http/1.1
	attempt "TLS $version: s_client gets back what it says" \
		client 'got back' "-tls$version" -servername server.test -verify_return_error -verify_hostname server.test
	attempt "TLS $version: it is the version, and the name" said "open TLSv1.${version#1_} .*name=server.test"
	attempt "TLS $version: an end with close_notify is none with an error" said '^close 0 '
	attempt "TLS $version: ALPN by the server's preference" \
		client 'got back' "-tls$version" -alpn http/1.1,h2
	attempt "TLS $version: h2" says '^ALPN protocol: h2'
	attempt "TLS $version: no ALPN" client 'got back' "-tls$version"
	attempt "TLS $version: none" says '^No ALPN negotiated'
	attempt "TLS $version: an ALPN that the server has not" \
		sh -c "! openssl s_client -connect 127.0.0.1:$port -CAfile '$ca' -tls$version -alpn gopher </dev/null"
	attempt "TLS $version: another name" client 'got back' "-tls$version" -servername second.test
	attempt "TLS $version: has the other certificate" says '^subject=CN *= *second'
	attempt "TLS $version: a session is left" client 'got back' "-tls$version" -sess_out "$scratch/session"
	attempt "TLS $version: and taken up" client 'got back' "-tls$version" -sess_in "$scratch/session"
	attempt "TLS $version: both know" says '^Reused, '
	attempt "TLS $version: the server, too" said 'resumed=1'
	attempt "TLS $version: our server stops" stopped_well
done

cp "$scratch/server.pem" "$scratch/replaced.pem"
cp "$scratch/server.key" "$scratch/replaced.key"
attempt 'our server starts' serve "cert=$scratch/replaced.pem" "key=$scratch/replaced.key"
attempt 'TLS 1.1 is refused' \
	sh -c "! openssl s_client -connect 127.0.0.1:$port -tls1_1 -cipher DEFAULT:@SECLEVEL=0 </dev/null"
# R on a line of its own is s_client's command.
renegotiation_refused()
{
	! client R -tls1_2 && says 'no renegotiation'
}
attempt 'renegotiation is refused' renegotiation_refused
# K asks for new keys of both sides; what is said after that comes back.
new_keys()
{
	command=K answer=KEYUPDATE
	client 'got back' -tls1_3
	status=$?
	command=
	return $status
}
attempt 'new keys are asked for and made' new_keys
# Killed, it says nothing of an end.
cut_off()
{
	kill_it=yes
	client 'got back'
	kill_it=
	said '^close -20002 .*without close_notify'
}
attempt 'an end without close_notify is an error' cut_off

renewed()
{
	cp "$scratch/renewed.pem" "$scratch/replaced.pem" && cp "$scratch/renewed.key" "$scratch/replaced.key" &&
		kill -HUP "$running" && said '^reload done' && client 'got back' -servername server.test &&
		says '^subject=CN *= *renewed'
}
attempt 'another certificate, without a restart' renewed
attempt 'our server stops' stopped_well

# ---- client certificates

attempt 'our server that requires certificates starts' \
	serve "cert=$scratch/server.pem" "key=$scratch/server.key" verify=require "ca=$ca"
attempt 's_client with one' client 'got back' -cert "$scratch/client.pem" -key "$scratch/client.key"
attempt 'whose subject is known' said 'subject=CN=a client'
attempt 's_client without one' refused_client
attempt 'the server says so' said '^close .*peer did not return a certificate'
attempt 's_client with a foreign one' refused_client -cert "$scratch/self.pem" -key "$scratch/self.key"
attempt 'the server says that it does not trust it' said 'certificate verify failed'
attempt 'our server stops' stopped_well

# ---- our server and curl

if ! command -v curl >/dev/null 2>&1; then
	skip 'curl: there is none'
else
	url=https://server.test
	# hurl OPTION...: curl to our server, and to nobody else.
	hurl()
	{
		curl --noproxy '*' -sS --max-time 300 --resolve "server.test:$port:127.0.0.1" \
			--resolve "other.test:$port:127.0.0.1" "$@"
	}
	head -c 4000000 /dev/urandom >"$scratch/much"
	there_and_back()
	{
		hurl --cacert "$ca" -T "$scratch/much" -o "$scratch/back" "$url:$port/" && cmp "$scratch/much" "$scratch/back"
	}
	hello()
	{
		[ "$(hurl "$@")" = hello ]
	}
	refused()
	{
		hurl "$@"
		[ $? -eq 60 ]
	}
	attempt 'our server starts' serve "cert=$scratch/server.pem" "key=$scratch/server.key" alpn=http/1.1
	attempt 'curl gets a page' hello --cacert "$ca" "$url:$port/"
	attempt 'curl agrees on a protocol' said 'alpn=http/1.1'
	attempt 'curl does not trust a CA that nobody told it of' refused "$url:$port/"
	attempt 'curl does not take it for another' refused --cacert "$ca" "https://other.test:$port/"
	attempt 'curl sends and gets 4 MB at once' there_and_back
	attempt 'our server stops' stopped_well
	attempt 'our server with its own signature starts' serve "cert=$scratch/self.pem" "key=$scratch/self.key"
	attempt 'curl refuses it' refused --cacert "$ca" "$url:$port/"
	attempt 'our server stops' stopped_well
	attempt 'our server that asks for certificates starts' \
		serve "cert=$scratch/server.pem" "key=$scratch/server.key" verify=require "ca=$ca"
	attempt 'curl with one' hello --cacert "$ca" --cert "$scratch/client.pem" --key "$scratch/client.key" "$url:$port/"
	attempt 'curl without one' sh -c "! curl --noproxy '*' -sS --max-time 300 --cacert '$ca' https://127.0.0.1:$port/"
	attempt 'our server stops' stopped_well
fi

# ---- our client and openssl s_server

calls()
{
	$peer client "127.0.0.1:$port" 'olleh' "$@" >"$scratch/ours" 2>&1
	status=$?
	cat "$scratch/ours"
	return $status
}

calls_in_vain()
{
	expected=$1
	shift
	! calls "$@" && grep -q "^close .*$expected" "$scratch/ours"
}

for version in 1_3 1_2; do
	attempt "TLS $version: s_server starts" openssl_serves "-tls$version" -cert "$scratch/server.pem" \
		-key "$scratch/server.key" -alpn h2,http/1.1
	attempt "TLS $version: our client gets an answer" calls "ca=$ca" name=server.test
	attempt "TLS $version: the right one" grep -q '^got hello' "$scratch/ours"
	attempt "TLS $version: with an address" calls "ca=$ca" name=127.0.0.1
	attempt "TLS $version: sessions are taken up" calls "ca=$ca" name=server.test times=3
	attempt "TLS $version: two of three" test "$(grep -c resumed=1 "$scratch/ours")" = 2
	attempt "TLS $version: ALPN" calls "ca=$ca" name=server.test alpn=http/1.1
	attempt "TLS $version: is agreed on" grep -q 'alpn=http/1.1' "$scratch/ours"
	attempt "TLS $version: another name is not trusted" calls_in_vain 'hostname mismatch' "ca=$ca" name=other.test
	attempt "TLS $version: nor is it if the CA is not known" calls_in_vain 'certificate verify failed' name=server.test
	end_openssl
done

for whose in self expired; do
	attempt "s_server with a certificate that is $whose" openssl_serves -cert "$scratch/$whose.pem" \
		-key "$scratch/$whose.key"
	attempt "$whose: our client refuses" calls_in_vain "certificate verify failed: .*$whose" "ca=$ca" name=server.test
	attempt "$whose: unless it is not to look" calls verify=no
	end_openssl
done

attempt 's_server that requires certificates' openssl_serves -cert "$scratch/server.pem" -key "$scratch/server.key" \
	-CAfile "$ca" -Verify 1 -verify_return_error
attempt 'our client with one' calls "ca=$ca" name=server.test "cert=$scratch/client.pem" "key=$scratch/client.key"
attempt 'our client without one' calls_in_vain 'alert' "ca=$ca" name=server.test wait=1
end_openssl

killed_server()
{
	openssl_serves -cert "$scratch/server.pem" -key "$scratch/server.key" || return 1
	$peer client "127.0.0.1:$port" olleh "ca=$ca" name=server.test wait=1 >"$scratch/ours" 2>&1 &
	ours=$!
	wait_for '^got hello' "$scratch/ours"
	kill -KILL "$running"
	wait "$running" 2>/dev/null
	running=
	wait "$ours"
	cat "$scratch/ours"
	grep -q '^close -20002 ' "$scratch/ours"
}
attempt 'a server that is killed announces no end' killed_server

# ---- the example

example_starts()
{
	: >"$scratch/said"
	examples/tls-echo 127.0.0.1:0 "$scratch/second.pem" "$scratch/second.key" >"$scratch/said" 2>&1 &
	running=$!
	wait_for '^127.0.0.1:' "$scratch/said" || return 1
	port=$(sed -n 's/^127.0.0.1:\([0-9]*\): .*/\1/p' "$scratch/said")
}
attempt 'tls-echo starts' example_starts
attempt 'tls-echo echoes' client 'got back' -verify_return_error -verify_hostname second.test
attempt 'tls-echo says who came' said '^a client, by TLSv1.3'
attempt 'tls-echo stops on a signal' stopped_well
