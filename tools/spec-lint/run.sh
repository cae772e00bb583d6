#!/bin/sh
# Lints openapi.yaml: OpenAPI and OWASP rules always, the Italian guidelines when ITALIAN_RULESET names their ruleset.
# Fails on any finding, hints included. Needs node. Findings name the place in the contract by its path.
set -eu

# A relative ITALIAN_RULESET is relative to where the caller stands.
case "${ITALIAN_RULESET:-}" in
'' | /*) ;;
*) ITALIAN_RULESET=$(pwd)/$ITALIAN_RULESET ;;
esac

cd "$(dirname "$0")"
contract=../../openapi.yaml

# The copy of the lock file that npm leaves behind tells whether what is installed is what is wanted.
if [ ! -f node_modules/.installed ] || ! cmp -s package-lock.json node_modules/.installed; then
	npm ci --no-audit --no-fund
	cp package-lock.json node_modules/.installed
fi

parts=$(mktemp -d)
trap 'rm -rf "$parts"' EXIT
node split.mjs "$contract" "$parts" 6

# Each part is a process of its own, as many at a time as there are processors.
lint() {
	echo "spec-lint: $2"
	printf '%s\n' "$parts"/*.json |
		xargs -P "$(getconf _NPROCESSORS_ONLN)" -n 1 node_modules/.bin/spectral lint --quiet --fail-severity=hint --ruleset "$1"
}

failed=0
lint ruleset.yaml 'OpenAPI and OWASP rules' || failed=1
if [ -n "${ITALIAN_RULESET:-}" ]; then
	lint "$ITALIAN_RULESET" 'Italian guidelines' || failed=1
else
	echo 'spec-lint: ITALIAN_RULESET is not set, so the Italian guidelines were not checked'
fi
exit "$failed"
