/* TLS 1.2 and 1.3: a transport for sockets, by OpenSSL 3. It is in a library of its own,
 * libbrink-tls (pkg-config libbrink-tls), so that programs without it need no OpenSSL.
 *
 *     brink_tls_create(&tls, &(struct brink_tls_options){
 *         .role = BRINK_TLS_SERVER, .certificates = &(struct brink_tls_certificate){.file = "chain.pem",
 *         .key_file = "key.pem"}, .certificate_count = 1});
 *     brink_server_create(&server, loop, &(struct brink_server_options){
 *         .address = "0.0.0.0:443", .on_bytes = on_bytes,
 *         .socket = {.transport = brink_tls_transport(), .transport_arg = tls}});
 *
 * The transport is single-threaded: any thread writes to a socket, as always, and its loop
 * encrypts. An executor in the socket's options has no part in it: on_open, on_bytes and on_end
 * are made on the loop's thread. Messages are for code that blocks (brink/messenger.h), whose
 * messenger has the executor. The handshake is bounded by the socket's connect_timeout.
 *
 * A connection has keys and counts records. A child that is forked has both as the parent has them, and what either
 * sends, the other would send again with the same number: so only one of them may go on with a connection.
 *
 * How a connection fails, by on_close, whose `text` has OpenSSL's words:
 *   -EACCES   the peer's certificate is not accepted
 *   -EPROTO   anything else that TLS finds wrong, and what the peer tells by an alert: of a
 *             client's certificate that the server refuses, a client of TLS 1.3 hears only
 *             after its on_open
 *   -BRINK_ETRUNCATED   the peer's end came without TLS's own mark (close_notify): somebody may
 *             have cut off what it sent. on_end is not called
 *   -ETIMEDOUT, -ECONNRESET, ...   as of every socket
 * An end with the mark is on_end. brink_socket_shutdown() and _close() send it; a failed
 * socket does not.
 *
 * A libbrink that was built without OpenSSL has all functions, and they answer -ENOTSUP. */
#ifndef BRINK_TLS_H
#define BRINK_TLS_H

#include <brink/base.h>
#include <brink/transport.h>

BRINK_BEGIN_DECLS

enum brink_tls_role { BRINK_TLS_CLIENT, BRINK_TLS_SERVER };
enum brink_tls_version { BRINK_TLS_1_2 = 12, BRINK_TLS_1_3 = 13 };

/* Flags of a client: what is not verified. */
#define BRINK_TLS_ANY_NAME 1u   /* whose certificate it is; a trusted one is enough */
#define BRINK_TLS_UNVERIFIED 2u /* anything: encrypts, but to whom is not known. For tests */
/* Flags of a server. */
#define BRINK_TLS_ASK 4u     /* for the client's certificate, which is verified if it comes */
#define BRINK_TLS_REQUIRE 8u /* no connection without one */

/* A certificate, those between it and its root, and its private key, as PEM: files, or texts.
 * Without a key of its own, the key is in the same file (text). Keys with a passphrase are refused. */
struct brink_tls_certificate {
	const char *file, *key_file;
	const char *pem, *key_pem; /* instead */
	void *reserved[4];         /* must be zero */
};

/* All zero is a client that verifies by the system's trust store; it needs a peer_name. Nothing
 * of this is needed after the call. */
struct brink_tls_options {
	enum brink_tls_role role;
	unsigned flags; /* BRINK_TLS_ */
	/* A server has at least one. With several, a client gets one for the name that it asks
	 * for (SNI), by what the certificates say, else the first. A client shows the first if it is
	 * asked to. */
	const struct brink_tls_certificate *certificates;
	unsigned certificate_count;
	/* Whom to trust. With none of them a client trusts whom the system does. A server that asks for
	 * certificates has to say. */
	const char *ca_file;      /* PEM */
	const char *ca_directory; /* as openssl rehash(1) makes it */
	const char *ca_pem;       /* the text */
	/* Client: the host name or IP address, without brackets, zone and port, that the server's
	 * certificate must be for: as one of its subjectAltNames, and not as its subject (RFC 9525). A name is
	 * sent to the server, too (SNI). A dot at its end is left out. */
	const char *peer_name;
	/* ALPN: names of protocols, the best first, NULL at the end. A server that has a list and
	 * finds none of the client's in it refuses the connection; a client that sends none is served. */
	const char *const *protocols;
	enum brink_tls_version least, most; /* 0: 1.2, and the highest that there is */
	/* Server: for how long a session may be taken up again, in nanoseconds; 0: 2 hours; at most 7 days.
	 * Clients have it in a ticket, and the key that closes tickets is changed as often: for as long
	 * again it opens what it has closed, and the client gets another ticket; then it is
	 * forgotten, with the first handshake from then on. Processes that were forked with one context have
	 * one key until it is first changed, and then each has its own. */
	uint64_t ticket_lifetime;
	void *reserved[8];                  /* must be zero */
};

/* Makes a context, for any number of connections of any loops and threads. The caller has a
 * reference, which is to be kept while sockets that have it as their transport_arg may still begin
 * a life; connections have references of their own. Any thread, as all functions here.
 *   -EINVAL   an option is missing, contradicts another, or is out of range; reserved memory is not
 *             zero; or a certificate, key or CA is not what it should be
 *   -ENOENT, -EACCES, ...   a file cannot be read
 *   -EIO      there are no random numbers for a server's key of tickets
 *   -ENOTSUP  the library was built without OpenSSL
 *   -ENOMEM */
BRINK_API int brink_tls_create(brink_tls **tls, const struct brink_tls_options *options);
BRINK_API brink_tls *brink_tls_hold(brink_tls *tls); /* one more reference; returns `tls` */
BRINK_API void brink_tls_release(brink_tls *tls);    /* NULL is allowed */

/* A client's context for another peer: what `tls` is, with another peer_name, and sessions of its
 * own.  -EINVAL, -ENOMEM, -ENOTSUP   as above */
BRINK_API int brink_tls_for_peer(brink_tls **made, brink_tls *tls, const char *peer_name);

/* Other certificates, for connections that begin from now on, which resume no session from before: for
 * renewals without a restart. On an error those from before stay. Errors as above. */
BRINK_API int brink_tls_set_certificates(brink_tls *tls, const struct brink_tls_certificate *certificates,
                                         unsigned count);

/* A server's: changes the key of tickets now. Clients whose ticket was closed with the last one resume,
 * those with an older one make a whole handshake: so two calls end all sessions.
 *   -EINVAL   a client's context
 *   -EIO      there are no random numbers
 *   -ENOMEM, -ENOTSUP   as above */
BRINK_API int brink_tls_change_ticket_key(brink_tls *tls);

/* Why the last of the functions above failed in this thread, in OpenSSL's words and ours; never
 * NULL. Valid until the thread's next call of one of them. */
BRINK_API const char *brink_tls_error(void);

/* The transport; its transport_arg is a brink_tls. */
BRINK_API const struct brink_transport *brink_tls_transport(void);

/* What the handshake led to. The texts live as long as the connection. */
struct brink_tls_info {
	const char *version;     /* "TLSv1.3" */
	const char *cipher;      /* OpenSSL's name of it */
	const char *protocol;    /* agreed on by ALPN; NULL: none */
	const char *server_name; /* that the client asked for; NULL: none */
	/* Of the peer's certificate; NULL: it has shown none. By RFC 2253: "CN=example.org". Somebody
	 * vouches for it unless this context is BRINK_TLS_UNVERIFIED. */
	const char *peer_subject;
	int resumed; /* 1: a session of an earlier connection was taken up */
	void *reserved[4];
};
/* Not any thread: the loop's, or in the socket's on_open, on_bytes and on_end.
 *   -ENOTCONN   no connection of this transport, or it has not shaken hands
 *   -ENOTSUP */
BRINK_API int brink_tls_get_info(const brink_socket *socket, struct brink_tls_info *info);

BRINK_END_DECLS

#endif
