/* Included before everything else in each file of the library (see local.mk): its system calls,
 * and what else can fail, become those of calls.c, which fail when told so. */
#ifndef FAULTS_NAMES_H
#define FAULTS_NAMES_H

#include "config.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/event.h> /* the stand-in's */
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

int faulty_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);
int faulty_bind(int fd, const struct sockaddr *address, socklen_t length);
int faulty_chmod(const char *path, mode_t mode);
int faulty_connect(int fd, const struct sockaddr *address, socklen_t length);
int faulty_dup2(int from, int to);
int faulty_dup3(int from, int to, int flags);
int faulty_epoll_create1(int flags);
int faulty_epoll_ctl(int queue, int operation, int fd, struct epoll_event *event);
int faulty_epoll_pwait2(int queue, struct epoll_event *events, int count, const struct timespec *timeout,
                        const sigset_t *signals);
int faulty_epoll_wait(int queue, struct epoll_event *events, int count, int timeout);
int faulty_eventfd(unsigned value, int flags);
int faulty_fcntl(int fd, int command, ...);
int faulty_fstat(int fd, struct stat *status);
int faulty_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **list);
int faulty_getpeername(int fd, struct sockaddr *address, socklen_t *length);
int faulty_getsockname(int fd, struct sockaddr *address, socklen_t *length);
int faulty_getsockopt(int fd, int level, int name, void *value, socklen_t *length);
int faulty_ioctl(int fd, unsigned long command, ...);
int faulty_kevent(int queue, const struct kevent *changes, int change_count, struct kevent *events,
                  int event_count, const struct timespec *timeout);
int faulty_kqueue(void);
int faulty_listen(int fd, int backlog);
int faulty_lstat(const char *path, struct stat *status);
int faulty_pipe2(int fds[2], int flags);
int faulty_poll(struct pollfd *entries, nfds_t count, int timeout);
int faulty_ppoll(struct pollfd *entries, nfds_t count, const struct timespec *timeout, const sigset_t *signals);
int faulty_pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *attributes);
int faulty_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *arg);
int faulty_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
ssize_t faulty_read(int fd, void *bytes, size_t size);
ssize_t faulty_readv(int fd, const struct iovec *parts, int count);
ssize_t faulty_recv(int fd, void *bytes, size_t size, int flags);
int faulty_recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout);
ssize_t faulty_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t faulty_send(int fd, const void *bytes, size_t size, int flags);
int faulty_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
ssize_t faulty_sendmsg(int fd, const struct msghdr *message, int flags);
int faulty_setsockopt(int fd, int level, int name, const void *value, socklen_t length);
int faulty_shutdown(int fd, int how);
int faulty_sigaction(int number, const struct sigaction *action, struct sigaction *before);
int faulty_socket(int family, int type, int protocol);
long faulty_syscall(long number, ...);
int faulty_unlink(const char *path);
int faulty_waitid(idtype_t kind, id_t id, siginfo_t *info, int options);
pid_t faulty_waitpid(pid_t pid, int *status, int options);
ssize_t faulty_write(int fd, const void *bytes, size_t size);
ssize_t faulty_writev(int fd, const struct iovec *parts, int count);

#if defined(HAVE_BACKEND_IO_URING)
#include <liburing.h>

struct io_uring_sqe *faulty_io_uring_get_sqe(struct io_uring *ring);
int faulty_io_uring_queue_init_params(unsigned entries, struct io_uring *ring, struct io_uring_params *params);
int faulty_io_uring_register(unsigned fd, unsigned operation, void *arg, unsigned count);
int faulty_io_uring_register_eventfd(struct io_uring *ring, int fd);
int faulty_io_uring_submit(struct io_uring *ring);
int faulty_io_uring_submit_and_get_events(struct io_uring *ring);
int faulty_io_uring_submit_and_wait_timeout(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned count,
                                            struct __kernel_timespec *timeout, sigset_t *signals);
#endif

#if !defined(FAULTS_CALLS)
#define accept4 faulty_accept4
#define bind faulty_bind
#define chmod faulty_chmod
#define connect faulty_connect
#define dup2 faulty_dup2
#define dup3 faulty_dup3
#define epoll_create1 faulty_epoll_create1
#define epoll_ctl faulty_epoll_ctl
#define epoll_pwait2 faulty_epoll_pwait2
#define epoll_wait faulty_epoll_wait
#define eventfd faulty_eventfd
#define fcntl faulty_fcntl
#define fstat faulty_fstat
#define getaddrinfo faulty_getaddrinfo
#define getpeername faulty_getpeername
#define getsockname faulty_getsockname
#define getsockopt faulty_getsockopt
#define ioctl faulty_ioctl
#define kevent(...) faulty_kevent(__VA_ARGS__) /* not the struct */
#define kqueue faulty_kqueue
#define listen faulty_listen
#define lstat faulty_lstat
#define pipe2 faulty_pipe2
#define poll faulty_poll
#define ppoll faulty_ppoll
#define pthread_cond_init faulty_pthread_cond_init
#define pthread_create faulty_pthread_create
#define pthread_mutex_init faulty_pthread_mutex_init
#define read faulty_read
#define readv faulty_readv
#define recv faulty_recv
#define recvmmsg faulty_recvmmsg
#define recvmsg faulty_recvmsg
#define send faulty_send
#define sendmmsg faulty_sendmmsg
#define sendmsg faulty_sendmsg
#define setsockopt faulty_setsockopt
#define shutdown faulty_shutdown
#define sigaction(...) faulty_sigaction(__VA_ARGS__) /* not the struct */
#define socket faulty_socket
#define syscall faulty_syscall
#define unlink faulty_unlink
#define waitid faulty_waitid
#define waitpid faulty_waitpid
#define write faulty_write
#define writev faulty_writev
#define io_uring_get_sqe faulty_io_uring_get_sqe
#define io_uring_queue_init_params faulty_io_uring_queue_init_params
#define io_uring_register faulty_io_uring_register
#define io_uring_register_eventfd faulty_io_uring_register_eventfd
#define io_uring_submit faulty_io_uring_submit
#define io_uring_submit_and_get_events faulty_io_uring_submit_and_get_events
#define io_uring_submit_and_wait_timeout faulty_io_uring_submit_and_wait_timeout
#endif

#endif
