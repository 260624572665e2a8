#!/bin/sh
# The socket layer on io_uring also without completions, and with one buffer to receive into and
# queues of two entries.
. "${srcdir:=$(cd "$(dirname "$0")/.." && pwd)}/test/lib.sh"
