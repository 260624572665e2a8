# Fuzz targets. To add one is to name its file here; what is kept of the inputs of NAME.c is in
# corpus/NAME/.

fuzz_sources = \
	%reldir%/buffer.c \
	%reldir%/messenger_length.c \
	%reldir%/messenger_line.c

# Of the parts that there are.
fuzz_http = %reldir%/http_request.c %reldir%/http_response.c
EXTRA_DIST += $(fuzz_http) %reldir%/http_play.h %reldir%/tls.c
if HTTP
fuzz_sources += $(fuzz_http)
endif
if OPENSSL
fuzz_sources += %reldir%/tls.c
fuzz_libraries = libbrink-tls-core.la libbrink-core.la
else
fuzz_libraries = libbrink-core.la
endif

EXTRA_DIST += $(fuzz_sources) %reldir%/corpus %reldir%/messenger_play.h %reldir%/run.sh

# Each for FUZZ_SECONDS, on the library as clang builds it for libFuzzer in _build/fuzz: there
# are new inputs, and those that failed.
FUZZ_SECONDS = 60
check-fuzz:
	@top='$(abs_srcdir)' MAKE='$(MAKE)' FUZZ_SECONDS='$(FUZZ_SECONDS)' \
	$(SHELL) $(srcdir)/%reldir%/run.sh $(fuzz_sources)

# In that build only.
fuzz-programs: $(fuzz_libraries)
	@set -e; $(MKDIR_P) fuzz; \
	for source in $(fuzz_sources); do \
		name=`basename $$source .c`; \
		echo "  FUZZ     $$name"; \
		$(LIBTOOL) --quiet --tag=CC --mode=link $(CC) $(DEFS) -I. $(PROJECT_CPPFLAGS) \
			-iquote $(srcdir)/test/unit $(AM_CFLAGS) $(CFLAGS) -fsanitize=fuzzer \
			-o fuzz/$$name $(srcdir)/$$source $(fuzz_libraries) $(HTTP_LIBS) $(OPENSSL_LIBS) \
			$(PTHREAD_LIBS); \
	done

.PHONY: check-fuzz fuzz-programs
