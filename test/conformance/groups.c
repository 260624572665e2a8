#include "harness.h"

#include "groups.h"

const struct group *const groups[] = {
	&edge_group, &ticket_group, &helper_group, &change_group, &cost_group, &listener_group,
	&level_group,
	&end_group, &reset_group, &connect_group,
	&removal_group, &batch_group, &reuse_group, &lost_group, &owners_group, &close_group, &refused_group,
	&wait_group, &run_group, &hook_group, &task_group,
	&signal_group, &process_group, &fork_group, &timer_group, &thread_group,
	&embed_group, &backend_group, &file_group, &errors_group, &memory_group, &chaos_group, &model_group,
};
const size_t group_count = sizeof groups / sizeof groups[0];
