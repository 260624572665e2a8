dnl Which backends are compiled in, and which of them is the default.
dnl
dnl What a library has is a property of that library, not of the system: the test of the
dnl kqueue backend on Linux builds a second one with another set. So it is told by
dnl BACKEND_CPPFLAGS (-DHAVE_BACKEND_EPOLL=1 ...), which each gets its own of, and not
dnl by config.h.

dnl BRINK_CANNOT(NAME, REASON): NAME cannot be built here.
AC_DEFUN([BRINK_CANNOT], [AS_VAR_SET([brink_can_$1], [no])
	AS_VAR_SET([brink_why_$1], ["$2"])])

dnl What the system supports: brink_can_NAME, and brink_why_NAME where it is "no".
AC_DEFUN([BRINK_BACKENDS_SUPPORTED], [
	brink_can_epoll=yes
	BRINK_CHECK_FUNC([epoll_create1], [#include <sys/epoll.h>])
	AS_IF([test "x$brink_cv_func_epoll_create1" != xyes],
		[BRINK_CANNOT([epoll], [it needs epoll_create1() of <sys/epoll.h>, which only Linux has
(Debian: libc6-dev)])])

	brink_can_kqueue=yes
	BRINK_CHECK_FUNC([kqueue], [#include <sys/types.h>
#include <sys/event.h>])
	AS_IF([test "x$brink_cv_func_kqueue" != xyes],
		[BRINK_CANNOT([kqueue], [it needs kqueue() of <sys/event.h>, which the BSDs and macOS have in
their base system; no package adds it])])

	brink_can_poll=yes
	BRINK_CHECK_FUNC([poll], [#include <poll.h>])
	AS_IF([test "x$brink_cv_func_poll" != xyes],
		[BRINK_CANNOT([poll], [it needs poll() of <poll.h>])])

	brink_can_io_uring=yes
	AS_CASE([$host_os],
		[linux*], [PKG_CHECK_MODULES([LIBURING], [liburing >= 2.3], [],
			[BRINK_CANNOT([io_uring], [it needs liburing 2.3 or later, found by pkg-config
(Debian: liburing-dev and pkg-config; Fedora, Arch: liburing-devel, liburing)])])],
		[BRINK_CANNOT([io_uring], [only Linux has it])])
])

AC_DEFUN([BRINK_BACKENDS], [
	AC_ARG_WITH([backend],
		[AS_HELP_STRING([--with-backend=auto|epoll|kqueue|poll|io_uring],
			[the default when a program runs (auto: kqueue, else epoll, else poll)])],
		[], [with_backend=auto])
	AC_ARG_WITH([backends],
		[AS_HELP_STRING([--with-backends=LIST],
			[what is compiled in, by commas (default: all that the system supports)])],
		[], [with_backends=all])
	BRINK_BACKENDS_SUPPORTED

	dnl A configure that was told nothing takes what there is; what is asked for must be.
	brink_backends=
	AS_CASE([$with_backends],
		[all], [for brink_name in kqueue epoll io_uring poll; do
			AS_VAR_COPY([brink_can], [brink_can_$brink_name])
			AS_IF([test "x$brink_can" = xyes],
				[AS_VAR_APPEND([brink_backends], ["${brink_backends:+,}$brink_name"])])
		done],
		[yes|no|""], [AC_MSG_ERROR([--with-backends needs a list of epoll, kqueue, poll, io_uring])],
		[brink_backends=$with_backends])
	AS_IF([test "x$brink_backends" = x], [AC_MSG_ERROR([this system has none of the backends])])

	BACKEND_CPPFLAGS=
	AS_VAR_COPY([brink_rest], [brink_backends])
	while test "x$brink_rest" != x; do
		brink_name=`AS_ECHO(["$brink_rest"]) | sed 's/,.*//'`
		brink_rest=`AS_ECHO(["$brink_rest"]) | sed 's/^[[^,]]*,*//'`
		AS_CASE([$brink_name],
			[epoll|kqueue|poll|io_uring], [],
			[AC_MSG_ERROR([there is no backend "$brink_name": --with-backends takes epoll, kqueue, poll, io_uring])])
		AS_VAR_COPY([brink_can], [brink_can_$brink_name])
		AS_VAR_COPY([brink_why], [brink_why_$brink_name])
		AS_IF([test "x$brink_can" != xyes],
			[AC_MSG_ERROR([the backend $brink_name was asked for and cannot be built: $brink_why])])
		AS_VAR_SET([brink_with_$brink_name], [yes])
		brink_macro=`AS_ECHO(["HAVE_BACKEND_$brink_name"]) | tr '[[a-z]]' '[[A-Z]]'`
		AS_VAR_APPEND([BACKEND_CPPFLAGS], [" -D$brink_macro=1"])
	done

	AS_CASE([$with_backend],
		[auto], [],
		[epoll|kqueue|poll|io_uring],
			[AS_VAR_COPY([brink_can], [brink_can_$with_backend])
			AS_VAR_COPY([brink_why], [brink_why_$with_backend])
			AS_IF([test "x$brink_can" != xyes],
				[AC_MSG_ERROR([the backend $with_backend was asked for and cannot be built: $brink_why])])
			AS_VAR_COPY([brink_with], [brink_with_$with_backend])
			AS_IF([test "x$brink_with" != xyes],
				[AC_MSG_ERROR([--with-backend=$with_backend is not in --with-backends=$brink_backends])])],
		[AC_MSG_ERROR([--with-backend takes auto, epoll, kqueue, poll or io_uring, not "$with_backend"])])

	dnl io_uring is asked for by name, so auto never means it, unless there is nothing else.
	brink_default=$with_backend
	AS_IF([test "$brink_default-$brink_backends" = auto-io_uring], [brink_default=io_uring])
	AS_VAR_APPEND([BACKEND_CPPFLAGS], [" -DBRINK_DEFAULT_BACKEND='\"$brink_default\"'"])
	AC_SUBST([BACKEND_CPPFLAGS])

	AM_CONDITIONAL([BACKEND_EPOLL], [test "x$brink_with_epoll" = xyes])
	AM_CONDITIONAL([BACKEND_KQUEUE], [test "x$brink_with_kqueue" = xyes])
	AM_CONDITIONAL([BACKEND_POLL], [test "x$brink_with_poll" = xyes])
	AM_CONDITIONAL([BACKEND_IO_URING], [test "x$brink_with_io_uring" = xyes])

	dnl liburing is linked, and named in libbrink.pc, only where it is used.
	LIBBRINK_REQUIRES=
	AS_IF([test "x$brink_with_io_uring" = xyes], [LIBBRINK_REQUIRES="liburing >= 2.3"],
		[LIBURING_CFLAGS=
		LIBURING_LIBS=])
	AC_SUBST([LIBBRINK_REQUIRES])
])
