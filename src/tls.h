/* TLS from inside. It stands on the public interface alone: what it needs of the library is
 * what any transport may use.
 *
 *   tls_context.c       options, references, the SSL_CTX
 *   tls_certificate.c   certificates: loaded, chosen by name, replaced
 *   tls_session.c       a client's sessions, to be resumed
 *   tls_ticket.c        the keys of a server's tickets
 *   tls_bio.c           between OpenSSL and the descriptor
 *   tls_connection.c    the beginning and the end of a connection
 *   tls_transfer.c      the handshake, reading and writing
 *   tls_info.c          what the handshake led to
 *   tls_error.c         OpenSSL's errors
 *   tls_none.c          all of the interface, without OpenSSL
 *
 * OpenSSL never touches the descriptor. It takes what comes out of a buffer and puts what goes
 * into another one, which this moves by as few system calls as possible. So a call of OpenSSL's
 * never has to be repeated because the kernel takes no more, which is where its rules are
 * strictest. */
#ifndef BRINK_TLS_INTERNAL_H
#define BRINK_TLS_INTERNAL_H

#include <brink/buffer.h>
#include <brink/tls.h>
#include <brink/watch.h>

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* ---- tls_context.c ---- */

struct brink__tls_ticket_key {
	unsigned char name[16], cipher[32], mac[32];
	uint64_t made; /* ns, by the monotonic clock */
};

/* Of a server. */
struct brink__tls_tickets {
	uint64_t lifetime;
	EVP_CIPHER *cipher;
	unsigned count;
	struct brink__tls_ticket_key keys[2]; /* the newest first; by the lock */
};

/* What contexts for several peers have in common. */
struct brink__tls_shared {
	atomic_uint references;
	enum brink_tls_role role;
	unsigned flags;
	SSL_CTX *ssl;
	BIO_METHOD *bio;
	unsigned char *protocols; /* as ALPN has them */
	unsigned protocols_size;
	pthread_mutex_t lock;
	struct brink__tls_tickets tickets;
	struct brink__tls_identities *identities; /* of new connections; NULL: none */
	unsigned generation; /* of them: sessions do not outlive the certificates that they began with */
};

#define BRINK__TLS_SESSIONS 4u

struct brink_tls {
	atomic_uint references;
	struct brink__tls_shared *shared;
	char *peer_name; /* NULL: none */
	pthread_mutex_t lock;
	struct brink__tls_session {
		SSL_SESSION *session;
		unsigned generation;
	} sessions[BRINK__TLS_SESSIONS]; /* the newest last */
	unsigned session_count;
};

bool brink__tls_is_address(const char *name); /* of the Internet, in numbers */
/* Zeroed; NULL without memory. */
void *brink__tls_allocate(size_t size);
char *brink__tls_copy(const char *text);
void brink__tls_free(void *memory);

/* ---- tls_certificate.c ---- */

struct brink__tls_identity {
	X509 *certificate;
	EVP_PKEY *key;
	STACK_OF(X509) *chain;
};

/* Counted and unchangeable: a connection has those that were there when it began. */
struct brink__tls_identities {
	atomic_uint references;
	unsigned count;
	struct brink__tls_identity each[];
};

/* `ssl`: whose rules they have to meet. */
int brink__tls_identities_load(struct brink__tls_identities **loaded, SSL_CTX *ssl,
                               const struct brink_tls_certificate *certificates, unsigned count);
/* A reference, and which generation they are. */
struct brink__tls_identities *brink__tls_identities_get(struct brink__tls_shared *shared, unsigned *generation);
void brink__tls_identities_drop(struct brink__tls_identities *identities);                 /* NULL is allowed */
/* Shows those for `name` (NULL: the first): 1, or 0 as OpenSSL's callbacks say it. */
int brink__tls_identities_show(const struct brink__tls_identities *identities, const char *name, SSL *ssl);
/* Adds each certificate of a source to whom `ssl` trusts. */
int brink__tls_trust(SSL_CTX *ssl, const char *file, const char *text);

/* ---- tls_connection.c ---- */

struct brink__tls_connection {
	brink_socket *socket;
	brink_tls *tls; /* a reference */
	struct brink__tls_identities *identities;
	unsigned generation; /* of these */
	SSL *ssl;
	void *plain; /* the state of the plain transport, by which it reads */
	int fd;
	brink_buffer in;  /* has come, and OpenSSL has not taken it */
	brink_buffer out; /* is to go to the kernel */
	size_t read_size; /* what the next read asks for */
	size_t taken;     /* bytes of the write under way, whose records are in `out` */
	size_t fed;       /* bytes that OpenSSL has taken since it last gave some to the program */
	int came;         /* how the descriptor ended: 1 not yet, 0, or a negative errno */
	int error;        /* that the connection has failed with; 0 */
	char text[160];   /* of it, if OpenSSL has words for it */
	bool shaken;      /* hands */
	bool said_end;    /* close_notify is in `out`, or sent */
	bool muted;       /* nothing may be sent any more */
	bool read_here;   /* the call under way has read off the descriptor */
	bool sent_here;   /* and sent */
	bool reads;       /* and is the reader's */
	bool choked;      /* and was not given all that there is */
	bool starved;     /* the last write waits for something to be read */
	struct brink_tls_info info;
	char *texts[3]; /* of `info`, allocated */
};

/* ---- tls_bio.c ---- */

#define BRINK__TLS_UNSENT_MOST (2 * 65536u + 4096u) /* records of a write, and as many of the reader's own */

BIO_METHOD *brink__tls_bio_method(void);
/* Sends what is in `out`: 0 when that is all, -EAGAIN, or another errno. */
int brink__tls_flush(struct brink__tls_connection *connection);

/* ---- tls_transfer.c ---- */

int brink__tls_handshake(void *state, int fd, unsigned *waits);
ssize_t brink__tls_readv(void *state, int fd, const struct iovec *parts, int count, unsigned *waits);
ssize_t brink__tls_writev(void *state, int fd, const struct iovec *parts, int count, unsigned *waits);
int brink__tls_shutdown(void *state, int fd, unsigned *waits);

/* ---- tls_session.c ---- */

void brink__tls_sessions_prepare(SSL_CTX *ssl, enum brink_tls_role role);
void brink__tls_session_offer(const struct brink__tls_connection *connection);
/* A handshake is done: keeps a session that came with it where OpenSSL tells nobody of that. */
void brink__tls_session_renewed(SSL *ssl);
void brink__tls_sessions_free(brink_tls *tls);

/* ---- tls_ticket.c ---- */

int brink__tls_tickets_prepare(struct brink__tls_shared *shared, uint64_t lifetime); /* -ENOMEM, -EIO */
void brink__tls_tickets_free(struct brink__tls_shared *shared);

/* ---- tls_info.c ---- */

int brink__tls_info_take(struct brink__tls_connection *connection); /* -ENOMEM */
void brink__tls_info_free(struct brink__tls_connection *connection);

/* ---- tls_error.c ---- */

/* Notes why a function fails, for brink_tls_error(), and returns `error`. */
int brink__tls_fail(int error, const char *text);
/* The same by what OpenSSL has queued: -ENOMEM, what the system said, or `otherwise`. `what` is
 * what it was about. */
int brink__tls_fail_ssl(int otherwise, const char *what);
/* Why a call on a connection failed: notes it in the connection, and returns the error. */
int brink__tls_note_failure(struct brink__tls_connection *connection);
/* Fails the socket with the error that is noted, and its text; returns the error. */
int brink__tls_give_up(struct brink__tls_connection *connection);

#endif
