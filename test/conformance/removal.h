/* What the scenarios of removal do with descriptor numbers. removal.c has them. */
#ifndef CONFORMANCE_REMOVAL_H
#define CONFORMANCE_REMOVAL_H

#include "scene.h"

/* Makes `*fd` the descriptor of that number, which must be free. */
void take_number(int *fd, int number);
bool is_open(int fd);
int duplicate_of(int fd);
/* Closes our end and opens a new pair whose end has its number. */
void replace(struct pair *pair, int number);

#endif
