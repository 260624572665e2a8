# make installcheck: what was installed works for somebody who has nothing but that.

EXTRA_DIST += \
	%reldir%/client.c \
	%reldir%/client_tls.c \
	%reldir%/installcheck.sh

installcheck-local:
	@DESTDIR='$(DESTDIR)' bindir='$(bindir)' libdir='$(libdir)' includedir='$(includedir)' \
	pkgconfigdir='$(pkgconfigdir)' docdir='$(docdir)' mandir='$(mandir)' \
	CC='$(CC)' PKG_CONFIG='$(PKG_CONFIG)' \
	CFLAGS='$(SANITIZE_CFLAGS) $(CFLAGS)' srcdir='$(srcdir)' \
	$(SHELL) $(srcdir)/%reldir%/installcheck.sh
