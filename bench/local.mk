# Benchmarks, for Linux: they measure by its means, and against its epoll. brink-bench is built by
# make check, and not installed. Of libbrink it links the static library: what is counted is the
# same whether or not a shared one was built.

EXTRA_DIST += \
	%reldir%/gate \
	%reldir%/limits.json \
	%reldir%/report.py \
	%reldir%/report.md \
	%reldir%/results \
	%reldir%/run

if LINUX
check_PROGRAMS += %reldir%/brink-bench
%canon_reldir%_brink_bench_SOURCES = \
	%reldir%/alternate.c \
	%reldir%/bench.h \
	%reldir%/child.c \
	%reldir%/child.h \
	%reldir%/churn.c \
	%reldir%/connect.c \
	%reldir%/contenders.c \
	%reldir%/counts.c \
	%reldir%/echo.c \
	%reldir%/echo_by_hand.h \
	%reldir%/generator.c \
	%reldir%/generator.h \
	%reldir%/http.c \
	%reldir%/idle.c \
	%reldir%/job_brink.c \
	%reldir%/jobs.h \
	%reldir%/machine.c \
	%reldir%/main.c \
	%reldir%/page.c \
	%reldir%/page.h \
	%reldir%/pair.c \
	%reldir%/pair.h \
	%reldir%/peer_brink_socket.c \
	%reldir%/peer_brink_watch.c \
	%reldir%/peer_cheat.c \
	%reldir%/peer_double_buffer.c \
	%reldir%/peer_epoll.c \
	%reldir%/peer_epoll_http.c \
	%reldir%/peer_mutex.c \
	%reldir%/peer_poll.c \
	%reldir%/peers.h \
	%reldir%/report.c \
	%reldir%/server.c \
	%reldir%/server.h \
	%reldir%/statistics.c \
	%reldir%/statistics.h \
	%reldir%/tasks.c \
	%reldir%/timer_brink.c \
	%reldir%/timers.c \
	%reldir%/write_brink.c \
	%reldir%/writers.c
%canon_reldir%_brink_bench_CPPFLAGS = $(PUBLIC_CPPFLAGS) -D_GNU_SOURCE=1 -DBENCH_CFLAGS='"$(CFLAGS)"'
%canon_reldir%_brink_bench_CFLAGS = $(AM_CFLAGS)
%canon_reldir%_brink_bench_LDFLAGS = $(AM_LDFLAGS) -static
%canon_reldir%_brink_bench_LDADD = libbrink.la $(PTHREAD_LIBS)

if BACKEND_IO_URING
%canon_reldir%_brink_bench_SOURCES += %reldir%/peer_io_uring.c
%canon_reldir%_brink_bench_CPPFLAGS += -DHAVE_PEER_IO_URING=1
%canon_reldir%_brink_bench_CFLAGS += $(LIBURING_CFLAGS)
%canon_reldir%_brink_bench_LDADD += $(LIBURING_LIBS)
endif
if HAVE_LIBUV
%canon_reldir%_brink_bench_SOURCES += %reldir%/job_libuv.c %reldir%/peer_libuv.c %reldir%/timer_libuv.c \
	%reldir%/write_libuv.c
%canon_reldir%_brink_bench_CPPFLAGS += -DHAVE_PEER_LIBUV=1
%canon_reldir%_brink_bench_CFLAGS += $(LIBUV_CFLAGS)
%canon_reldir%_brink_bench_LDADD += $(LIBUV_LIBS)
endif
if HTTP
%canon_reldir%_brink_bench_SOURCES += %reldir%/peer_brink_http.c
%canon_reldir%_brink_bench_CPPFLAGS += -DHAVE_PEER_BRINK_HTTP=1
if HTTP_LLHTTP
%canon_reldir%_brink_bench_CPPFLAGS += -DHAVE_LLHTTP=1
endif
if HAVE_LIBUV
%canon_reldir%_brink_bench_SOURCES += %reldir%/parser.h %reldir%/peer_libuv_http.c
%canon_reldir%_brink_bench_CPPFLAGS += -DHAVE_PEER_LIBUV_HTTP=1
%canon_reldir%_brink_bench_CFLAGS += $(HTTP_CFLAGS)
%canon_reldir%_brink_bench_LDADD += $(HTTP_LIBS)
endif
endif
if HAVE_LIBEVENT
%canon_reldir%_brink_bench_SOURCES += %reldir%/job_libevent.c %reldir%/peer_bufferevent.c %reldir%/peer_evhttp.c \
	%reldir%/peer_libevent.c \
	%reldir%/timer_libevent.c %reldir%/write_bufferevent.c
%canon_reldir%_brink_bench_CPPFLAGS += -DHAVE_PEER_LIBEVENT=1
%canon_reldir%_brink_bench_CFLAGS += $(LIBEVENT_CFLAGS)
%canon_reldir%_brink_bench_LDADD += $(LIBEVENT_LIBS)
endif
if HAVE_LIBEV
%canon_reldir%_brink_bench_SOURCES += %reldir%/job_libev.c %reldir%/peer_libev.c %reldir%/timer_libev.c
%canon_reldir%_brink_bench_CPPFLAGS += -DHAVE_PEER_LIBEV=1
%canon_reldir%_brink_bench_LDADD += $(LIBEV_LIBS)
endif

# Fails when the library costs more than bench/limits.json allows.
bench-gate: %reldir%/brink-bench
	@python3 $(srcdir)/%reldir%/gate %reldir%/brink-bench $(srcdir)/%reldir%/limits.json

plotsdir = $(docdir)/bench/results
dist_plots_DATA = \
	%reldir%/results/bulk.svg \
	%reldir%/results/connect.svg \
	%reldir%/results/echo-1000-4096.svg \
	%reldir%/results/echo-1000-64.svg \
	%reldir%/results/echo-50-4096.svg \
	%reldir%/results/echo-50-64.svg \
	%reldir%/results/http.svg \
	%reldir%/results/idle.svg \
	%reldir%/results/pipeline.svg \
	%reldir%/results/writers.svg

# About a quarter of an hour; the results, their plots and the page are part of the source.
bench: %reldir%/brink-bench
	$(SHELL) $(srcdir)/%reldir%/run %reldir%/brink-bench $(srcdir)/%reldir%/results
	python3 $(srcdir)/%reldir%/report.py $(srcdir)/%reldir%/results $(srcdir)/doc/performance.md
else
bench bench-gate:
	@echo "the benchmarks are for Linux" >&2; exit 1
endif

.PHONY: bench bench-gate
