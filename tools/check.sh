#!/usr/bin/env bash
# What must pass before anything is merged, with the time that each step took. The tests come last, so that the last lines
# are theirs.
set -euo pipefail
cd "$(dirname "$0")/.."

steps=
step() {
	local begin=$SECONDS
	printf '\n=== %s\n' "$*"
	"$@"
	steps+=$(printf '%5d s  %s' $((SECONDS - begin)) "$*")$'\n'
	if [ "$*" != 'make test' ]; then
		printf '=== %s: %d s\n' "$*" $((SECONDS - begin))
	fi
}

step make generate-check
step make lint
step make contract-check
step make tools-check
if command -v npm >/dev/null; then
	step make spec-lint
else
	printf '\n=== make spec-lint: not run, since there is no node here\n'
fi
step make build
absent=()
for peer in nginx haproxy pgbouncer clamd node chromium; do
	[ -n "$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v "$peer")" ] || absent+=("$peer")
done
# Generators of clients want a newer node than Debian 12 has.
if command -v node >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0]')" -lt 20 ]; then
	absent+=('node 20')
fi
if [ ${#absent[@]} = 0 ]; then
	step make check-peers
elif [ -n "${PEERS_REQUIRED:-}" ]; then
	printf '\n=== make check-peers needs %s\n' "${absent[*]}" >&2
	exit 1
else
	printf '\n=== make check-peers: not run, since there is no %s here\n' "${absent[*]}"
fi
step make smoke
step make race
printf '\n=== the time so far\n%s' "$steps"
step make test
