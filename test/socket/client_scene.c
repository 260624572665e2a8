#include "client_scene.h"

#include <string.h>
#include <sys/socket.h>

void open_client_scene(struct client_scene *scene, enum kind kind, enum brink_client_kind what)
{
	memset(scene, 0, sizeof *scene);
	open_client_stage(&scene->stage, kind);
	start_server(&scene->stage.server, 128);
	scene->options.address = &scene->stage.server.address;
	scene->options.loop = scene->stage.loop;
	scene->options.kind = what;
	scene->options.socket = scene->stage.options;
	scene->options.socket.address = NULL;
	/* Ours are many: what is checked of one does not hold. */
	scene->options.socket.on_open = NULL;
}

void make_client(struct client_scene *scene)
{
	CHECK_OK(brink_client_create(&scene->client, &scene->options));
}

uint64_t connections_made(struct client_scene *scene)
{
	struct brink_client_info info;

	brink_client_get_info(scene->client, &info);
	return info.connections;
}

/* What is left: the client is destroyed, and `closes` connections end in all. */
void end_client_scene(struct client_scene *scene, uint64_t closes)
{
	int fd;

	/* They wait for the peer's end. */
	while ((fd = accept(scene->stage.server.listener, NULL, NULL)) >= 0)
		close_fd(&fd);
	RUN_UNTIL(scene->stage.loop, scene->stage.seen.closes == closes);
	brink_loop_destroy(scene->stage.loop);
	close_server(&scene->stage.server);
}

void close_client_scene(struct client_scene *scene)
{
	uint64_t connections = connections_made(scene);

	brink_client_destroy(scene->client);
	end_client_scene(scene, connections);
}

brink_socket *take_connection(struct client_scene *scene)
{
	brink_socket *socket = NULL;

	CHECK_OK(brink_client_take(scene->client, &socket));
	CHECK(socket != NULL);
	return socket;
}

void write_on(brink_socket *socket, const char *text)
{
	CHECK_OK(brink_socket_write_bytes(socket, text, strlen(text)));
}
