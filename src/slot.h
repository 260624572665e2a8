/* What the files of the socket call of slot.c: sockets by their ids, and who refers to them. */
#ifndef BRINK_SLOT_H
#define BRINK_SLOT_H

#include <brink/socket.h>

#include <stdbool.h>
#include <stdint.h>

int brink__slot_take(brink_socket **socket); /* all but its place zeroed */
void brink__slot_publish(brink_socket *socket, unsigned references); /* from here on it is alive */
brink_socket *brink__slot_at(uint32_t index); /* NULL: there are no more */
/* The living socket in slot `*index` or the next that has one, with a reference, and in `*index`
 * where to go on; NULL at the end. It finds each that was published before the walk began, in the one order of all
 * sequentially consistent operations. */
brink_socket *brink__slot_walk(uint32_t *index);
void brink__slot_give(brink_socket *socket); /* recycled, or never published */
/* A reference to a socket that lives or has failed; NULL when it is gone. */
brink_socket *brink__slot_find(brink_socket_id id);
void brink__slot_mark_failed(brink_socket *socket);
/* The prober has seen that its reference is the only one: lives again, with one more. Only
 * references of a moment can have come since, for who asks for the id is told that it has
 * failed. False: it was abandoned. */
bool brink__slot_revive(brink_socket *socket);
/* It has failed, and there is one reference: the prober's, or that of a life that has ended. */
bool brink__slot_alone(brink_socket *socket);
/* Drops a reference that came with BRINK__SOCKET_ALONE: whether that one is left. */
bool brink__slot_drop(brink_socket *socket);
/* From here on it is not revived any more; one that is alive does not fail by that. Any thread that has a
 * reference; what it was before: alive, or failed, or failed and abandoned. */
enum brink__found { BRINK__FOUND_ALIVE, BRINK__FOUND_FAILED, BRINK__FOUND_ABANDONED };
enum brink__found brink__slot_abandon(brink_socket *socket);
bool brink__slot_abandoned(brink_socket *socket);
/* It does not resolve, or not for long any more, and never will again. A look: no reference moves. */
bool brink__slot_is_over(brink_socket_id id);
/* The prober of an abandoned one, who is alone, gives up. If somebody has come meanwhile,
 * nothing: the release of that one is told by BRINK__SOCKET_ALONE. */
void brink__slot_give_up(brink_socket *socket);
void brink__slots_before_fork(void);
void brink__slots_after_fork(void);

#endif
