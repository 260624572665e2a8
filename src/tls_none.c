/* All of TLS's interface in a library that was built without OpenSSL. */
#include "config.h"

#include <brink/tls.h>

#include <errno.h>

static int open_nothing(brink_socket *socket, int fd, int client, void *arg, void **state)
{
	(void)socket;
	(void)fd;
	(void)client;
	(void)arg;
	(void)state;
	return -ENOTSUP;
}

static const struct brink_transport transport = {.name = "no TLS", .open = open_nothing};

const struct brink_transport *brink_tls_transport(void)
{
	return &transport;
}

int brink_tls_create(brink_tls **tls, const struct brink_tls_options *options)
{
	(void)tls;
	(void)options;
	return -ENOTSUP;
}

brink_tls *brink_tls_hold(brink_tls *tls)
{
	return tls;
}

void brink_tls_release(brink_tls *tls)
{
	(void)tls;
}

int brink_tls_for_peer(brink_tls **made, brink_tls *tls, const char *peer_name)
{
	(void)made;
	(void)tls;
	(void)peer_name;
	return -ENOTSUP;
}

int brink_tls_set_certificates(brink_tls *tls, const struct brink_tls_certificate *certificates, unsigned count)
{
	(void)tls;
	(void)certificates;
	(void)count;
	return -ENOTSUP;
}

int brink_tls_change_ticket_key(brink_tls *tls)
{
	(void)tls;
	return -ENOTSUP;
}

const char *brink_tls_error(void)
{
	return "libbrink-tls was built without OpenSSL";
}

int brink_tls_get_info(const brink_socket *socket, struct brink_tls_info *info)
{
	(void)socket;
	(void)info;
	return -ENOTSUP;
}
