#!/usr/bin/env bash
# Runs the stripped binary where there is nothing else: an empty chroot that holds the CA certificates alone, as a user
# without a name. Time zones, pages, migrations and everything else must be inside the binary. Needs root for chroot.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "$(id -u)" != 0 ]; then
	echo 'chroot-smoke: not run, since chroot needs root'
	exit 0
fi
command -v curl >/dev/null || { echo 'chroot-smoke: curl is needed' >&2; exit 1; }

certificates=/etc/ssl/certs/ca-certificates.crt
user=65534
jail=$(mktemp -d)
pid=
finish() {
	if [ -n "$pid" ]; then
		kill -KILL "$pid" 2>/dev/null || true
	fi
	rm -rf "$jail"
}
trap finish EXIT

fail() {
	echo "chroot-smoke: $1" >&2
	if [ -s "$jail/log" ]; then
		sed 's/^/  /' "$jail/log" >&2
	fi
	exit 1
}

make --no-print-directory build BINARY="$jail/diresco"
size=$(stat -c %s "$jail/diresco")
[ "$size" -lt $((60 * 1000 * 1000)) ] || fail "the binary has $size bytes, more than 60 MB"
[ -f "$certificates" ] || fail "$certificates is missing (Debian: apt-get install ca-certificates)"
install -D -m 0644 "$certificates" "$jail$certificates"
install -d -m 1777 "$jail/tmp"
install -d -m 0700 -o "$user" -g "$user" "$jail/data"
chmod 0755 "$jail"

port=
for _ in $(seq 50); do
	candidate=$((20000 + RANDOM % 10000))
	if ! (exec 3<>"/dev/tcp/127.0.0.1/$candidate") 2>/dev/null; then
		port=$candidate
		break
	fi
done
[ -n "$port" ] || fail 'no free port was found'

env -i DIRESCO_ADDR="127.0.0.1:$port" DIRESCO_DATA_DIR=/data \
	"$(command -v chroot)" --userspec="$user:$user" "$jail" /diresco sandbox >"$jail/log" 2>&1 &
pid=$!

status=
for _ in $(seq 300); do
	kill -0 "$pid" 2>/dev/null || fail 'the sandbox ended by itself'
	status=$(curl --silent --max-time 5 --output "$jail/answer" --write-out '%{http_code}' "http://127.0.0.1:$port/v1/status" || true)
	[ "$status" != 200 ] || break
	sleep 0.1
done
[ "$status" = 200 ] || fail "GET /v1/status answered ${status:-nothing}"
[ "$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")" = "$user" ] || fail 'the sandbox runs as another user'
memory=$(awk '/^VmRSS:/ { print $2 }' "/proc/$pid/status")

kill -TERM "$pid"
code=0
wait "$pid" || code=$?
pid=
[ "$code" = 0 ] || fail "asked to stop, the sandbox ended with $code"
echo "chroot-smoke: the sandbox ran in an empty chroot as user $user: binary $((size / 1024)) KiB, resident memory $memory KiB"
