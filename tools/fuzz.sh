#!/usr/bin/env bash
# Runs every fuzz target for the given time (10s). go test takes one target at a time.
set -euo pipefail
cd "$(dirname "$0")/.."
fuzztime=${1:-10s}

found=0
while IFS=: read -r file target; do
	echo "fuzz: $target ($(dirname "$file")), $fuzztime"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" "./$(dirname "$file")"
	found=$((found + 1))
done < <(git ls-files --cached --others --exclude-standard '*_test.go' | xargs -r grep -HoE '^func Fuzz[A-Za-z0-9_]*' | sed 's/:func /:/')

if [ "$found" = 0 ]; then
	echo 'fuzz: no target was found' >&2
	exit 1
fi
