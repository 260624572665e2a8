# Measurements: of quantities that a busy machine does not change.

EXTRA_DIST += %reldir%/counts

counts: all
	$(SHELL) $(srcdir)/%reldir%/counts

.PHONY: counts
