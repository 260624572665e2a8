# What a person runs. Nothing here is installed.

EXTRA_DIST += \
	%reldir%/cross \
	%reldir%/debian \
	%reldir%/demo \
	%reldir%/newer \
	%reldir%/setup \
	%reldir%/test
