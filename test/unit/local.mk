# Tests that look inside: they link the convenience library, which hides nothing.

EXTRA_DIST += %reldir%/check.h

EXTRA_DIST += %reldir%/buffer_play.h
check_PROGRAMS += %reldir%/buffer
TESTS += %reldir%/buffer
%canon_reldir%_buffer_LDADD = libbrink-core.la $(PTHREAD_LIBS)

check_PROGRAMS += %reldir%/fake %reldir%/messages %reldir%/placement %reldir%/threads %reldir%/wheel
TESTS += %reldir%/fake %reldir%/messages %reldir%/placement %reldir%/threads %reldir%/wheel
%canon_reldir%_fake_LDADD = libbrink-core.la $(PTHREAD_LIBS)

%canon_reldir%_messages_LDADD = libbrink-core.la $(PTHREAD_LIBS)
%canon_reldir%_placement_LDADD = libbrink-core.la $(PTHREAD_LIBS)
%canon_reldir%_threads_LDADD = libbrink-core.la $(PTHREAD_LIBS)
%canon_reldir%_wheel_LDADD = libbrink-core.la $(PTHREAD_LIBS)

if HTTP
check_PROGRAMS += %reldir%/http_scan %reldir%/http_time
TESTS += %reldir%/http_scan %reldir%/http_time
%canon_reldir%_http_scan_LDADD = libbrink-core.la $(PTHREAD_LIBS)
%canon_reldir%_http_time_LDADD = libbrink-core.la $(PTHREAD_LIBS)
endif

# Of the benchmarks.
check_PROGRAMS += %reldir%/statistics
TESTS += %reldir%/statistics
%canon_reldir%_statistics_SOURCES = %reldir%/statistics.c bench/statistics.c
%canon_reldir%_statistics_LDADD = -lm

# Replaces clock_gettime() by one that makes the system call itself.
if LINUX
check_PROGRAMS += %reldir%/clock
TESTS += %reldir%/clock
%canon_reldir%_clock_LDADD = libbrink-core.la $(PTHREAD_LIBS)
endif

if BACKEND_EPOLL
check_PROGRAMS += %reldir%/closing
TESTS += %reldir%/closing
%canon_reldir%_closing_LDADD = libbrink-core.la $(PTHREAD_LIBS)
endif

# The backend is compiled into it, too, as the files of the system's calls are below.
if BACKEND_IO_URING
check_PROGRAMS += %reldir%/io_uring
TESTS += %reldir%/io_uring
%canon_reldir%_io_uring_SOURCES = %reldir%/io_uring.c %reldir%/io_uring.h %reldir%/io_uring_life.c \
	%reldir%/io_uring_readiness.c %reldir%/io_uring_removal.c %reldir%/io_uring_stage.c backends/io_uring.c
%canon_reldir%_io_uring_CPPFLAGS = $(AM_CPPFLAGS) $(LIBURING_CFLAGS) \
	-Dio_uring_queue_init_params=faulty_queue_init_params -Dio_uring_submit=faulty_submit \
	-Dio_uring_submit_and_get_events=faulty_submit_and_get_events
%canon_reldir%_io_uring_LDADD = libbrink-core.la $(LIBURING_LIBS) $(PTHREAD_LIBS)
endif

# The file that makes system calls is compiled into it, with the calls renamed to its own: so the
# archive's is not linked.
if LINUX
check_PROGRAMS += %reldir%/datagram_faults
TESTS += %reldir%/datagram_faults
%canon_reldir%_datagram_faults_SOURCES = %reldir%/datagram_faults.c src/os_datagram.c
%canon_reldir%_datagram_faults_CPPFLAGS = $(AM_CPPFLAGS) -Drecvmmsg=faulty_recvmmsg \
	-Drecvmsg=faulty_recvmsg -Dsendmmsg=faulty_sendmmsg -Dsendmsg=faulty_sendmsg
%canon_reldir%_datagram_faults_LDADD = libbrink-core.la $(PTHREAD_LIBS)

check_PROGRAMS += %reldir%/os_io
TESTS += %reldir%/os_io
%canon_reldir%_os_io_SOURCES = %reldir%/os_io.c src/os_io.c
%canon_reldir%_os_io_CPPFLAGS = $(AM_CPPFLAGS) -U_FORTIFY_SOURCE '-DBRINK__OS_MOST=((size_t)INT_MAX)' \
	-Dread=mac_read -Dreadv=mac_readv -Drecv=mac_recv \
	-Dsend=mac_send -Dsendmsg=mac_sendmsg -Dwrite=mac_write -Dwritev=mac_writev
%canon_reldir%_os_io_LDADD = libbrink-core.la $(PTHREAD_LIBS)

check_PROGRAMS += %reldir%/processors
TESTS += %reldir%/processors
%canon_reldir%_processors_SOURCES = %reldir%/processors.c src/os_thread.c
%canon_reldir%_processors_CPPFLAGS = $(AM_CPPFLAGS) -Dsched_getaffinity=wide_getaffinity \
	-Dsched_setaffinity=wide_setaffinity
%canon_reldir%_processors_LDADD = libbrink-core.la $(PTHREAD_LIBS)
endif
