#include "config.h"

#include "loop.h"

#include <errno.h>
#include <string.h>

void brink_hook_init(brink_hook *hook, brink_hook_fn *call)
{
	memset(hook, 0, sizeof *hook);
	hook->call = call;
}

int brink_hook_start(brink_loop *loop, brink_hook *hook, enum brink_hook_point point)
{
	if (hook->call == NULL || (unsigned)point > BRINK_HOOK_IDLE)
		return -EINVAL;
	if (hook->node.next != NULL)
		return -EEXIST;
	hook->loop = loop;
	hook->point = (int)point;
	brink__list_append(&loop->hooks[point], &hook->node);
	if (point == BRINK_HOOK_IDLE)
		loop->references++;
	return 0;
}

int brink_hook_stop(brink_hook *hook)
{
	if (hook->node.next == NULL)
		return -ENOENT;
	brink__list_remove(&hook->node);
	if (hook->point == BRINK_HOOK_IDLE)
		hook->loop->references--;
	return 0;
}

unsigned brink__hooks_run(brink_loop *loop, enum brink_hook_point point)
{
	struct brink_list *home = &loop->hooks[point], pass, called, *node;
	unsigned calls = 0;

	brink__list_take(&pass, home);
	brink__list_init(&called);
	while ((node = brink__list_step(&pass, &called)) != NULL) {
		brink_hook *hook = brink_container_of(node, brink_hook, node);

		hook->call(hook);
		calls++;
	}
	/* Those that were started meanwhile come after all of these, not where they fell. */
	brink__list_take(&pass, home);
	brink__list_take(home, &called);
	while (brink__list_step(&pass, home) != NULL)
		;
	return calls;
}

void brink__hooks_end(brink_loop *loop)
{
	for (int point = 0; point < 3; point++)
		while (!brink__list_empty(&loop->hooks[point]))
			brink__list_remove(loop->hooks[point].next);
}
