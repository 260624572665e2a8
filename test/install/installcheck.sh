#!/bin/sh
# Called by make installcheck: builds a program against what was installed, by way of the
# pkg-config file, runs it, runs a part of the installed conformance program, and follows the links
# of the installed texts and man pages.
set -u
. "$srcdir/test/lib.sh"
scratch_directory

root=${DESTDIR-}
PKG_CONFIG_PATH=$root$pkgconfigdir${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
export PKG_CONFIG_PATH
if [ -n "$root" ]; then
	# pkg-config puts it before the paths of the .pc file.
	PKG_CONFIG_SYSROOT_DIR=$root
	export PKG_CONFIG_SYSROOT_DIR
fi
LD_LIBRARY_PATH=$root$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
DYLD_LIBRARY_PATH=$LD_LIBRARY_PATH
export LD_LIBRARY_PATH DYLD_LIBRARY_PATH

: "${PKG_CONFIG:=pkg-config}"
if ! command -v "$PKG_CONFIG" >/dev/null 2>&1; then
	skip "a program is built against what is installed: there is no pkg-config"
else
	for kind in shared static; do
		case $kind in
		shared) flag= library=$(ls "$root$libdir"/libbrink.so "$root$libdir"/libbrink.dylib 2>/dev/null) ;;
		static) flag=--static library=$(ls "$root$libdir"/libbrink.a 2>/dev/null) ;;
		esac
		if [ -z "$library" ]; then
			skip "a program with the $kind library: it was not built"
			continue
		fi
		# shellcheck disable=SC2086
		flags=$("$PKG_CONFIG" $flag --cflags --libs libbrink) || flags=-there-is-no-libbrink.pc
		[ $kind = shared ] || flags=$(echo "$flags" | sed "s,-lbrink,$library,")
		# shellcheck disable=SC2086
		attempt "a program compiles and links with the $kind library" \
			$CC ${CFLAGS-} -o "$scratch/client-$kind" "$srcdir/test/install/client.c" $flags
		attempt "it runs" "$scratch/client-$kind"
		# shellcheck disable=SC2086
		flags=$("$PKG_CONFIG" $flag --cflags --libs libbrink-tls) || flags=-there-is-no-libbrink-tls.pc
		[ $kind = shared ] || flags=$(echo "$flags" |
			sed "s,-lbrink-tls,${library%.a}-tls.a," | sed "s,-lbrink ,$library ,")
		# shellcheck disable=SC2086
		attempt "a program with TLS compiles and links with the $kind library" \
			$CC ${CFLAGS-} -o "$scratch/tls-$kind" "$srcdir/test/install/client_tls.c" $flags
		attempt "that runs, too" "$scratch/tls-$kind"
	done
fi

if [ -x "$root$bindir/brink-conformance" ]; then
	attempt "brink-conformance is installed and passes the edge scenarios" \
		"$root$bindir/brink-conformance" --match='edge/*'
	tail -n 1 "$scratch/output"
else
	skip "brink-conformance: it was not built"
fi

# links_of FILE: the files that it links to.
links_of()
{
	grep -o ']([^)# ]*' "$1" | sed 's/^](//' | grep -v '^$\|://'
}

find "$root$docdir" -name '*.md' >"$scratch/texts"
while read -r text; do
	for link in $(links_of "$text"); do
		[ -e "$(dirname "$text")/$link" ] || echo "$text: $link"
	done
done <"$scratch/texts" >"$scratch/broken"
attempt "texts are installed" test -s "$scratch/texts"
attempt "all that they link to is installed beside them" test ! -s "$scratch/broken"
cat "$scratch/broken"

# So it is with a man page that only names another.
for page in "$root$mandir"/man3/*[bB][rR][iI][nN][kK]*.3; do
	other=$(sed -n 's/^\.so //p' "$page")
	[ -z "$other" ] || [ -e "$root$mandir/$other" ] || echo "$page: $other"
done >"$scratch/broken"
attempt "brink(3) is installed" test -s "$root$mandir/man3/brink.3"
attempt "all pages that others lead to are installed" test ! -s "$scratch/broken"
cat "$scratch/broken"
finish
