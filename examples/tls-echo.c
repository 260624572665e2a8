/* tls-echo: echo over TLS.  tls-echo ADDRESS CERTIFICATE KEY
 *
 * The files are PEM. SIGHUP reads them anew: later connections have the new ones. Try it with
 * openssl s_client -connect ADDRESS -CAfile CA. */
#include <brink.h>

#include <signal.h>
#include <stdio.h>

static struct brink_tls_certificate certificate;
static brink_tls *tls;

static void on_open(brink_socket *socket, void *arg)
{
	struct brink_tls_info info;

	(void)arg;
	if (brink_tls_get_info(socket, &info) == 0)
		printf("a client, by %s with %s\n", info.version, info.cipher);
}

static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	(void)arg;
	brink_socket_write(socket, in);
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	(void)socket;
	(void)arg;
	if (error < 0)
		printf("a client has gone: %s\n", text);
}

static void on_hangup(brink_signal *signal)
{
	int rc = brink_tls_set_certificates(tls, &certificate, 1);

	(void)signal;
	puts(rc < 0 ? brink_tls_error() : "another certificate from now on");
}

int main(int argc, char **argv)
{
	brink_loop *loop = NULL;
	brink_server *server = NULL;
	brink_signal hangup;
	int rc;

	if (argc != 4) {
		fprintf(stderr, "usage: tls-echo ADDRESS CERTIFICATE KEY\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	certificate = (struct brink_tls_certificate){.file = argv[2], .key_file = argv[3]};
	rc = brink_tls_create(&tls, &(struct brink_tls_options){
		.role = BRINK_TLS_SERVER, .certificates = &certificate, .certificate_count = 1});
	if (rc < 0) {
		fprintf(stderr, "tls-echo: %s\n", brink_tls_error());
		return 1;
	}
	rc = brink_loop_create(&loop, NULL);
	if (rc == 0)
		rc = brink_server_create(&server, loop, &(struct brink_server_options){
			.address = argv[1], .on_open = on_open, .on_bytes = on_bytes, .on_close = on_close, .stop_on_signals = 1,
			.socket = {.transport = brink_tls_transport(), .transport_arg = tls,
				.unsent_limit = 1 << 20}}); /* what a client that only sends may cost */
	brink_signal_init(&hangup, on_hangup);
	if (rc == 0)
		rc = brink_signal_start(loop, &hangup, SIGHUP);
	if (rc == 0) {
		puts(brink_server_description(server));
		rc = brink_loop_run(loop); /* until SIGINT or SIGTERM */
		brink_signal_stop(&hangup);
	}
	if (rc < 0)
		fprintf(stderr, "tls-echo: %s\n", brink_strerror(rc));
	brink_server_destroy(server);
	brink_loop_destroy(loop);
	brink_tls_release(tls);
	return rc < 0;
}
