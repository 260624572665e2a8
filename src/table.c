#include "config.h"

#include "table.h"

#include "memory.h"

#include <string.h>

/* Room for the page of `fd` in the array of pages. */
static bool widen(struct brink__table *table, uint32_t page)
{
	uint32_t count = table->page_count != 0 ? table->page_count : 4;
	struct brink__slot **pages;

	while (count <= page)
		count *= 2;
	pages = brink__resize(table->pages, count, sizeof *pages);
	if (pages == NULL)
		return false;
	memset(pages + table->page_count, 0, (count - table->page_count) * sizeof *pages);
	table->pages = pages;
	table->page_count = count;
	return true;
}

struct brink__slot *brink__table_get(struct brink__table *table, int fd)
{
	uint32_t page = (uint32_t)fd / BRINK__TABLE_PAGE;

	if (page >= table->page_count && !widen(table, page))
		return NULL;
	if (table->pages[page] == NULL)
		table->pages[page] = brink__allocate(BRINK__TABLE_PAGE, sizeof(struct brink__slot));
	return brink__table_at(table, fd);
}

void brink__table_renew(struct brink__table *table, struct brink__slot *slot, int fd)
{
	/* One counter for all slots: a generation returns after 2^28 registrations, far
	 * longer than any event stays in a kernel's queue. 0 is left out so that no
	 * token is 0, which means "not registered". */
	table->generation = (table->generation + 1) & 0xfffffffu;
	if (table->generation == 0)
		table->generation = 1;
	slot->token = (uint64_t)(uint32_t)fd << 32 | (uint64_t)table->generation << 4;
	if ((uint32_t)fd < table->stream_count)
		table->streams[fd] = NULL;
}

void brink__table_free(struct brink__table *table)
{
	for (uint32_t i = 0; i < table->page_count; i++)
		brink__free(table->pages[i]);
	brink__free(table->pages);
	brink__free(table->streams);
	*table = (struct brink__table){0};
}
