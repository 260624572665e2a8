dnl What configure of libbrink does more than once, or at length.

dnl BRINK_C11: the compiler takes C11, by whatever name. AC_PROG_CC found C23 there with Autoconf 2.73,
dnl and nothing where the warnings of its own programs are errors by the flags that configure was given.
AC_DEFUN([BRINK_C11], [
	AC_CACHE_CHECK([whether $CC compiles C11], [brink_cv_c11],
		[AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <stdatomic.h>
			#if !defined __STDC_VERSION__ || __STDC_VERSION__ < 201112L
			#error "it does not"
			#endif]], [])],
			[brink_cv_c11=yes], [brink_cv_c11=no])])
	AS_IF([test "x$brink_cv_c11" != xyes],
		[AC_MSG_ERROR([a C11 compiler is needed (Debian: gcc or clang)])])
])

dnl BRINK_YES_OR_NO(NAME): what --enable-NAME was given is one of them; another word would be taken for "no".
AC_DEFUN([BRINK_YES_OR_NO], [
	AS_CASE([$enable_$1], [yes|no], [], [AC_MSG_ERROR([--enable-$1 takes yes or no, not "$enable_$1"])])
])

dnl brink_werror: -Werror, for the checks to which a warning is an answer. It is none where the compiler
dnl warns of every program, by the flags that configure was given.
AC_DEFUN([BRINK_WERROR], [
	AC_CACHE_CHECK([for what makes warnings tell], [brink_cv_werror],
		[brink_saved_cflags=$CFLAGS
		CFLAGS="$CFLAGS -Werror"
		AC_LINK_IFELSE([BRINK_PROGRAM_WITH([free], [#include <stdlib.h>])],
			[brink_cv_werror=-Werror], [brink_cv_werror=none])
		CFLAGS=$brink_saved_cflags])
	brink_werror=$brink_cv_werror
	AS_IF([test "x$brink_werror" = xnone], [brink_werror=])
])

dnl BRINK_PROGRAM_WITH(NAME, INCLUDES): a program that is one where the function is declared and can be linked.
m4_define([BRINK_PROGRAM_WITH],
	[AC_LANG_PROGRAM([[$2]], [[void (*volatile f)(void) = (void (*)(void))$1;
			return f == 0;]])])

dnl BRINK_TRY_CFLAG(FLAG, IF-IT-WORKS, IF-NOT)
dnl A compiler that merely warns about an unknown flag counts as one that refuses it.
AC_DEFUN([BRINK_TRY_CFLAG], [
	AC_REQUIRE([BRINK_WERROR])
	AC_MSG_CHECKING([whether $CC accepts $1])
	brink_saved_cflags=$CFLAGS
	CFLAGS="$CFLAGS $brink_werror $1"
	AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
		[AC_MSG_RESULT([yes])
		CFLAGS=$brink_saved_cflags
		$2],
		[AC_MSG_RESULT([no])
		CFLAGS=$brink_saved_cflags
		$3])
])

dnl BRINK_CHECK_FUNC(NAME, INCLUDES): HAVE_NAME where it is declared and can be linked.
dnl Warnings are errors, since macOS warns of what only its later versions have.
AC_DEFUN([BRINK_CHECK_FUNC], [
	AC_REQUIRE([BRINK_WERROR])
	AC_CACHE_CHECK([for $1], [brink_cv_func_$1],
		[brink_saved_cflags=$CFLAGS
		CFLAGS="$CFLAGS $brink_werror"
		AC_LINK_IFELSE([BRINK_PROGRAM_WITH([$1], [$2])],
			[brink_cv_func_$1=yes], [brink_cv_func_$1=no])
		CFLAGS=$brink_saved_cflags])
	AS_IF([test "x$brink_cv_func_$1" = xyes],
		[AC_DEFINE(AS_TR_CPP([HAVE_$1]), [1], [Define to 1 if you have $1().])])
])

dnl WARN_CFLAGS: what the compiler knows of the warnings that the sources are free of.
AC_DEFUN([BRINK_ARG_WARNINGS], [
	AC_ARG_ENABLE([werror],
		[AS_HELP_STRING([--enable-werror], [make the compiler's warnings errors])],
		[], [enable_werror=no])
	BRINK_YES_OR_NO([werror])
	WARN_CFLAGS=
	m4_foreach_w([brink_warning], [-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes
		-Wmissing-prototypes -Wpointer-arith -Wundef],
		[BRINK_TRY_CFLAG(brink_warning, [AS_VAR_APPEND([WARN_CFLAGS], " brink_warning")])])
	AS_IF([test "x$enable_werror" = xyes], [AS_VAR_APPEND([WARN_CFLAGS], [" -Werror"])])
	AC_SUBST([WARN_CFLAGS])

	VISIBILITY_CFLAGS=
	BRINK_TRY_CFLAG([-fvisibility=hidden], [VISIBILITY_CFLAGS=-fvisibility=hidden])
	AC_SUBST([VISIBILITY_CFLAGS])
])

dnl SANITIZE_CFLAGS: for the compiler and, by way of it, for the linker.
AC_DEFUN([BRINK_ARG_SANITIZERS], [
	AC_ARG_ENABLE([sanitizers],
		[AS_HELP_STRING([--enable-sanitizers=LIST],
			[build with the compiler's sanitizers: "address,undefined" or "thread"])],
		[], [enable_sanitizers=no])
	SANITIZE_CFLAGS=
	AS_CASE([$enable_sanitizers],
		[no], [],
		[yes], [AC_MSG_ERROR([--enable-sanitizers needs a list: "address,undefined" or "thread"])],
		[SANITIZE_CFLAGS="-fsanitize=$enable_sanitizers -fno-omit-frame-pointer"
		AS_CASE([$enable_sanitizers],
			[*undefined*], [AS_VAR_APPEND([SANITIZE_CFLAGS], [" -fno-sanitize-recover=undefined"])])
		BRINK_TRY_CFLAG([$SANITIZE_CFLAGS], [],
			[AC_MSG_ERROR([$CC cannot build and link with -fsanitize=$enable_sanitizers
(Debian: libasan, libubsan and libtsan come with gcc; clang needs libclang-rt-dev)])])])
	AC_SUBST([SANITIZE_CFLAGS])
])

dnl PTHREAD_CFLAGS, PTHREAD_LIBS
AC_DEFUN([BRINK_THREADS], [
	PTHREAD_CFLAGS=
	PTHREAD_LIBS=
	BRINK_TRY_CFLAG([-pthread], [
		PTHREAD_CFLAGS=-pthread
		PTHREAD_LIBS=-pthread])
	brink_saved_cflags=$CFLAGS
	CFLAGS="$CFLAGS $PTHREAD_CFLAGS"
	AC_CHECK_HEADER([pthread.h], [], [AC_MSG_ERROR([POSIX threads (pthread.h) are needed])])
	brink_saved_libs=$LIBS
	AC_SEARCH_LIBS([pthread_create], [pthread], [], [AC_MSG_ERROR([POSIX threads are needed])])
	LIBS=$brink_saved_libs
	CFLAGS=$brink_saved_cflags
	AS_CASE([$ac_cv_search_pthread_create], [-l*], [PTHREAD_LIBS=$ac_cv_search_pthread_create])
	AC_SUBST([PTHREAD_CFLAGS])
	AC_SUBST([PTHREAD_LIBS])
])

dnl 64-bit atomics are functions of libatomic on some 32-bit processors.
AC_DEFUN([BRINK_ATOMICS], [
	brink_saved_libs=$LIBS
	ATOMIC_LIBS=no
	for brink_library in "" -latomic; do
		AS_IF([test "x$ATOMIC_LIBS" = xno],
			[LIBS="$brink_library $brink_saved_libs"
			AC_LINK_IFELSE([AC_LANG_PROGRAM([[#include <stdatomic.h>
				#include <stdint.h>
				static _Atomic uint64_t word;]], [[return atomic_fetch_add(&word, 1) != 0;]])],
				[ATOMIC_LIBS=$brink_library])])
	done
	LIBS=$brink_saved_libs
	AC_MSG_CHECKING([for the library of 64-bit atomics])
	AS_IF([test "x$ATOMIC_LIBS" = xno],
		[AC_MSG_ERROR([C11 atomics of 64 bits are needed])])
	AS_IF([test "x$ATOMIC_LIBS" = x],
		[AC_MSG_RESULT([none required])], [AC_MSG_RESULT([$ATOMIC_LIBS])])
	AC_SUBST([ATOMIC_LIBS])
])

dnl What the systems' kqueues differ in.
AC_DEFUN([BRINK_KQUEUE_DETAILS], [
	AC_CHECK_HEADERS([sys/event.h], [], [], [[#include <sys/types.h>]])
	AS_IF([test "x$ac_cv_header_sys_event_h" = xyes], [
		BRINK_CHECK_FUNC([kqueue1], [#include <sys/types.h>
#include <sys/event.h>])
		AC_CHECK_DECLS([EVFILT_USER, EVFILT_PROC, EV_DISPATCH, EV_RECEIPT, NOTE_EXITSTATUS, NOTE_NSECONDS], [], [],
			[[#include <sys/types.h>
			#include <sys/event.h>]])
		AC_CACHE_CHECK([whether kevent's udata is an integer], [brink_cv_kevent_udata_integer],
			[AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <sys/types.h>
				#include <stdint.h>
				#include <sys/event.h>
				struct kevent change;]],
				[[_Static_assert(_Generic(change.udata, intptr_t: 1, default: 0), "");]])],
				[brink_cv_kevent_udata_integer=yes], [brink_cv_kevent_udata_integer=no])])
		AS_IF([test "x$brink_cv_kevent_udata_integer" = xyes],
			[AC_DEFINE([HAVE_KEVENT_UDATA_INTPTR], [1],
				[Define to 1 if the udata of struct kevent is an intptr_t (NetBSD before 10).])])
	])
])

dnl LibreSSL calls itself openssl, too, by version numbers of its own, which have passed 3, and has not what OpenSSL 3 has.
AC_DEFUN([BRINK_OPENSSL_3], [
	brink_saved_cflags=$CFLAGS
	CFLAGS="$CFLAGS $OPENSSL_CFLAGS"
	AC_CACHE_CHECK([whether that is OpenSSL's own], [brink_cv_openssl_3],
		[AC_COMPILE_IFELSE([AC_LANG_PROGRAM([[#include <openssl/opensslv.h>
			#if defined LIBRESSL_VERSION_NUMBER || OPENSSL_VERSION_MAJOR < 3
			#error "it is not"
			#endif]], [])],
			[brink_cv_openssl_3=yes], [brink_cv_openssl_3=no])])
	CFLAGS=$brink_saved_cflags
])

dnl OPENSSL: libbrink-tls has TLS; without it, functions that say that it has not.
AC_DEFUN([BRINK_OPENSSL], [
	AC_ARG_WITH([openssl],
		[AS_HELP_STRING([--with-openssl=auto|yes|no],
			[TLS by OpenSSL 3, in libbrink-tls (default: where OpenSSL is found)])],
		[], [with_openssl=auto])
	brink_openssl=no
	AS_CASE([$with_openssl],
		[auto|yes],
			[PKG_CHECK_MODULES([OPENSSL], [openssl >= 3.0],
				[BRINK_OPENSSL_3
				brink_openssl=$brink_cv_openssl_3], [brink_openssl=no])
			AS_IF([test "x$with_openssl-$brink_openssl" = xyes-no],
				[AC_MSG_ERROR([OpenSSL 3 was asked for and not found by pkg-config
(Debian: libssl-dev and pkg-config; Fedora: openssl-devel; NetBSD: openssl; Homebrew: openssl@3)])])],
		[no], [],
		[AC_MSG_ERROR([--with-openssl takes auto, yes or no, not "$with_openssl"])])
	AM_CONDITIONAL([OPENSSL], [test "x$brink_openssl" = xyes])
	LIBBRINK_TLS_REQUIRES=
	AS_IF([test "x$brink_openssl" = xyes], [LIBBRINK_TLS_REQUIRES="openssl >= 3.0"],
		[OPENSSL_CFLAGS=
		OPENSSL_LIBS=])
	AC_SUBST([LIBBRINK_TLS_REQUIRES])
	AS_CASE([$with_openssl-$brink_openssl],
		[*-yes], [brink_openssl_summary="OpenSSL"],
		[no-*], [brink_openssl_summary="none, as asked for"],
		[brink_openssl_summary="none: OpenSSL 3 was not found (Debian: libssl-dev, Fedora: openssl-devel)"])
])

dnl CARES: names are asked of c-ares, and not of the system. Only where it is asked for: the system
dnl knows more than DNS, and what a program finds should not depend on what was installed where the
dnl library was built. 1.16 is the first that has ares_getaddrinfo() with services.
AC_DEFUN([BRINK_CARES], [
	AC_ARG_WITH([cares],
		[AS_HELP_STRING([--with-cares],
			[look names up by c-ares, without threads (default: no, by getaddrinfo)])],
		[], [with_cares=no])
	CARES_CFLAGS=
	CARES_LIBS=
	AS_CASE([$with_cares],
		[yes], [PKG_CHECK_MODULES([CARES], [libcares >= 1.16],
			[LIBBRINK_REQUIRES="${LIBBRINK_REQUIRES:+$LIBBRINK_REQUIRES, }libcares >= 1.16"],
			[AC_MSG_ERROR([c-ares 1.16 was asked for and not found by pkg-config
(Debian: libc-ares-dev and pkg-config; FreeBSD, Homebrew: c-ares; NetBSD, OpenBSD: libcares)])])],
		[no], [],
		[AC_MSG_ERROR([--with-cares takes yes or no, not "$with_cares"])])
	AC_SUBST([CARES_CFLAGS])
	AC_SUBST([CARES_LIBS])
	AM_CONDITIONAL([CARES], [test "x$with_cares" = xyes])
	AS_IF([test "x$with_cares" = xyes], [brink_cares_summary=c-ares],
		[brink_cares_summary="the system (getaddrinfo)"])
])

dnl CUNIT: brink-conformance is driven by CUnit; without it by a loop of its own, so that
dnl the contract can be proved on a system that has no CUnit, too.
AC_DEFUN([BRINK_CUNIT], [
	AC_ARG_WITH([cunit],
		[AS_HELP_STRING([--with-cunit=auto|yes|no],
			[let CUnit drive brink-conformance (default: where CUnit is found)])],
		[], [with_cunit=auto])
	brink_cunit=no
	AS_CASE([$with_cunit],
		[auto|yes],
			[PKG_CHECK_MODULES([CUNIT], [cunit >= 2.1], [brink_cunit=yes],
				[brink_saved_libs=$LIBS
				AC_CHECK_HEADER([CUnit/CUnit.h],
					[AC_CHECK_LIB([cunit], [CU_add_suite], [brink_cunit=yes
						CUNIT_LIBS=-lcunit])])
				LIBS=$brink_saved_libs])
			AS_IF([test "x$with_cunit$brink_cunit" = xyesno],
				[AC_MSG_ERROR([CUnit 2.1 was asked for and not found
(Debian: libcunit1-dev; FreeBSD, NetBSD, OpenBSD, Homebrew: cunit)])])],
		[no], [],
		[AC_MSG_ERROR([--with-cunit takes auto, yes or no, not "$with_cunit"])])
	AM_CONDITIONAL([CUNIT], [test "x$brink_cunit" = xyes])
	AS_CASE([$with_cunit-$brink_cunit],
		[*-yes], [brink_cunit_summary="CUnit"],
		[no-*], [brink_cunit_summary="a loop of its own, as asked for"],
		[brink_cunit_summary="a loop of its own: CUnit 2.1 was not found (Debian: libcunit1-dev, BSDs: cunit)"])
])

dnl HAVE_LIBUV: the tests that play the same scenarios on libuv.
AC_DEFUN([BRINK_LIBUV], [
	AC_ARG_WITH([libuv],
		[AS_HELP_STRING([--with-libuv=auto|yes|no],
			[compare with libuv in the tests (default: where libuv is found)])],
		[], [with_libuv=auto])
	brink_libuv=no
	AS_CASE([$with_libuv],
		[auto|yes],
			[PKG_CHECK_MODULES([LIBUV], [libuv >= 1.30], [brink_libuv=yes],
				[AS_IF([test "x$with_libuv" = xyes],
					[AC_MSG_ERROR([libuv 1.30 was asked for and not found
(Debian: libuv1-dev; FreeBSD, NetBSD, OpenBSD, Homebrew: libuv)])])])],
		[no], [],
		[AC_MSG_ERROR([--with-libuv takes auto, yes or no, not "$with_libuv"])])
	AM_CONDITIONAL([HAVE_LIBUV], [test "x$brink_libuv" = xyes])
	AS_CASE([$with_libuv-$brink_libuv],
		[*-yes], [brink_libuv_summary="yes"],
		[no-*], [brink_libuv_summary="no, as asked for"],
		[brink_libuv_summary="no: libuv was not found (Debian: libuv1-dev, BSDs: libuv)"])
])

dnl BRINK_HTTP: HTTP_CFLAGS and HTTP_LIBS of the parser, and the file that speaks to it. llhttp is
dnl the one that is kept up; http_parser, from which it comes, is what some systems have.
AC_DEFUN([BRINK_HTTP], [
	AC_ARG_WITH([http],
		[AS_HELP_STRING([--with-http=auto|yes|no|llhttp|http-parser],
			[HTTP, by llhttp or else http_parser (default: where one of them is found)])],
		[], [with_http=auto])
	brink_http=no
	AS_CASE([$with_http],
		[auto|yes|llhttp|http-parser|no], [],
		[AC_MSG_ERROR([--with-http takes auto, yes, no, llhttp or http-parser, not "$with_http"])])
	AS_CASE([$with_http],
		[auto|yes|llhttp], [PKG_CHECK_MODULES([HTTP], [libllhttp >= 6], [brink_http=llhttp
			brink_http_requires=libllhttp], [:])])
	AS_CASE([$with_http-$brink_http],
		[auto-no|yes-no|http-parser-no],
			[brink_saved_libs=$LIBS
			AC_CHECK_HEADER([http_parser.h],
				[AC_CHECK_LIB([http_parser], [http_parser_execute], [brink_http=http-parser
					HTTP_LIBS=-lhttp_parser])])
			LIBS=$brink_saved_libs])
	AS_CASE([$with_http-$brink_http],
		[auto-no|no-no], [],
		[*-no], [AC_MSG_ERROR([HTTP was asked for, and no parser was found: llhttp, by pkg-config
(FreeBSD, OpenBSD, Homebrew: llhttp; Fedora: llhttp-devel; newer Debian: libllhttp-dev), or http_parser
(Debian 12: libhttp-parser-dev)])])
	AC_SUBST([HTTP_CFLAGS])
	AC_SUBST([HTTP_LIBS])
	AS_IF([test "x$brink_http" = xhttp-parser], [LIBBRINK_HTTP_LIBS=$HTTP_LIBS])
	AS_IF([test "x$brink_http" = xllhttp],
		[LIBBRINK_REQUIRES="${LIBBRINK_REQUIRES:+$LIBBRINK_REQUIRES, }$brink_http_requires"])
	AC_SUBST([LIBBRINK_HTTP_LIBS])
	AM_CONDITIONAL([HTTP], [test "x$brink_http" != xno])
	AM_CONDITIONAL([HTTP_LLHTTP], [test "x$brink_http" = xllhttp])
	AS_CASE([$with_http-$brink_http],
		[no-*], [brink_http_summary="no, as asked for"],
		[*-no], [brink_http_summary="no: neither llhttp nor http_parser was found (Debian: libllhttp-dev or libhttp-parser-dev, BSDs: llhttp)"],
		[brink_http_summary="by $brink_http"])
])

dnl HAVE_LIBEVENT, HAVE_LIBEV: peers of the benchmarks, beside libuv. With threads, since one of
dnl the benchmarks has them.
AC_DEFUN([BRINK_LIBEVENT], [
	AC_ARG_WITH([libevent],
		[AS_HELP_STRING([--with-libevent=auto|yes|no],
			[compare with libevent in the benchmarks (default: where it is found)])],
		[], [with_libevent=auto])
	brink_libevent=no
	AS_CASE([$with_libevent],
		[auto|yes],
			[PKG_CHECK_MODULES([LIBEVENT], [libevent_core >= 2.1 libevent_extra >= 2.1 libevent_pthreads >= 2.1], [brink_libevent=yes],
				[AS_IF([test "x$with_libevent" = xyes],
					[AC_MSG_ERROR([libevent 2.1 was asked for and not found
(Debian: libevent-dev; FreeBSD, NetBSD, OpenBSD, Homebrew: libevent)])])])],
		[no], [],
		[AC_MSG_ERROR([--with-libevent takes auto, yes or no, not "$with_libevent"])])
	AM_CONDITIONAL([HAVE_LIBEVENT], [test "x$brink_libevent" = xyes])
])

dnl libev brings no file for pkg-config.
AC_DEFUN([BRINK_LIBEV], [
	AC_ARG_WITH([libev],
		[AS_HELP_STRING([--with-libev=auto|yes|no],
			[compare with libev in the benchmarks (default: where it is found)])],
		[], [with_libev=auto])
	brink_libev=no
	AS_CASE([$with_libev],
		[auto|yes],
			[AC_CHECK_HEADER([ev.h], [AC_CHECK_LIB([ev], [ev_loop_new], [brink_libev=yes])])
			AS_IF([test "$with_libev-$brink_libev" = yes-no],
				[AC_MSG_ERROR([libev was asked for and not found
(Debian: libev-dev; FreeBSD, NetBSD, OpenBSD, Homebrew: libev)])])],
		[no], [],
		[AC_MSG_ERROR([--with-libev takes auto, yes or no, not "$with_libev"])])
	LIBEV_LIBS=
	AS_IF([test "x$brink_libev" = xyes], [LIBEV_LIBS=-lev])
	AC_SUBST([LIBEV_LIBS])
	AM_CONDITIONAL([HAVE_LIBEV], [test "x$brink_libev" = xyes])
])
