#include "config.h"

#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#if defined(HAVE_PIDFD_OPEN)
#include <sys/syscall.h>
#endif

/* ---- time ---- */

uint64_t brink__os_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- descriptors that are non-blocking and close-on-exec from birth ---- */

#if !defined(HAVE_PIPE2) || !defined(HAVE_ACCEPT4)

/* Not atomic: a fork in another thread in between inherits the descriptor. There is no
 * better way on macOS. */
static int set_flags(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}

#endif

#if defined(HAVE_PIPE2)

int brink__os_pipe(int fds[2])
{
	return pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0 ? -errno : 0;
}

#else

int brink__os_pipe(int fds[2])
{
	int result = 0;

	if (pipe(fds) < 0)
		return -errno;
	for (int i = 0; i < 2 && result == 0; i++)
		result = set_flags(fds[i]);
	if (result < 0) {
		close(fds[0]);
		close(fds[1]);
		fds[0] = fds[1] = -1;
	}
	return result;
}

#endif

#if defined(HAVE_ACCEPT4)

int brink__os_accept(int fd, struct sockaddr *address, socklen_t *length)
{
	int accepted = accept4(fd, address, length, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return accepted < 0 ? -errno : accepted;
}

#else

int brink__os_accept(int fd, struct sockaddr *address, socklen_t *length)
{
	int accepted = accept(fd, address, length), result;

	if (accepted < 0)
		return -errno;
	result = set_flags(accepted);
	if (result == 0)
		return accepted;
	close(accepted);
	return result;
}

#endif

#if defined(HAVE_DUP3)

int brink__os_replace(int fd, int with)
{
	return dup3(with, fd, O_CLOEXEC) < 0 ? -errno : 0;
}

#else

int brink__os_replace(int fd, int with)
{
	return dup2(with, fd) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -errno : 0;
}

#endif

/* ---- what a descriptor is ---- */

static uint32_t mix(uint64_t device, uint64_t inode)
{
	uint64_t hash = (inode ^ device << 40) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)(hash >> 32) | 1;
}

#if defined(SO_NOSIGPIPE)

/* Where send() has no flag for it (macOS), the socket itself has to be told. */
static void mute_sigpipe(int fd)
{
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
}

#else

static void mute_sigpipe(int fd)
{
	(void)fd;
}

#endif

/* 0 when that is not known. */
static int type_of(int fd)
{
	int type = 0;
	socklen_t length = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 ? type : 0;
}

#if defined(SO_PROTOCOL)

static bool is_tcp(int fd)
{
	int protocol = 0;
	socklen_t length = sizeof protocol;

	return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 && protocol == IPPROTO_TCP;
}

#else

/* A stream socket of the Internet families is TCP; SCTP's are not, but on the systems
 * without SO_PROTOCOL they say SOCK_STREAM only when asked for one-to-one style. */
static bool is_tcp(int fd)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof address;

	return type_of(fd) == SOCK_STREAM && getsockname(fd, (struct sockaddr *)&address, &length) == 0 &&
	       (address.ss_family == AF_INET || address.ss_family == AF_INET6);
}

#endif

static void set_socket(int fd, struct brink__file *file, enum brink__kind kind)
{
	mute_sigpipe(fd);
	file->kind = kind;
	/* A UNIX stream may stop short at a message that carries descriptors. */
	file->short_read_drains = kind == BRINK__KIND_TCP;
}

static void identify_socket(int fd, struct brink__file *file)
{
	int type = type_of(fd);

	if (type != 0 && type != SOCK_STREAM)
		set_socket(fd, file, BRINK__KIND_DATAGRAM);
	else
		set_socket(fd, file, is_tcp(fd) ? BRINK__KIND_TCP : BRINK__KIND_STREAM);
}

/* A raw socket of TCP's protocol, which identify_socket() looks out for, is no connection. */
bool brink__os_identify_connection(int fd, struct brink__file *file)
{
	*file = (struct brink__file){.able = BRINK__DIRECTIONS};
	if (is_tcp(fd))
		set_socket(fd, file, BRINK__KIND_TCP);
	else if (type_of(fd) == SOCK_STREAM)
		set_socket(fd, file, BRINK__KIND_STREAM);
	else
		return false;
	return true;
}

void brink__os_identify_tcp(int fd, struct brink__file *file)
{
	*file = (struct brink__file){.able = BRINK__DIRECTIONS};
	set_socket(fd, file, BRINK__KIND_TCP);
}

static void identify_pipe(int fd, struct brink__file *file)
{
	int flags = fcntl(fd, F_GETFL);
	int access = flags & O_ACCMODE;

	if (flags < 0)
		return;
	file->kind = access == O_WRONLY ? BRINK__KIND_PIPE_OUT : BRINK__KIND_PIPE;
	file->able = access == O_WRONLY ? BRINK_WRITE : access == O_RDONLY ? BRINK_READ : BRINK__DIRECTIONS;
	/* A short read says nothing of a pipe: in packet mode (pipe2(2), O_DIRECT) it gives one
	 * packet a read, and only the end that writes knows of the mode. */
}

bool brink__os_is_open_for(int fd, enum brink__kind kind, unsigned directions)
{
	struct brink__file file = {.able = BRINK__DIRECTIONS};

	if (kind == BRINK__KIND_PIPE || kind == BRINK__KIND_PIPE_OUT)
		identify_pipe(fd, &file);
	return (directions & ~file.able) == 0;
}

int brink__os_identify(int fd, struct brink__file *file)
{
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return -EBADF;
	if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode))
		return -EPERM;
	*file = (struct brink__file){
		.kind = BRINK__KIND_OTHER,
		.able = BRINK__DIRECTIONS,
		.identity = mix((uint64_t)status.st_dev, (uint64_t)status.st_ino),
	};
	if (S_ISSOCK(status.st_mode))
		identify_socket(fd, file);
	else if (S_ISFIFO(status.st_mode))
		identify_pipe(fd, file);
	return 0;
}

int brink__os_socket_error(int fd)
{
	int error = 0;
	socklen_t length = sizeof error;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 ? 0 : -error;
}

/* ---- processes ---- */

#if defined(HAVE_PIDFD_OPEN)

int brink__os_pidfd(pid_t pid)
{
	/* Close-on-exec by itself; non-blocking makes no difference to a pidfd. */
	long fd = syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : (int)fd;
}

#else

int brink__os_pidfd(pid_t pid)
{
	(void)pid;
	return -ENOSYS;
}

#endif

#if defined(HAVE_SECURE_GETENV)

const char *brink__os_getenv(const char *name)
{
	return secure_getenv(name);
}

#elif defined(HAVE_ISSETUGID)

const char *brink__os_getenv(const char *name)
{
	return issetugid() ? NULL : getenv(name);
}

#else

const char *brink__os_getenv(const char *name)
{
	return getuid() == geteuid() && getgid() == getegid() ? getenv(name) : NULL;
}

#endif
