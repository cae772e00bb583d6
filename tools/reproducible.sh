#!/usr/bin/env bash
# Builds what is committed twice, in two folders with a cache each, and compares the binaries.
set -euo pipefail
cd "$(dirname "$0")/.."
version=${1:?usage: reproducible.sh VERSION}

place=$(mktemp -d)
trap 'chmod -R u+w "$place"; rm -rf "$place"' EXIT
digests=()
for name in first the-second-one; do
	mkdir -p "$place/$name"
	git archive HEAD | tar -x -C "$place/$name"
	(
		cd "$place/$name"
		GOCACHE=$place/cache-$name CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$version" -o diresco ./cmd/diresco
	)
	digest=$(sha256sum <"$place/$name/diresco" | cut -d ' ' -f 1)
	printf '%s  %s\n' "$digest" "$name"
	digests+=("$digest")
done
if [ "${digests[0]}" != "${digests[1]}" ]; then
	echo 'reproducible: the two differ' >&2
	exit 1
fi
echo "reproducible: $(git rev-parse --short HEAD) with $(go env GOVERSION) is ${digests[0]}"
