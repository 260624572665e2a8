/* What every other header of libbrink needs. */
#ifndef BRINK_BASE_H
#define BRINK_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define BRINK_BEGIN_DECLS extern "C" {
#define BRINK_END_DECLS }
#else
#define BRINK_BEGIN_DECLS
#define BRINK_END_DECLS
#endif

#if defined(__GNUC__) || defined(__clang__)
#define BRINK_API __attribute__((visibility("default")))
#else
#define BRINK_API
#endif

/* The object of type `type` whose member `member` is at `pointer`. */
#define brink_container_of(pointer, type, member) \
	((type *)(void *)((char *)(pointer) - offsetof(type, member)))

#define BRINK_MS(milliseconds) ((uint64_t)(milliseconds) * 1000000u)
#define BRINK_SECONDS(seconds) ((uint64_t)(seconds) * 1000000000u)

/* A place in one of the library's lists, inside an object of the caller's. */
struct brink_list {
	struct brink_list *next, *previous;
};

typedef struct brink_buffer brink_buffer;
typedef struct brink_child brink_child;
typedef struct brink_client brink_client;
typedef struct brink_datagram brink_datagram;
typedef struct brink_dial brink_dial;
typedef struct brink_executor brink_executor;
typedef struct brink_executor_room brink_executor_room;
typedef struct brink_group brink_group;
typedef struct brink_hook brink_hook;
typedef struct brink_listener brink_listener;
typedef struct brink_lookup brink_lookup;
typedef struct brink_loop brink_loop;
typedef struct brink_message brink_message;
typedef struct brink_messenger brink_messenger;
typedef struct brink_resolver brink_resolver;
typedef struct brink_server brink_server;
typedef struct brink_signal brink_signal;
typedef struct brink_socket brink_socket;
typedef struct brink_task brink_task;
typedef struct brink_timer brink_timer;
typedef struct brink_tls brink_tls;
typedef struct brink_watch brink_watch;

#endif
