# Longer checks, each a target of its own. They run the programs among the tests, but for
# those that compare with other libraries: what is wrong in these is not ours.

check_programs = `for test in $(TESTS); do \
	case $$test in *.sh | *reference*) ;; *) echo $$test ;; esac; done`

EXTRA_DIST += %reldir%/valgrind.sh

# No error, no leak, no lost descriptor. The logs are in valgrind/.
check-valgrind: all $(check_LTLIBRARIES) $(check_PROGRAMS)
	@VALGRIND='$(VALGRIND)' srcdir='$(srcdir)' \
	$(SHELL) $(srcdir)/%reldir%/valgrind.sh $(check_programs)

# More builds, each configured like this one, in _build/asan and _build/tsan; optimised as little as the sanitizers want
# it, which halves the time that they take to compile. Warnings are no errors, since false ones come with sanitizers (gcc's
# manual advises against both at once). The thread
# sanitizer holds signals back until a call that it knows, and does not know io_uring_enter():
# a loop that sleeps there would never hear of one. So with io_uring alone, in _build/tsan-uring, it runs over
# what has many threads and no signals. Of what is above the loop it sees as much on one backend as on all. The address
# sanitizer looks at that on a backend of either kind, of readiness and of completions. Mostly one kind of descriptor shows
# them as much as all.
# Nor does it see how OpenSSL, which is not built for it, counts the references of a session: what that library frees
# and copies is its own affair.
if BACKEND_IO_URING
thread_build_of_uring = tsan-uring:thread
endif
if BACKEND_EPOLL
of_either_kind = --backend=!poll
endif
check-sanitize:
	@set -e; \
	if test -f $(srcdir)/config.status; then \
		echo "check-sanitize needs a build outside the source tree" >&2; exit 1; \
	fi; \
	ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1; \
	UBSAN_OPTIONS=print_stacktrace=1; \
	TSAN_OPTIONS=die_after_fork=0:second_deadlock_stack=1:ignore_noninstrumented_modules=1; \
	export ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS; \
	BRINK_ONE_KIND=yes; \
	export BRINK_ONE_KIND; \
	status=0; \
	for build in asan:address,undefined tsan:thread $(thread_build_of_uring); do \
		folder=_build/$${build%%:*}; \
		$(MKDIR_P) $$folder; \
		arguments=`./config.status --config`; \
		targets=check-programs above= left_out='socket-conformance-kqueue*'; \
		case $$build-`uname` in \
		asan*-Linux) targets="check-programs check-above" above='$(of_either_kind)'; \
			left_out="$$left_out | socket-conformance" ;; \
		tsan-uring*) arguments="$$arguments --with-backends=io_uring"; \
			targets=check-above above='--match=stress*' ;; \
		tsan*-Linux) arguments="$$arguments --with-backends=epoll,poll"; \
			targets="check-loop check-above" above=--backend=epoll ;; \
		esac; \
		(cd $$folder && \
		{ test -f config.status || eval "$(abs_srcdir)/configure --quiet $$arguments \
			--disable-shared --disable-werror --enable-sanitizers=$${build##*:} \
			CFLAGS='$(CFLAGS) -O1 -g1'"; } && \
		for target in $$targets; do \
			$(MAKE) $(AM_MAKEFLAGS) $$target ABOVE="$$above" LEFT_OUT="$$left_out" || exit 1; \
		done) || status=1; \
	done; \
	exit $$status

# The programs among the tests, without the scripts, and without what LEFT_OUT, a pattern, takes.
LEFT_OUT = none
check-programs: all
	tests=$(check_programs); \
	tests=`for test in $$tests; do case $$test in $(LEFT_OUT)) ;; *) echo $$test ;; esac; done`; \
	$(MAKE) $(AM_MAKEFLAGS) check TESTS="`echo $$tests`"

# Those of the loop alone, and no others are built.
check-loop: all
	tests=$(check_programs); \
	tests=`for test in $$tests; do case $$test in socket-conformance*) ;; *) echo $$test ;; esac; done`; \
	$(MAKE) $(AM_MAKEFLAGS) check TESTS="`echo $$tests`" check_PROGRAMS= check_LTLIBRARIES=

# What is above the loop, as far as ABOVE, options of the program, says.
check-above: socket-conformance$(EXEEXT)
	@status=0; \
	set -f; ./socket-conformance $(ABOVE) >check-above.log 2>&1 || status=1; \
	cat check-above.log; \
	exit $$status

# The model test with a million steps, and every repetition many times.
check-long: all $(check_LTLIBRARIES) $(check_PROGRAMS)
	@status=0; \
	for test in $(check_programs); do \
		case $$test in \
		*-conformance*) echo "$$test --long"; ./$$test --long || status=1 ;; \
		esac; \
	done; \
	exit $$status

clean-local:
	rm -rf check-above.log valgrind _build/asan _build/fuzz _build/tsan _build/tsan-uring

.PHONY: check-above check-long check-loop check-programs check-sanitize check-valgrind
