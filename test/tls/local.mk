# TLS with programs that others wrote: OpenSSL's own client and server, and curl.

EXTRA_DIST += %reldir%/foreign.sh %reldir%/programs.sh

if OPENSSL
check_PROGRAMS += %reldir%/peer
%canon_reldir%_peer_LDADD = libbrink-tls.la libbrink.la
TESTS += %reldir%/foreign.sh
else
EXTRA_DIST += %reldir%/peer.c
endif
