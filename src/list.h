/* Circular lists with a head: a node is taken out in O(1) without knowing its list. */
#ifndef BRINK_LIST_H
#define BRINK_LIST_H

#include <brink/base.h>

#include <stdbool.h>

static inline void brink__list_init(struct brink_list *head)
{
	head->next = head->previous = head;
}

static inline bool brink__list_empty(const struct brink_list *head)
{
	return head->next == head;
}

/* Inserts `node` after `place`. */
static inline void brink__list_insert(struct brink_list *place, struct brink_list *node)
{
	node->previous = place;
	node->next = place->next;
	place->next->previous = node;
	place->next = node;
}

static inline void brink__list_append(struct brink_list *head, struct brink_list *node)
{
	brink__list_insert(head->previous, node);
}

/* Takes `node` out of whatever list it is in; its `next` is NULL then. */
static inline void brink__list_remove(struct brink_list *node)
{
	node->previous->next = node->next;
	node->next->previous = node->previous;
	node->next = NULL;
}

/* Moves all of `from` to `to`, whose former content is forgotten.
 *
 * This is how lists are walked whose members are called: all are moved to a list of
 * the pass, and each goes back to its own list before its call. So a callback may take
 * out any member, itself too, and what it adds has to wait for the next pass. */
static inline void brink__list_take(struct brink_list *to, struct brink_list *from)
{
	if (brink__list_empty(from)) {
		brink__list_init(to);
		return;
	}
	*to = *from;
	to->next->previous = to;
	to->previous->next = to;
	brink__list_init(from);
}

/* Moves the first node of `pass` to the end of `home` and returns it; NULL at the end. */
static inline struct brink_list *brink__list_step(struct brink_list *pass, struct brink_list *home)
{
	struct brink_list *node = pass->next;

	if (node == pass)
		return NULL;
	brink__list_remove(node);
	brink__list_append(home, node);
	return node;
}

#endif
