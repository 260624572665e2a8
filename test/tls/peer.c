/* Either side of TLS, for test/tls/foreign.sh, with what it is to do in the words of its arguments:
 *
 *   peer server ADDRESS [WORD=VALUE ...]     echoes, or serves HTTP to who asks by GET or PUT
 *   peer client ADDRESS TEXT [WORD=VALUE ...]  sends TEXT and a line feed, and expects a line
 *
 *   cert, key       files; a server may have several, in pairs; SIGHUP reads them anew
 *   ca, name        whom to trust; the peer's name
 *   alpn            a protocol; several times
 *   most            12: TLS 1.2
 *   verify          a server: ask or require; a client: no
 *   times           connections of a client, one after another
 *   wait            1: a client waits for the server's end, and does not end by itself
 *
 * It says what each connection led to, and how it ended. */
#include <brink.h>

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MOST 8u

static struct brink_tls_options options;
static struct brink_tls_certificate certificates[MOST];
static const char *protocols[MOST + 1];
static unsigned protocol_count, times = 1, waits;
static brink_tls *tls;
static brink_loop *loop;
static int status;

static const char *or_none(const char *text)
{
	return text != NULL ? text : "none";
}

static void say_open(brink_socket *socket)
{
	struct brink_tls_info info;

	if (brink_tls_get_info(socket, &info) < 0)
		abort();
	printf("open %s %s alpn=%s name=%s subject=%s resumed=%d\n", info.version, info.cipher,
	       or_none(info.protocol), or_none(info.server_name), or_none(info.peer_subject), info.resumed);
	fflush(stdout);
}

static void say_close(int error, const char *text)
{
	printf("close %d %s\n", error, text);
	fflush(stdout);
}

/* ---- the server ---- */

/* What a connection asked for: 0 not known yet, 'G' or 'P', 'E' for an echo. */
struct request {
	char kind;
	size_t left; /* of the body that is to be sent back */
};

static void on_open(brink_socket *socket, void *arg)
{
	(void)arg;
	brink_socket_set_data(socket, calloc(1, sizeof(struct request)));
	say_open(socket);
}

static void on_close(brink_socket *socket, int error, const char *text, void *arg)
{
	(void)arg;
	free(brink_socket_data(socket));
	say_close(error, text);
}

static void begin_http(brink_socket *socket, struct request *request, brink_buffer *in)
{
	static const char answer[] = "HTTP/1.0 200 OK\r\n\r\n", length[] = "Content-Length: ";
	char head[2048] = "";
	ssize_t end = brink_buffer_find(in, 0, "\r\n\r\n", 4);

	if (end < 0 || end >= (ssize_t)sizeof head)
		return;
	brink_buffer_copy(in, 0, head, (size_t)end);
	brink_buffer_pop(in, (size_t)end + 4);
	request->kind = head[0];
	brink_socket_write_bytes(socket, answer, strlen(answer));
	if (request->kind == 'G')
		brink_socket_write_bytes(socket, "hello\n", 6);
	for (const char *line = head; line != NULL; line = strchr(line + 1, '\n'))
		if (strncasecmp(line + 1, length, strlen(length)) == 0)
			request->left = strtoul(line + 1 + strlen(length), NULL, 10);
	if (request->left == 0)
		brink_socket_close(socket);
}

static void send_back(brink_socket *socket, struct request *request, brink_buffer *in)
{
	size_t size = brink_buffer_length(in);

	request->left -= size < request->left ? size : request->left;
	brink_socket_write(socket, in);
	if (request->kind == 'P' && request->left == 0)
		brink_socket_close(socket);
}

static void on_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	struct request *request = brink_socket_data(socket);
	char first[4] = "";

	(void)arg;
	if (request->kind == 0 && brink_buffer_copy(in, 0, first, 4) == 4) {
		if (memcmp(first, "GET ", 4) == 0 || memcmp(first, "PUT ", 4) == 0)
			begin_http(socket, request, in);
		else
			request->kind = 'E';
	}
	if (request->kind != 0 && brink_buffer_length(in) > 0)
		send_back(socket, request, in);
}

static void reload(brink_signal *signal)
{
	int rc = brink_tls_set_certificates(tls, certificates, options.certificate_count);

	(void)signal;
	printf("reload %s\n", rc < 0 ? brink_tls_error() : "done");
	fflush(stdout);
}

static int serve(const char *address)
{
	brink_server *server = NULL;
	brink_signal hangup;
	int rc = brink_server_create(&server, loop, &(struct brink_server_options){.address = address,
		.on_open = on_open, .on_bytes = on_bytes, .on_close = on_close, .stop_on_signals = 1,
		.stop_deadline = BRINK_MS(200),
		.socket = {.transport = brink_tls_transport(), .transport_arg = tls}});

	if (rc < 0)
		return rc;
	brink_signal_init(&hangup, reload);
	rc = brink_signal_start(loop, &hangup, SIGHUP);
	puts(brink_server_description(server));
	fflush(stdout);
	if (rc == 0)
		rc = brink_loop_run(loop);
	brink_signal_stop(&hangup);
	brink_server_destroy(server);
	return rc;
}

/* ---- the client ---- */

static struct brink_address peer;
static const char *text;

static void begin_client(void);

static void on_client_open(brink_socket *socket, void *arg)
{
	(void)arg;
	say_open(socket);
	brink_socket_write_bytes(socket, text, strlen(text));
	brink_socket_write_bytes(socket, "\n", 1);
}

static void on_client_bytes(brink_socket *socket, brink_buffer *in, void *arg)
{
	char line[256] = "";
	ssize_t end = brink_buffer_find(in, 0, "\n", 1);

	(void)arg;
	if (end < 0 || end >= (ssize_t)sizeof line)
		return;
	brink_buffer_copy(in, 0, line, (size_t)end);
	brink_buffer_clear(in);
	printf("got %s\n", line);
	fflush(stdout);
	if (!waits)
		brink_socket_close(socket);
}

static void on_client_close(brink_socket *socket, int error, const char *why, void *arg)
{
	(void)socket;
	(void)arg;
	say_close(error, why);
	status = error < 0;
	if (error == 0 && --times > 0)
		begin_client();
}

static void begin_client(void)
{
	brink_socket_id id;
	int rc = brink_socket_create(&id, loop, &(struct brink_socket_options){.address = &peer,
		.on_open = on_client_open, .on_bytes = on_client_bytes, .on_close = on_client_close,
		.transport = brink_tls_transport(), .transport_arg = tls});

	if (rc < 0) {
		say_close(rc, brink_strerror(rc));
		status = 1;
	}
}

static int connect_to(const char *address)
{
	int rc = brink_address_parse(&peer, address);

	if (rc < 0)
		return rc;
	begin_client();
	return brink_loop_run(loop);
}

/* ---- arguments ---- */

static void understand(char *word)
{
	char *value = strchr(word, '=');

	if (value == NULL)
		exit(2);
	*value++ = '\0';
	if (strcmp(word, "cert") == 0 && options.certificate_count < MOST)
		certificates[options.certificate_count++].file = value;
	else if (strcmp(word, "key") == 0 && options.certificate_count > 0)
		certificates[options.certificate_count - 1].key_file = value;
	else if (strcmp(word, "ca") == 0)
		options.ca_file = value;
	else if (strcmp(word, "name") == 0)
		options.peer_name = value;
	else if (strcmp(word, "alpn") == 0 && protocol_count < MOST)
		protocols[protocol_count++] = value;
	else if (strcmp(word, "most") == 0)
		options.most = atoi(value) == 12 ? BRINK_TLS_1_2 : BRINK_TLS_1_3;
	else if (strcmp(word, "verify") == 0)
		options.flags = strcmp(value, "ask") == 0 ? BRINK_TLS_ASK : strcmp(value, "no") == 0 ?
			BRINK_TLS_UNVERIFIED : BRINK_TLS_REQUIRE;
	else if (strcmp(word, "times") == 0)
		times = (unsigned)atoi(value);
	else if (strcmp(word, "wait") == 0)
		waits = 1;
	else
		exit(2);
}

int main(int argc, char **argv)
{
	bool server = argc > 2 && strcmp(argv[1], "server") == 0;
	int rc;

	if (argc < (server ? 3 : 4))
		return 2;
	for (int i = server ? 3 : 4; i < argc; i++)
		understand(argv[i]);
	options.role = server ? BRINK_TLS_SERVER : BRINK_TLS_CLIENT;
	options.certificates = certificates;
	options.protocols = protocols;
	rc = brink_tls_create(&tls, &options);
	if (rc < 0) {
		printf("context %s\n", brink_tls_error());
		return 1;
	}
	rc = brink_loop_create(&loop, NULL);
	if (rc == 0 && server)
		rc = serve(argv[2]);
	else if (rc == 0)
		rc = (text = argv[3], connect_to(argv[2]));
	if (rc < 0)
		printf("%s\n", brink_strerror(rc));
	brink_loop_destroy(loop);
	brink_tls_release(tls);
	return rc < 0 || status;
}
