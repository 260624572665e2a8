/* A peer that drives OpenSSL itself, and one of our sockets. */
#ifndef SOCKET_TLS_PEER_STAGE_H
#define SOCKET_TLS_PEER_STAGE_H

#include "tls_stage.h"

#include <openssl/ssl.h>

struct peer {
	SSL_CTX *context;
	SSL *ssl;
	bool serves;            /* we are the client */
	uint64_t write_timeout; /* ours */
};

/* Which of the duo's sides is ours. */
struct tls_side *our_side(const struct peer *peer, struct tls_duo *duo);
/* Its side of the handshake is done then. `version`: the highest; 0: that there is. */
void start_peer(struct peer *peer, struct tls_duo *duo, enum kind kind, int version);
void open_peer(struct peer *peer, struct tls_duo *duo, enum kind kind, int version); /* and ours */
void close_peer(struct peer *peer, struct tls_duo *duo);

#endif
