# The models of the concurrent algorithms: doc/models.md. They ask for spin, and say nothing
# about this machine or this build, so that they have a target of their own.

EXTRA_DIST += \
	%reldir%/edge_counter.pml \
	%reldir%/models.sh \
	%reldir%/reply_line.pml \
	%reldir%/request_run.pml \
	%reldir%/versioned_reference.pml \
	%reldir%/wakeup.pml \
	%reldir%/write_end.pml \
	%reldir%/write_queue.pml

check-models:
	@CC='$(CC)' srcdir='$(srcdir)' $(SHELL) $(srcdir)/%reldir%/models.sh $(MODELS) || test $$? -eq 77

.PHONY: check-models
