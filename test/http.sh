#!/bin/sh
# HTTP with programs that are not ours, on every backend: curl, wrk, Python and a browser speak to
# examples/http-server; examples/http-fetch fetches from it and from Python's server. Nothing of
# it needs more than the loopback.
. "${srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/test/lib.sh"
scratch_directory
running=
other=
trap '[ -z "$running" ] || kill "$running" 2>/dev/null; [ -z "$other" ] || kill "$other" 2>/dev/null
	rm -rf "$scratch"' EXIT

has()
{
	command -v "$1" >/dev/null 2>&1
}

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
	url=http://127.0.0.1:$port
}

stopped_well()
{
	kill -TERM "$running"
	wait "$running"
	status=$?
	running=
	return $status
}

# ---- curl ----

get()
{
	curl --silent --show-error --max-time 120 --noproxy '*' "$@"
}

page_is_there()
{
	get "$url/" | grep 'hello from the page'
}

head_has_no_body()
{
	get --head "$url/" >"$scratch/head" && grep -i '^content-length: [1-9]' "$scratch/head" &&
		grep -i '^date: [A-Z][a-z][a-z], [0-3][0-9] [A-Z][a-z][a-z] 20' "$scratch/head"
}

# One connection for three; the last of them is not there.
kept_alive()
{
	get --write-out '%{stderr}%{num_connects}' "$url/" "$url/count" "$url/none" >"$scratch/out" 2>"$scratch/log" &&
		grep 'line 10000' "$scratch/out" && grep 'no such page' "$scratch/out" &&
		[ "$(cat "$scratch/log")" = 100 ]
}

echoed()
{
	get --data-binary "@$scratch/small" "$@" "$url/echo" | cmp - "$scratch/small"
}

streamed()
{
	get --data-binary "@$scratch/large" "$@" "$url/stream" | cmp - "$scratch/large"
}

streamed_nothing()
{
	status_is 200 --data '' "$url/stream" && [ -z "$(get --data '' "$url/stream")" ]
}

# curl waits for "100 Continue" before a large body.
continued()
{
	get -v --data-binary "@$scratch/large" -H 'Expect: 100-continue' --expect100-timeout 100 \
		"$url/stream" 2>"$scratch/log" | cmp - "$scratch/large" && grep '< HTTP/1.1 100 Continue' "$scratch/log"
}

status_is()
{
	wanted=$1
	shift
	[ "$(get -o /dev/null -w '%{http_code}' "$@")" = "$wanted" ]
}

old_version()
{
	get --http1.0 "$url/count" | tail -n 1 | grep '^line 10000$'
}

many_at_once()
{
	get --parallel --parallel-max 20 "$url/count?[1-60]" -o "$scratch/part-#1" || return 1
	[ "$(cat "$scratch"/part-* | wc -l)" -eq 600000 ]
}

with_curl()
{
	attempt "$backend: curl gets the page" page_is_there
	attempt "$backend: curl --head" head_has_no_body
	attempt "$backend: curl keeps the connection" kept_alive
	attempt "$backend: curl posts" echoed
	attempt "$backend: curl posts in chunks" echoed -H 'Transfer-Encoding: chunked'
	attempt "$backend: curl streams both ways" streamed
	attempt "$backend: curl streams both ways, in chunks" streamed -H 'Transfer-Encoding: chunked'
	attempt "$backend: curl streams nothing" streamed_nothing
	attempt "$backend: curl waits for 100 Continue" continued
	attempt "$backend: curl speaks HTTP/1.0" old_version
	attempt "$backend: curl, through us as a proxy: an absolute target" \
		status_is 200 --noproxy '' --proxy "$url" "http://somewhere/"
	attempt "$backend: too long a body is 413" status_is 413 --data-binary "@$scratch/large" "$url/echo"
	attempt "$backend: too long a target is 414" status_is 414 "$url/$(printf '%09000d' 0)"
	attempt "$backend: too long a header is 431" status_is 431 -H "X: $(printf '%040000d' 0)" "$url/"
	attempt "$backend: 60 transfers, 20 at a time" many_at_once
}

# ---- the others ----

loaded()
{
	wrk -t 1 -c 20 -d 1s --timeout 60s "$url/" >"$scratch/wrk" 2>&1 || return 1
	cat "$scratch/wrk"
	! grep -E 'Socket errors|Non-2xx' "$scratch/wrk" && grep -E '^ *[1-9][0-9]* requests in' "$scratch/wrk"
}

python_client()
{
	python3 - "$port" <<'END_OF_PYTHON'
import http.client, sys
connection = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]), timeout=120)
for i in range(3):
    connection.request('POST', '/echo', body=b'abc' * i, headers={'X-Test': 'a'})
    reply = connection.getresponse()
    assert (reply.status, reply.read()) == (200, b'abc' * i)
    connection.request('POST', '/stream', body=iter([b'one ', b'two ', b'three']), encode_chunked=True,
                       headers={'Transfer-Encoding': 'chunked'})
    reply = connection.getresponse()
    assert (reply.status, reply.read()) == (200, b'one two three')
END_OF_PYTHON
}

# A page whose script posts, and shows the answer: both are seen in what the browser makes of it.
# A browser needs long to start where much else is done.
# browser_shows [ARGUMENT...]: arguments for the browser.
browser_shows()
{
	"$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
		--disable-background-networking --user-data-dir="$scratch/profile" --no-proxy-server \
		--virtual-time-budget=120000 "$@" --dump-dom "$url/" >"$scratch/dom" 2>"$scratch/browser" &
	other=$!
	tries=0
	while kill -0 "$other" 2>/dev/null; do
		tries=$((tries + 1))
		[ "$tries" -lt 3000 ] || break
		sleep 0.1
	done
	kill "$other" 2>/dev/null
	wait "$other"
	other=
	cat "$scratch/dom"
	tail -n 20 "$scratch/browser"
	grep '<p id="answer">the server says: hello from the page</p>' "$scratch/dom"
}

# ---- the client ----

fetched()
{
	examples/http-fetch "$url/" "$url/count" >"$scratch/out" && grep 'hello from the page' "$scratch/out" &&
		[ "$(grep -c '^line' "$scratch/out")" -eq 10000 ] &&
		[ "$(examples/http-fetch --post 'some text' "$url/echo")" = 'some text' ] &&
		examples/http-fetch --head "$url/" | grep '^Content-Length: '
}

fetch_fails_well()
{
	! examples/http-fetch "$url/none" && ! examples/http-fetch http://127.0.0.1:1/ &&
		! examples/http-fetch ftp://127.0.0.1/ && ! examples/http-fetch http://nonesuch.invalid/ &&
		! examples/http-fetch "$url/" http://localhost:1/ && ! examples/http-fetch
}

# A server in python3, $other, says its port.
await_python()
{
	tries=0
	until [ -s "$scratch/python" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] && kill -0 "$other" 2>/dev/null || return 1
		sleep 0.1
	done
}

end_other()
{
	kill "$other"
	wait "$other" 2>/dev/null
	other=
}

fetched_from_python()
{
	: >"$scratch/python"
	(cd "$scratch" && exec python3 -u - 2>/dev/null >python <<'END_OF_PYTHON'
import http.server
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)
print(server.server_address[1], flush=True)
server.serve_forever()
END_OF_PYTHON
	) &
	other=$!
	await_python || return 1
	from=http://127.0.0.1:$(cat "$scratch/python")
	named=http://localhost:${from##*:} # of which one address may refuse
	examples/http-fetch "$from/large" "$from/small" >"$scratch/out" &&
		examples/http-fetch "$named/small" | cmp - "$scratch/small"
	verdict=$?
	cat "$scratch/large" "$scratch/small" | cmp - "$scratch/out" || verdict=1
	end_other
	return $verdict
}

# A server in python3, whose program is the input: it says its port, which is the only line that it says. The
# proxy before it is asked by $url.
proxy_before_python()
{
	: >"$scratch/python"
	cat >"$scratch/program.py" # a job has no input of its own
	python3 -u "$scratch/program.py" 2>/dev/null >"$scratch/python" &
	other=$!
	await_python || return 1
	start examples/http-proxy 127.0.0.1:0 "127.0.0.1:$(cat "$scratch/python")"
}

# One request is answered only when many others have been.
slow_one_holds_up_nobody()
{
	proxy_before_python <<'END_OF_PYTHON' || { end_other; return 1; }
import http.server, threading
enough = threading.Event()
quick = 0
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        global quick
        if self.path == '/slow':
            enough.wait()
        else:
            quick += 1
            if quick == 20:
                enough.set()
        self.send_response(200)
        self.send_header('Content-Length', '0')
        self.end_headers()
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
server = Server(('127.0.0.1', 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
END_OF_PYTHON
	get -o "$scratch/out" -w '%{http_code}' "$url/slow" >"$scratch/slow" &
	slow=$!
	get -o "$scratch/out" "$url/[1-20]"
	wait "$slow"
	verdict=$?
	[ "$(cat "$scratch/slow")" = 200 ] || verdict=1
	stopped_well || verdict=1
	end_other
	return $verdict
}

# What comes to a server behind the proxy, of a request that names a header of its connection; and what comes
# of its answer, which does so, too.
headers_of_the_connection_end()
{
	verdict=1
	proxy_before_python <<'END_OF_PYTHON' || { end_other; return 1; }
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = str(self.headers).encode()
        self.send_response(200)
        self.send_header('Connection', 'X-Hop')
        self.send_header('X-Hop', 'there')
        self.send_header('X-End', 'here')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
END_OF_PYTHON
	get --include -H 'Connection: close, x-one ,X-Two' -H 'X-One: secret' -H 'X-Two: secret' \
		-H 'X-Three: passed' "$url/" >"$scratch/out" && cat "$scratch/out" &&
		grep 'X-Three: passed' "$scratch/out" && ! grep secret "$scratch/out" &&
		grep 'X-End: here' "$scratch/out" && ! grep 'X-Hop' "$scratch/out" && verdict=0
	stopped_well || verdict=1
	end_other
	return $verdict
}

# ---- a proxy before the server, which goes away and comes back ----

status_through_proxy()
{
	[ "$(get $trusted -o "$scratch/out" -w '%{http_code}' "$front/" "$@")" = "$wanted" ]
}

# behind_a_proxy SCHEME [CERTIFICATE KEY]: how the proxy is asked.
behind_a_proxy()
{
	scheme=$1
	shift
	start examples/http-server 127.0.0.1:0 || return 1
	behind=$running at=127.0.0.1:$port
	start examples/http-proxy 127.0.0.1:0 "$at" "$@" || { kill "$behind"; return 1; }
	other=$running running=$behind front=$scheme://127.0.0.1:$port verdict=0
	wanted=200
	status_through_proxy && grep 'hello from the page' "$scratch/out" || verdict=1
	get $trusted --data-binary "@$scratch/small" "$front/echo" | cmp - "$scratch/small" || verdict=1
	get $trusted "$front/" | wc -c | tr -d ' ' >"$scratch/length"
	get $trusted --head "$front/" >"$scratch/head" && grep 'HTTP/1.1 200' "$scratch/head" &&
		grep -i "^content-length: $(cat "$scratch/length").\$" "$scratch/head" || verdict=1
	stopped_well || verdict=1
	wanted=502
	status_through_proxy || verdict=1
	start examples/http-server "$at" || verdict=1
	wanted=200
	status_through_proxy && grep 'hello from the page' "$scratch/out" || verdict=1
	stopped_well || verdict=1
	kill -TERM "$other"
	wait "$other" || verdict=1
	other=
	return $verdict
}

# ---- the same over TLS ----

trusted=
certify()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3 -subj '/CN=localhost' \
		-addext 'subjectAltName=IP:127.0.0.1,DNS:localhost' -keyout "$scratch/key.pem" -out "$scratch/certificate.pem"
}

tls_works()
{
	has curl && has openssl && certify >"$scratch/certify" 2>&1 &&
		start examples/http-server 127.0.0.1:0 "$scratch/certificate.pem" "$scratch/key.pem" && stopped_well
}

over_tls()
{
	attempt "$backend: the server starts, for TLS" \
		start examples/http-server 127.0.0.1:0 "$scratch/certificate.pem" "$scratch/key.pem"
	url=https://127.0.0.1:$port
	attempt "$backend: curl does not trust a certificate that nobody vouches for" untrusted
	attempt "$backend: curl gets the page over TLS" tls_page_is_there
	attempt "$backend: curl streams both ways over TLS" streamed $trusted
	# It has no option for whom else to trust.
	if [ -n "$browser" ]; then
		attempt "$backend: a browser loads the page over TLS" browser_shows --ignore-certificate-errors
	fi
	attempt "$backend: the server stops, that was for TLS" stopped_well
	attempt "$backend: our client, over TLS from openssl" fetched_from_openssl
	attempt "$backend: a proxy for TLS survives the server behind it" \
		behind_a_proxy https "$scratch/certificate.pem" "$scratch/key.pem"
}

# By a name and by an address, from openssl s_server, whose bodies end with the connection.
fetched_from_openssl()
{
	: >"$scratch/openssl"
	(cd "$scratch" && exec openssl s_server -accept 127.0.0.1:0 -cert certificate.pem -key key.pem -WWW \
		>openssl 2>&1 </dev/null) &
	other=$!
	tries=0
	until grep -q '^ACCEPT' "$scratch/openssl"; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] && kill -0 "$other" 2>/dev/null || return 1
		sleep 0.1
	done
	from=127.0.0.1:$(sed -n 's/^ACCEPT.*:\([0-9]*\)$/\1/p' "$scratch/openssl" | head -n 1)
	verdict=0
	examples/http-fetch --ca "$scratch/certificate.pem" "https://$from/large" "https://$from/small" >"$scratch/out" &&
		cat "$scratch/large" "$scratch/small" | cmp - "$scratch/out" || verdict=1
	examples/http-fetch --ca "$scratch/certificate.pem" "https://localhost:${from#*:}/small" |
		cmp - "$scratch/small" || verdict=1
	! examples/http-fetch "https://$from/small" || verdict=1 # nobody vouches for it
	end_other
	return $verdict
}

untrusted()
{
	get "$url/"
	[ $? -eq 60 ]
}

tls_page_is_there()
{
	get $trusted "$url/" "$url/count" >"$scratch/out" && grep 'hello from the page' "$scratch/out" &&
		grep 'line 10000' "$scratch/out"
}

# ---- all of it ----

if ! start examples/http-server 127.0.0.1:0; then
	if grep -iq 'not supported' "$scratch/server"; then
		running=
		skip 'HTTP: the library was built without (configure --with-http)'
	else
		fail "the server starts: $(cat "$scratch/server")"
	fi
	finish
fi
attempt 'the server stops on a signal' stopped_well

dd if=/dev/urandom of="$scratch/small" bs=1000 count=100 2>/dev/null
dd if=/dev/urandom of="$scratch/large" bs=1000000 count=3 2>/dev/null
browser=$(command -v chromium || command -v chromium-browser)
tls=yes
tls_works || tls=no
running=
for backend in $(examples/echo-server --list 2>/dev/null); do
	BRINK_BACKEND=$backend
	export BRINK_BACKEND
	attempt "$backend: the server starts" start examples/http-server 127.0.0.1:0
	if has curl; then with_curl; else skip "$backend: there is no curl"; fi
	if has wrk; then attempt "$backend: wrk" loaded; else skip "$backend: there is no wrk"; fi
	if has python3; then
		attempt "$backend: Python's client" python_client
		attempt "$backend: our client, from Python's server" fetched_from_python
	else
		skip "$backend: there is no python3"
	fi
	attempt "$backend: our client" fetched
	attempt "$backend: our client fails well" fetch_fails_well
	attempt "$backend: the server stops" stopped_well
	if has curl; then attempt "$backend: a proxy survives the server behind it" behind_a_proxy http; fi
	if has curl && has python3; then
		attempt "$backend: a proxy does not pass on what is about a connection" headers_of_the_connection_end
		attempt "$backend: a slow request holds up nobody else's" slow_one_holds_up_nobody
	fi
	if [ "$tls" = yes ]; then
		trusted="--cacert $scratch/certificate.pem"
		over_tls
		trusted=
	else
		skip "$backend: HTTP over TLS: there is no curl or no openssl, or the library was built without"
	fi
	attempt "$backend: the server starts again" start examples/http-server 127.0.0.1:0
	if [ -n "$browser" ]; then
		attempt "$backend: a browser loads the page, whose script posts and shows the answer" browser_shows
	else
		skip "$backend: a browser: there is no chromium"
	fi
	attempt "$backend: the server stops on a signal" stopped_well
done
finish
