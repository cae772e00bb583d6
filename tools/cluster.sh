#!/usr/bin/env bash
# A cluster on this machine: three PostgreSQL nodes under Patroni, etcd, HAProxy and PgBouncer, all of Debian. Each node and etcd
# have a network namespace of their own, so that one can be cut off from another. Needs root, and reaches nothing beyond the machine.
#
#   cluster.sh up              install what is missing, start, and wait until the cluster is whole
#   cluster.sh serve           start two processes of the service on it, and print where everything is
#   cluster.sh down            end all of it and delete its data
#   cluster.sh list            show the nodes as Patroni sees them
#   cluster.sh logs            print the last words of each node
#   cluster.sh url | pooled | standbys
#                              print the database's address: all nodes, through PgBouncer, or those that only read
#   cluster.sh leader | sync | replica
#                              print the number of the node that is the leader, the synchronous standby, the other standby
#   cluster.sh kill N          kill every process of node N, as a machine does that loses its power
#   cluster.sh freeze N        stop every process of node N in its tracks; thaw N lets them go on
#   cluster.sh cut N           cut node N off from etcd, and from nothing else; heal N undoes it
#   cluster.sh switchover      make the synchronous standby the leader, on purpose
#   cluster.sh revive          start what was killed, and wait until the cluster is whole
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)

dir=${DIRESCO_CLUSTER_DIR:-/var/tmp/diresco-cluster}
bridge=dircl0 net=10.213.77
etcd=$net.9
database=diresco
nodes='1 2 3'
# In the host's namespace, on loopback: the proxy that leads to the leader, and the pooler before it.
proxy=127.0.0.1:7433 pooler=127.0.0.1:7432
export PATH=$PATH:/usr/sbin:/sbin PATRONICTL_CONFIG_FILE=$dir/node1.yml

fail() {
	echo "cluster.sh: $1" >&2
	exit 1
}

space() { echo "dircl-$1"; }
address() { echo "$net.1$1"; }
in_space() { ip netns exec "$(space "$1")" "${@:2}"; }
# Nothing that goes on holds what this script writes to.
start_in() {
	local where=$1 log=$2
	shift 2
	(
		cd "$dir"
		exec setsid nohup ip netns exec "$(space "$where")" setpriv --reuid=postgres --regid=postgres --clear-groups "$@"
	) >>"$dir/$log" 2>&1 </dev/null &
}
processes() { ip netns pids "$(space "$1")" 2>/dev/null || true; }
signal() {
	local all
	all=$(processes "$2")
	# One may end between the two.
	[ -z "$all" ] || kill "-$1" $all 2>/dev/null || true
}
role() { curl -s -m 2 -o /dev/null -w '%{http_code}' "http://$(address "$1"):8008/$2" || true; }
member() {
	local n
	for n in $nodes; do
		if [ "$(role "$n" "$1")" = 200 ]; then
			echo "$n"
			return
		fi
	done
	return 1
}
psql_leader() { psql -X -q -h 127.0.0.1 -p "${proxy#*:}" -U postgres "$@"; }

install_missing() {
	local missing=()
	command -v patroni >/dev/null || missing+=(patroni python3-etcd python3-psycopg2)
	command -v etcd >/dev/null || missing+=(etcd-server etcd-client)
	command -v haproxy >/dev/null || missing+=(haproxy)
	command -v pgbouncer >/dev/null || missing+=(pgbouncer)
	command -v curl >/dev/null || missing+=(curl)
	command -v ip >/dev/null || missing+=(iproute2)
	ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing+=(postgresql)
	[ ${#missing[@]} = 0 ] && return
	echo "installing ${missing[*]}" >&2
	local policy=/usr/sbin/policy-rc.d ours=
	# Nobody asked for them as services: packages start none where this answers so.
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 0755 "$policy"
		ours=yes
	fi
	DEBIAN_FRONTEND=noninteractive apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
	[ -z "$ours" ] || rm -f "$policy"
}

network() {
	ip link add "$bridge" type bridge
	ip addr add "$net.1/24" dev "$bridge"
	ip link set "$bridge" up
	local n host
	for n in $nodes e; do
		host=$([ "$n" = e ] && echo "$etcd" || address "$n")
		ip netns add "$(space "$n")"
		ip link add "dircl-v$n" type veth peer name eth0 netns "$(space "$n")"
		ip link set "dircl-v$n" master "$bridge" up
		in_space "$n" ip addr add "$host/24" dev eth0
		in_space "$n" ip link set lo up
		in_space "$n" ip link set eth0 up
	done
}

# Reasons of each setting: deploy/patroni.yml.
node_file() {
	local n=$1
	# They share a file system, and would take each other's lock.
	install -d -o postgres "$dir/socket$n"
	cat >"$dir/node$n.yml" <<-END
		scope: diresco
		name: node$n
		restapi: { listen: "$(address "$n"):8008", connect_address: "$(address "$n"):8008" }
		etcd3: { hosts: ["$etcd:2379"] }
		bootstrap:
		  dcs:
		    ttl: 20
		    loop_wait: 5
		    retry_timeout: 5
		    synchronous_mode: true
		    synchronous_mode_strict: true
		    postgresql:
		      use_pg_rewind: true
		      parameters: { max_connections: 100, shared_buffers: 64MB, wal_keep_size: 256MB }
		  initdb: [{ encoding: UTF8 }, { locale: C }, data-checksums]
		  pg_hba:
		    - local all all trust
		    - host all all $net.0/24 trust
		    - host replication all $net.0/24 trust
		postgresql:
		  listen: $(address "$n"):5432
		  connect_address: $(address "$n"):5432
		  data_dir: $dir/data$n
		  bin_dir: $bin
		  pgpass: $dir/pgpass$n
		  authentication:
		    superuser: { username: postgres, password: unused }
		    replication: { username: replicator, password: unused }
		    rewind: { username: rewind, password: unused }
		  parameters: { unix_socket_directories: "$dir/socket$n" }
	END
}

before_it() {
	cat >"$dir/haproxy.cfg" <<-END
		global
		  pidfile $dir/haproxy.pid
		defaults
		  mode tcp
		  timeout connect 2s
		  timeout client 30m
		  timeout server 30m
		  timeout check 2s
		listen leader
		  bind $proxy
		  option httpchk GET /primary
		  http-check expect status 200
		  default-server inter 1s fall 2 rise 1 on-marked-down shutdown-sessions
		$(for n in $nodes; do echo "  server node$n $(address "$n"):5432 check port 8008"; done)
	END
	printf '"postgres" ""\n' >"$dir/users.txt"
	cat >"$dir/pgbouncer.ini" <<-END
		[databases]
		* = host=${proxy%:*} port=${proxy#*:}
		[pgbouncer]
		listen_addr = ${pooler%:*}
		listen_port = ${pooler#*:}
		unix_socket_dir =
		auth_type = trust
		auth_file = $dir/users.txt
		pool_mode = transaction
		default_pool_size = 20
		server_login_retry = 1
		server_connect_timeout = 3
		pidfile = $dir/pgbouncer.pid
		logfile = $dir/pgbouncer.log
	END
	haproxy -D -f "$dir/haproxy.cfg" >>"$dir/haproxy.log" 2>&1
	setpriv --reuid=postgres --regid=postgres --clear-groups pgbouncer -q -d "$dir/pgbouncer.ini"
}

start_node() { start_in "$1" "node$1.log" patroni "node$1.yml"; }

# whole returns when all three take part and one standby is synchronous.
whole() {
	local tries
	for tries in $(seq 150); do
		if [ "$(patronictl list -f json 2>/dev/null | grep -oE '"State": "(running|streaming)"' | wc -l)" = 3 ] && member primary >/dev/null && member sync >/dev/null; then
			return
		fi
		sleep 1
	done
	patronictl list >&2 || true
	fail 'the cluster does not become whole'
}

up() {
	[ "$(id -u)" = 0 ] || fail 'needs root, for network namespaces'
	[ ! -e "$dir" ] || fail "$dir is there: cluster.sh down first"
	install_missing
	bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
	mkdir -m 0711 "$dir"
	chown postgres "$dir"
	network
	local n
	for n in $nodes; do node_file "$n"; done
	start_in e etcd.log etcd --name one --data-dir "$dir/etcd" --listen-client-urls "http://$etcd:2379" --advertise-client-urls "http://$etcd:2379" \
		--listen-peer-urls "http://$etcd:2380" --initial-advertise-peer-urls "http://$etcd:2380" --initial-cluster "one=http://$etcd:2380"
	start_node 1
	for n in $(seq 60); do
		member primary >/dev/null && break
		sleep 1
	done
	start_node 2
	start_node 3
	before_it
	whole
	# HAProxy looks every second.
	for n in $(seq 20); do
		psql_leader -c "CREATE DATABASE $database" postgres 2>/dev/null && break
		sleep 1
	done
}

url() {
	local hosts n
	hosts=$(for n in $nodes; do printf '%s:5432,' "$(address "$n")"; done)
	echo "postgres://postgres@${hosts%,}/$database?sslmode=disable&target_session_attrs=read-write"
}
standbys() { url | sed 's/=read-write/=standby/'; }
pooled() { echo "postgres://postgres@$pooler/$database?sslmode=disable&default_query_exec_mode=cache_describe"; }

serve() {
	local binary=$here/bin/diresco n
	[ -x "$binary" ] || make -C "$here" build
	mkdir -p "$dir/service/blobs"
	[ -e "$dir/service/keys.json" ] || "$binary" keys signing "$dir/service/keys.json" >/dev/null
	[ -e "$dir/service/data-keys" ] || (umask 077 && "$binary" keys data >"$dir/service/data-keys")
	[ -e "$dir/service/audit-keys" ] || "$binary" keys log --name 127.0.0.1/audit/log "$dir/service/audit-keys" >/dev/null
	export DIRESCO_AUDIT_KEYS=$dir/service/audit-keys
	export DIRESCO_SIGNING_KEYS=$dir/service/keys.json DIRESCO_DATA_KEYS_FILE=$dir/service/data-keys DIRESCO_BLOB_URL=file://$dir/service/blobs
	export DIRESCO_PUBLIC_URL=http://127.0.0.1:8081
	DIRESCO_DATABASE_REPLICA_URL=$(standbys)
	export DIRESCO_DATABASE_REPLICA_URL
	DIRESCO_DATABASE_URL=$(url) "$binary" migrate
	for n in 1 2; do
		DIRESCO_DATABASE_URL=$([ "$n" = 1 ] && url || pooled) DIRESCO_ADDR=127.0.0.1:808$n DIRESCO_ADMIN_ADDR=127.0.0.1:909$n \
			setsid nohup "$binary" serve >>"$dir/service/$n.log" 2>&1 </dev/null &
		echo $! >"$dir/service/$n.pid"
	done
	for n in 1 2; do
		curl -sS --retry 60 --retry-connrefused --retry-delay 1 -o /dev/null "http://127.0.0.1:808$n/v1/status"
	done
	cat <<-END
		service   http://127.0.0.1:8081  (all nodes)           metrics http://127.0.0.1:9091/metrics
		          http://127.0.0.1:8082  (through PgBouncer)   metrics http://127.0.0.1:9092/metrics
		nodes     $(url)
		pooler    $(pooled)
		standbys  $(standbys)
		etcd      http://$etcd:2379
		files     $dir
		an administrator: DIRESCO_DATABASE_URL='$(url)' DIRESCO_DATA_KEYS_FILE=$dir/service/data-keys bin/diresco admin create --help
		end it:   tools/cluster.sh down
	END
}

down() {
	local n file
	for file in "$dir"/service/*.pid "$dir"/haproxy.pid "$dir"/pgbouncer.pid; do
		[ ! -f "$file" ] || kill "$(cat "$file")" 2>/dev/null || true
	done
	for n in $nodes e; do
		signal CONT "$n"
		signal KILL "$n"
		ip netns del "$(space "$n")" 2>/dev/null || true
	done
	ip link del "$bridge" 2>/dev/null || true
	rm -rf "$dir"
}

revive() {
	local n
	for n in $nodes; do
		[ -n "$(processes "$n")" ] || start_node "$n"
	done
	whole
}

case ${1:-} in
up | serve | down | revive | url | pooled | standbys) "$1" ;;
list) patronictl list ;;
logs)
	# Without what Patroni says of health checks that hung up on it: it drowns the rest.
	for n in $nodes; do
		echo "node$n:"
		grep -E '^[0-9]{4}-|rewind|^(WARNING|FATAL|DETAIL)' "$dir/node$n.log" | grep -v 'no action' | tail -n 60
	done
	;;
leader) member primary ;;
sync) member sync ;;
replica) member async ;;
kill) signal KILL "$2" ;;
freeze) signal STOP "$2" ;;
thaw) signal CONT "$2" ;;
cut) in_space "$2" ip route add blackhole "$etcd/32" ;;
heal) in_space "$2" ip route del blackhole "$etcd/32" ;;
switchover) patronictl switchover diresco --force >/dev/null ;;
*)
	sed -n '2,20p' "$0" | cut -c 3-
	exit 2
	;;
esac
