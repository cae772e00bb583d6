#!/usr/bin/env bash
# The PostgreSQL server of the tests. It listens on a Unix socket alone, and keeps nothing worth keeping.
#
#   postgres.sh ensure         make sure that the server programs are here; Debian's package brings them if need be
#   postgres.sh run COMMAND    run the command with TEST_DATABASE_URL; the server ends with the last such command
#   postgres.sh start          start the server and keep it, so that later runs find their databases' template
#   postgres.sh stop           end the kept server and delete its data
#   postgres.sh url            print the running server's address, or nothing
#
# DIRESCO_PG_DIR names its directory, which is one for all checkouts of a user. Its address stays the same from run to run,
# so `go test` may take results from its cache.
set -euo pipefail

fail() {
	echo "postgres.sh: $1" >&2
	exit 1
}

programs() {
	local dir
	for dir in "$(pg_config --bindir 2>/dev/null || true)" $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
		if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then
			echo "$dir"
			return
		fi
	done
	return 1
}

ensure() {
	if programs >/dev/null; then
		return
	fi
	if [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] && command -v apt-get >/dev/null; then
		echo 'installing postgresql, which the tests need' >&2
		# The package sets up and starts a cluster unless it is told not to; nobody asked for one here.
		local settings=/etc/postgresql-common/createcluster.d
		mkdir -p "$settings"
		echo 'create_main_cluster = false' >"$settings/no-cluster-for-tests.conf"
		if (export DEBIAN_FRONTEND=noninteractive && apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql) >&2; then
			rm -f "$settings/no-cluster-for-tests.conf"
			programs >/dev/null && return
		fi
		rm -f "$settings/no-cluster-for-tests.conf"
	fi
	fail 'PostgreSQL is needed: set TEST_DATABASE_URL to a server where databases may be created, or install the server (Debian: apt-get install postgresql)'
}

# In memory where there is room: making and dropping a database is the work of the file system.
default_dir() {
	local base=/tmp
	if [ -w /dev/shm ] && [ "$(stat -f -c '%b * %S' /dev/shm 2>/dev/null | awk '{ print ($1 * $3 >= 2 ^ 32) }')" = 1 ]; then
		base=/dev/shm
	fi
	echo "$base/diresco-pg-$(id -u)"
}

dir=${DIRESCO_PG_DIR:-$(default_dir)}
data=$dir/data
account=$(id -un)
as=()
if [ "$(id -u)" = 0 ]; then
	# The server refuses to run as root.
	account=postgres
	id "$account" >/dev/null 2>&1 || account=nobody
	as=(setpriv "--reuid=$account" "--regid=$(id -g "$account")" --clear-groups)
fi

pg_ctl() { (cd / && "${as[@]}" "$(programs)/pg_ctl" -s -D "$data" "$@"); }
running() { [ -f "$data/postmaster.pid" ] && pg_ctl status >/dev/null 2>&1; }
url() { echo "postgres://postgres@/postgres?host=$dir"; }

# Takes the lock under which the server is started and ended. Close descriptor 9 in whatever lives on.
lock() {
	mkdir -m 0700 "$dir" 2>/dev/null && chown "$account" "$dir"
	[ ! -L "$dir" ] && [ "$(stat -c '%U %a' "$dir")" = "$account 700" ] || fail "$dir is not a directory of $account alone"
	exec 9>>"$dir/lock"
	flock 9
}

begin() {
	if running; then
		return
	fi
	rm -rf "$data"
	(cd / && "${as[@]}" "$(programs)/initdb" -D "$data" -U postgres -A trust -E UTF8 --locale=C --no-sync) >/dev/null 9>&-
	pg_ctl -w -l "$data/log" start -o "-k $dir -c listen_addresses= -c max_connections=500 -c shared_buffers=128MB \
		-c fsync=off -c full_page_writes=off -c wal_level=minimal -c max_wal_senders=0 -c max_wal_size=256MB" 9>&- ||
		fail "PostgreSQL did not start: $(tail -n 5 "$data/log")"
}

end() {
	if running; then
		pg_ctl -m immediate stop
	fi
	rm -rf "$data" "$dir/kept"
}

# Ends the server after the last of the runs, unless it is kept.
leave() {
	flock 9
	if [ ! -e "$dir/kept" ] && flock -n -x 8; then
		end
	fi
}

case ${1:-} in
ensure)
	ensure
	;;
run)
	shift
	if [ -n "${TEST_DATABASE_URL:-}" ]; then
		exec "$@"
	fi
	ensure
	lock
	# Whoever runs shares this lock; whoever has it alone is the last.
	exec 8>>"$dir/users"
	flock -s 8
	begin 8>&-
	trap leave EXIT
	flock -u 9
	TEST_DATABASE_URL=$(url) "$@" 8>&- 9>&-
	;;
start)
	ensure
	lock
	begin
	touch "$dir/kept"
	echo "PostgreSQL for tests runs until 'make pg-stop'. make test finds it; for go test itself:"
	echo "  export TEST_DATABASE_URL='$(url)'"
	;;
stop)
	if [ ! -d "$dir" ]; then
		exit 0
	fi
	lock
	exec 8>>"$dir/users"
	flock -n -x 8 || fail 'tests are running on it'
	end
	;;
url)
	if running; then
		url
	fi
	;;
*)
	fail 'run it as ensure, run COMMAND, start, stop or url'
	;;
esac
