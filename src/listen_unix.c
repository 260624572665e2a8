/* The files of listening UNIX sockets: permissions, stale ones, and their end. */
#include "config.h"

#include "address.h"
#include "listener.h"
#include "os.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* A path of our own is shorter than the struct, so there is a NUL. */
static bool has_file(const struct brink_address *address)
{
	return brink__address_path_length(address) > 0 && *brink__address_path(address) != '\0';
}

/* Whether a socket of any type is bound to the file. A datagram socket asks: it is refused
 * only where there is none at all. A stream socket would disturb the listener with a
 * connection, and be refused by one that does not listen yet, or (BSD) has a full queue. */
static int ask_for_owner(const struct brink_address *address)
{
	int fd = brink__os_socket(AF_UNIX, SOCK_DGRAM), error = 0;

	if (fd < 0)
		return fd;
	if (connect(fd, (const struct sockaddr *)&address->storage, address->length) < 0)
		error = errno;
	close(fd);
	return error == ECONNREFUSED || error == ENOENT ? 0 : -EADDRINUSE;
}

static int remove_stale(const struct brink_address *address)
{
	const char *path = brink__address_path(address);
	struct stat before, after;
	int result;

	if (lstat(path, &before) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(before.st_mode))
		return -EADDRINUSE;
	result = ask_for_owner(address);
	if (result < 0)
		return result;
	/* Another server may have done the same meanwhile, and the file be its own. */
	if (lstat(path, &after) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (after.st_dev != before.st_dev || after.st_ino != before.st_ino)
		return -EADDRINUSE;
	return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int bind_to(int fd, const struct brink_address *address)
{
	return bind(fd, (const struct sockaddr *)&address->storage, address->length) < 0 ? -errno : 0;
}

static int keep_file(const struct brink_address *address, struct brink__unix_file *file)
{
	struct stat status;

	if (lstat(brink__address_path(address), &status) < 0) {
		int error = errno;

		unlink(brink__address_path(address)); /* bound just now, and nobody would remove it later */
		return -error;
	}
	file->made = true;
	file->maker = getpid();
	file->device = status.st_dev;
	file->inode = status.st_ino;
	return 0;
}

int brink__unix_bind(int fd, const struct brink_address *address, const struct brink_listener_options *options,
                     struct brink__unix_file *file)
{
	int result = bind_to(fd, address);

	if (!has_file(address))
		return result;
	if (result == -EADDRINUSE && (options->flags & BRINK_LISTEN_UNIX_REPLACE)) {
		result = remove_stale(address);
		if (result == 0)
			result = bind_to(fd, address);
	}
	if (result == 0)
		result = keep_file(address, file);
	/* Before listen(): until then nobody can connect, whatever the umask allowed. */
	if (result == 0 && options->unix_mode != 0 &&
	    chmod(brink__address_path(address), (mode_t)options->unix_mode) < 0)
		result = -errno;
	return result;
}

void brink__unix_remove(const struct brink_address *address, struct brink__unix_file *file)
{
	const char *path = brink__address_path(address);
	struct stat status;

	if (file->made && file->maker == getpid() && lstat(path, &status) == 0 &&
	    status.st_dev == file->device && status.st_ino == file->inode)
		unlink(path);
	file->made = false;
}
