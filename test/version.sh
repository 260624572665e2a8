#!/bin/sh
# The version in the header is the package's.
set -u
. "${srcdir:-$(dirname "$0")/..}/test/lib.sh"
scratch_directory

header=$srcdir/include/brink/version.h
part()
{
	sed -n "s/^#define BRINK_VERSION_$1[[:space:]]*//p" "$header"
}

attempt "BRINK_VERSION_STRING is the package's version" \
	test "$(part STRING)" = "\"$PACKAGE_VERSION\""
attempt "BRINK_VERSION_MAJOR, _MINOR and _PATCH are the package's version" \
	test "$(part MAJOR).$(part MINOR).$(part PATCH)" = "$PACKAGE_VERSION"
attempt "libbrink.pc has the package's version" grep -q "^Version: $PACKAGE_VERSION\$" libbrink.pc
attempt "NEWS has an entry for it" grep -q "^$PACKAGE_VERSION " "$srcdir/NEWS"
finish
