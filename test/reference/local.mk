# The same scripts on libuv and on libbrink, and what became of them compared.

if HAVE_LIBUV
check_PROGRAMS += reference
reference_SOURCES = \
	%reldir%/reference.c \
	%reldir%/reference.h \
	%reldir%/scripts.c \
	%reldir%/side_brink.c \
	%reldir%/side_uv.c
reference_CPPFLAGS = $(PUBLIC_CPPFLAGS) $(LIBUV_CFLAGS)
reference_LDADD = libbrink.la $(LIBUV_LIBS) $(PTHREAD_LIBS)

check_PROGRAMS += %reldir%/embed
%canon_reldir%_embed_CPPFLAGS = $(PUBLIC_CPPFLAGS) $(LIBUV_CFLAGS)
%canon_reldir%_embed_LDADD = libbrink.la $(LIBUV_LIBS) $(PTHREAD_LIBS)

TESTS += reference$(EXEEXT) %reldir%/embed
endif
