#!/bin/sh
# Each promise of doc/contract.md has a scenario, each scenario proves a promise, and the
# list of scenarios at the end of doc/contract.md is the program's own.
#
#   promises.sh            checks (the last line: N passed, N failed)
#   promises.sh --write    writes the list into the file

program=${BRINK_CONFORMANCE:-./brink-conformance}
contract=${srcdir:-.}/doc/contract.md
mark='<!-- written by promises.sh -->'
passed=0
failed=0

check()
{
	if test -z "$2"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf 'FAILED: %s\n%s\n' "$1" "$2"
	fi
}

list=$("$program" --list) || { echo "$program does not run"; exit 1; }
numbers=$(sed -n 's/^\([0-9][0-9]*\)\. \*\*.*/\1/p' "$contract")

# "number name kinds", sorted as the file shows it
pairs=$(printf '%s\n' "$list" | awk -F'\t' '{
	n = split($2, promises, ",")
	for (i = 1; i <= n; i++)
		print promises[i] "\t" $1 "\t" $3
}')

tests_of_promises()
{
	for number in $numbers; do
		printf '%s. ' "$number"
		printf '%s\n' "$pairs" | awk -F'\t' -v number="$number" '
			$1 == number { printf "%s`%s`", separator, $2; separator = ", " }
			END { print "" }'
	done
}

if test "$1" = --write; then
	{
		sed "/^$mark/,\$d" "$contract"
		echo "$mark"
		echo
		tests_of_promises
	} >"$contract.new" && mv "$contract.new" "$contract"
	exit
fi

check 'promises without a scenario' "$(for number in $numbers; do
	printf '%s\n' "$pairs" | grep -q "^$number	" || echo "  $number"
done)"
check 'scenarios without a promise' "$(printf '%s\n' "$list" | awk -F'\t' '$2 == "" { print "  " $1 }')"
check 'scenarios that name a promise which the contract has not' "$(printf '%s\n' "$pairs" |
	while IFS='	' read -r number name kinds; do
		printf '%s\n' "$numbers" | grep -qx "$number" || echo "  $name: $number"
	done)"
check 'names that two scenarios have' "$(printf '%s\n' "$list" | cut -f 1 | sort | uniq -d)"
check 'promises that are not numbered in order' \
	"$(printf '%s\n' "$numbers" | awk '$1 != NR { print "  " $1 }')"
check 'doc/contract.md lists other tests (promises.sh --write corrects it)' "$(
	test "$(sed "1,/^$mark/d" "$contract")" = "$(echo; tests_of_promises)" || echo '  out of date')"

echo "$passed passed, $failed failed"
test "$failed" = 0
