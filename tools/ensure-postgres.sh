#!/usr/bin/env bash
# Makes sure that the tests find PostgreSQL: the server that TEST_DATABASE_URL names, else server programs on this machine,
# which Debian's package brings if need be. No cluster is set up or started: the tests start their own.
set -euo pipefail

if [ -n "${TEST_DATABASE_URL:-}" ]; then
	exit 0
fi

has_server() {
	local dir
	for dir in "$(pg_config --bindir 2>/dev/null || true)" /usr/lib/postgresql/*/bin; do
		if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then
			return 0
		fi
	done
	return 1
}

if has_server; then
	exit 0
fi

if [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] && command -v apt-get >/dev/null; then
	echo 'installing postgresql, which the tests need'
	export DEBIAN_FRONTEND=noninteractive
	# The package sets up and starts a cluster unless it is told not to; nobody asked for one here.
	settings=/etc/postgresql-common/createcluster.d
	mkdir -p "$settings"
	echo 'create_main_cluster = false' >"$settings/no-cluster-for-tests.conf"
	trap 'rm -f "$settings/no-cluster-for-tests.conf"' EXIT
	if apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql >/dev/null && has_server; then
		exit 0
	fi
fi

echo 'PostgreSQL is needed: set TEST_DATABASE_URL to a server where databases may be created, or install the server (Debian: apt-get install postgresql)' >&2
exit 1
