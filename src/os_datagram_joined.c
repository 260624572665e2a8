/* Many datagrams that cross the kernel as one, where it can (udp(7), UDP_SEGMENT and UDP_GRO). */
#include "config.h"

#include "os_datagram.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#if defined(__linux__)

#include <netinet/udp.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

bool brink__os_receive_joined(int fd)
{
	int on = 1;

	return setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on) == 0;
}

bool brink__os_send_joined(int fd)
{
	int none = 0;

	return setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &none, sizeof none) == 0;
}

void brink__os_read_segment(const struct cmsghdr *control, struct brink__arrival *arrival)
{
	int segment;

	if (control->cmsg_level != IPPROTO_UDP || control->cmsg_type != UDP_GRO ||
	    control->cmsg_len < CMSG_LEN(sizeof segment))
		return;
	memcpy(&segment, CMSG_DATA(control), sizeof segment);
	arrival->segment = segment > 0 ? (unsigned)segment : 0;
}

int brink__os_write_segment(struct msghdr *message, union brink__control *room, unsigned segment)
{
	uint16_t size = (uint16_t)segment;

	brink__os_append_control(message, room, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size);
	return 0;
}

#else

bool brink__os_receive_joined(int fd)
{
	(void)fd;
	return false;
}

bool brink__os_send_joined(int fd)
{
	(void)fd;
	return false;
}

void brink__os_read_segment(const struct cmsghdr *control, struct brink__arrival *arrival)
{
	(void)control;
	(void)arrival;
}

int brink__os_write_segment(struct msghdr *message, union brink__control *room, unsigned segment)
{
	(void)message;
	(void)room;
	(void)segment;
	return -ENOTSUP;
}

#endif
