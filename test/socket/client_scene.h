/* A client's connections to one server, and what came of them. */
#ifndef SOCKET_CLIENT_SCENE_H
#define SOCKET_CLIENT_SCENE_H

#include "client_stage.h"

struct client_scene {
	struct client_stage stage; /* its server and loop; it has no socket of its own */
	struct brink_client_options options;
	brink_client *client;
};

/* Its server runs; change the options, and make the client. */
void open_client_scene(struct client_scene *scene, enum kind kind, enum brink_client_kind what);
void make_client(struct client_scene *scene);
uint64_t connections_made(struct client_scene *scene);
brink_socket *take_connection(struct client_scene *scene);
void write_on(brink_socket *socket, const char *text);
/* What is left where the client is destroyed, and `closes` connections end in all. */
void end_client_scene(struct client_scene *scene, uint64_t closes);
void close_client_scene(struct client_scene *scene);

#endif
