/* The page that the servers of `http` answer with, and whether a client got it. */
#ifndef BENCH_PAGE_H
#define BENCH_PAGE_H

#include <stddef.h>
#include <sys/types.h>

#define PAGE_TYPE "text/plain"

/* `size` bytes, for good. */
char *make_page(size_t size);

/* Whether `reply`, of which `have` bytes have come, is a page's head and then this page: its whole
 * length; 0: more has to come; or -EBADMSG. */
ssize_t check_reply(const char *reply, size_t have, const char *page, size_t size);

/* "Thu, 01 Jan 1970 00:00:00 GMT", for servers that are written by hand. */
#define DATE_SIZE 30
void write_date(char date[DATE_SIZE]);

#endif
