#!/usr/bin/env bash
# Fails if openapi.yaml or the generated code is not what the generators make from this tree. They run on a copy, so nothing
# changes here.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/here"
# What git would commit, with what is changed and not committed yet.
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
	if [ -e "$file" ]; then
		printf '%s\0' "$file"
	fi
done | tar --create --null --files-from=- | tar --extract --directory "$work/here"
cp -a "$work/here" "$work/generated"

(cd "$work/generated" && go generate ./...)

cd "$work"
if ! git --no-pager diff --no-index --stat here generated; then
	echo 'openapi.yaml or generated code is stale: run `make generate` and commit what changes' >&2
	exit 1
fi
