#!/usr/bin/env bash
# Formats the Go files that are written by hand: gofumpt, and imports in three groups. With "check" it changes nothing and
# fails if there is something to change.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -d '' -t listed < <(git ls-files -z --cached --others --exclude-standard '*.go' ':!*.gen.go')
files=()
for file in "${listed[@]}"; do
	# One that was deleted and not committed yet is still listed.
	[ ! -e "$file" ] || files+=("$file")
done
gofumpt() { go tool -modfile=tools/go.mod gofumpt -l "$@" "${files[@]}"; }
# Standard library, third party, own.
gci() { go tool -modfile=tools/go.mod gci "$1" --skip-generated --custom-order -s standard -s default -s 'prefix(diresco)' "${files[@]}"; }

if [ "${1:-}" != check ]; then
	gofumpt -w
	gci write
	exit 0
fi
found=$(gofumpt && gci list)
if [ -n "$found" ]; then
	printf '%s\n' "$found" | sort -u >&2
	echo 'these files are not formatted: run `make fmt`' >&2
	exit 1
fi
