#!/usr/bin/env bash
# A Ceph object gateway for tests: one monitor, one OSD that keeps everything in
# memory, one radosgw, on free ports of loopback. Nothing outlives its folder.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: scripts/ceph.sh up DIR              start a cluster in DIR, which is new or empty
       scripts/ceph.sh down DIR            stop it; DIR keeps its logs
       scripts/ceph.sh run DIR             up, then down when standard input ends
       scripts/ceph.sh stop-gateway DIR    stop radosgw alone
       scripts/ceph.sh start-gateway DIR   start it again, on the same ports
       scripts/ceph.sh missing             name what is not installed; nothing when all is there

up and run print the path of DIR/ceph.json, which holds endpoint, tls_endpoint,
ca_file, access_key_id, secret_access_key and role_arn. The keys are of a user
that may do everything with S3, and roles and OIDC providers through IAM; the
role STSRole trusts it and may do everything with S3. Other radosgw-admin and
ceph commands work with CEPH_CONF=DIR/ceph.conf.

Needs root and Debian's ceph-mon, ceph-osd, radosgw and ceph-common
(scripts/install.sh). Ends with 3 when they are not there.
TEXT
}

exec 3>&2 # where messages go while the output of a step goes to a log
fail() { echo "ceph: $*" >&3; exit 1; }
cannot() { echo "ceph: $*" >&2; exit 3; }

missing() {
  local program
  for program in ceph-mon:ceph-mon ceph-osd:ceph-osd radosgw:radosgw ceph:ceph-common radosgw-admin:ceph-common \
    openssl:openssl python3:python3 curl:curl; do
    command -v "${program%%:*}" >/dev/null 2>&1 || echo "${program##*:}"
  done | sort -u | xargs
}

# free_ports N: N ports of loopback that nobody listens on.
free_ports() {
  python3 - "$1" <<'PY'
import socket, sys
held = [socket.socket() for _ in range(int(sys.argv[1]))]
for s in held:
    s.bind(("127.0.0.1", 0))
print(*[s.getsockname()[1] for s in held])
PY
}

# until_ok SECONDS WHAT COMMAND...: tries the command every 50 ms.
until_ok() {
  local limit=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$limit" ] || fail "$what did not come up; see $D/log"
    sleep 0.05
  done
}

configure() {
  local classes
  for classes in /usr/lib/*/rados-classes; do :; done
  cat >"$D/ceph.conf" <<CONF
[global]
fsid = $fsid
mon host = $mons
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
public addr = 127.0.0.1
ms bind ipv6 = false
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon warn on pool no redundancy = false
mon data avail warn = 2
mon data avail crit = 1
paxos propose interval = 0.05
paxos min wait = 0.01
run dir = $D/run
keyring = $D/keyring
admin socket = $D/run/\$name.\$pid.asok
log file = $D/log/\$name.log
pid file = $D/run/\$name.pid
[mon]
mon data = $D/mon
[osd]
osd data = $D/osd
osd objectstore = memstore
memstore device bytes = 2147483648
osd class dir = $classes
[client]
rgw data = $D/rgw
rgw frontends = beast endpoint=127.0.0.1:$plain ssl_endpoint=127.0.0.1:$tls ssl_certificate=$D/tls.pem ssl_private_key=$D/tls.key tcp_nodelay=1
debug rgw = 0
rgw s3 auth use sts = true
rgw sts key = $(openssl rand -hex 8)
rgw sts min session duration = 1
rgw enable usage log = false
rgw enable gc threads = false
rgw enable lc threads = false
rgw thread pool size = 64
CONF
}

certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost \
    -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -keyout "$D/tls.key" -out "$D/tls.pem" 2>/dev/null
}

keys() {
  local add=(ceph-authtool "$D/keyring" --gen-key)
  ceph-authtool --create-keyring "$D/keyring" --gen-key -n mon. --cap mon 'allow *'
  "${add[@]}" -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
  "${add[@]}" -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *'
  "${add[@]}" -n client.rgw.a --cap mon 'allow rw' --cap osd 'allow rwx'
}

monitor() {
  monmaptool --create --clobber --fsid "$fsid" --addv a "$mons" "$D/monmap"
  ceph-mon --mkfs -i a --no-mon-config --monmap "$D/monmap" --keyring "$D/keyring"
  ceph-mon -i a 3>&-
  timeout 60 ceph -s
}

osd_is_up() { [[ $(timeout 10 ceph osd stat) == *"1 up"* ]]; }

osd() {
  local id
  id=$(cat /proc/sys/kernel/random/uuid)
  ceph osd new "$id"
  ceph-osd -i 0 --mkfs --osd-uuid "$id"
  ceph osd crush add osd.0 1 root=default host=localhost
  ceph-osd -i 0 3>&-
  until_ok 20 "the OSD" osd_is_up
}

gateway() {
  local endpoint
  endpoint=$(sed -n 's/.*beast endpoint=\([^ ]*\).*/\1/p' "$D/ceph.conf")
  radosgw -n client.rgw.a 3>&-
  until_ok 60 radosgw curl -sf -o "$D/run/answer" --max-time 5 "http://$endpoint/"
}

tenant() {
  radosgw-admin user create --uid=daypass --display-name=daypass \
    --caps='roles=*;user-policy=*;oidc-provider=*' >"$D/user.json"
  radosgw-admin role create --role-name=STSRole --assume-role-policy-doc='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam:::user/daypass"]},"Action":["sts:AssumeRole"]}]}'
  radosgw-admin role-policy put --role-name=STSRole --policy-name=p --policy-doc='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::*"]}]}'
}

describe() {
  python3 - "$D" "$plain" "$tls" <<'PY'
import json, sys
dir, plain, tls = sys.argv[1:]
key = json.load(open(dir + "/user.json"))["keys"][0]
json.dump({
    "endpoint": "http://127.0.0.1:" + plain,
    "tls_endpoint": "https://127.0.0.1:" + tls,
    "ca_file": dir + "/tls.pem",
    "access_key_id": key["access_key"],
    "secret_access_key": key["secret_key"],
    "role_arn": "arn:aws:iam:::role/STSRole",
}, open(dir + "/ceph.json", "w"), indent=2)
PY
}

build() {
  certificate
  configure
  keys
  monitor
  osd
  gateway
  tenant
}

# given_up is for the end in the middle of up.
given_up() {
  echo "ceph: did not come up; $D/log/up.log ends with:" >&3
  tail -n 5 "$D/log/up.log" >&3
  down
}

up() {
  [ "$(id -u)" -eq 0 ] || cannot "starting Ceph needs root"
  local lacking
  lacking=$(missing)
  [ -z "$lacking" ] || cannot "not installed: $lacking (scripts/install.sh installs them)"
  umask 077
  mkdir -p "$D"
  [ -z "$(ls -A "$D")" ] || fail "$D is not empty"
  [ "${#D}" -le 70 ] || fail "$D is too long for the paths of sockets below it"
  mkdir "$D"/{mon,osd,rgw,run,log}
  trap 'given_up' EXIT
  local fsid mon1 mon2 plain tls mons
  fsid=$(cat /proc/sys/kernel/random/uuid)
  read -r mon1 mon2 plain tls < <(free_ports 4)
  mons="[v2:127.0.0.1:$mon2,v1:127.0.0.1:$mon1]"
  build >>"$D/log/up.log" 2>&1
  describe
  trap - EXIT
  echo "$D/ceph.json"
}

# running NAME: prints its process id. A number may be somebody else's by now.
running() {
  local pid
  pid=$(cat "$D/run/$1.pid" 2>/dev/null) && grep -q '^ceph\|^radosgw' "/proc/$pid/comm" 2>/dev/null && echo "$pid"
}

# stop NAME SIGNAL: by its pid file; KILL after ten seconds.
stop() {
  local pid limit=$((SECONDS + 10))
  pid=$(running "$1") || return 0
  kill -"$2" "$pid" 2>/dev/null || return 0
  while kill -0 "$pid" 2>/dev/null; do
    [ "$SECONDS" -lt "$limit" ] || kill -KILL "$pid" 2>/dev/null || true
    sleep 0.05
  done
  rm -f "$D/run/$1.pid"
}

# Nobody needs what the OSD and the monitor hold: they are not asked to put it away.
down() {
  stop client.rgw.a TERM
  stop osd.0 KILL
  stop mon.a KILL
}

case "${1:-}" in
  -h | --help | help) usage; exit 0 ;;
  missing) missing; exit 0 ;;
esac
[ $# -eq 2 ] || { usage >&2; exit 2; }
D=$(realpath -m "$2")
export CEPH_CONF=$D/ceph.conf
case "$1" in
  up) up ;;
  down) down ;;
  run)
    up
    trap 'down' EXIT
    cat >/dev/null
    ;;
  stop-gateway) stop client.rgw.a TERM ;;
  start-gateway) running client.rgw.a >/dev/null || gateway >>"$D/log/up.log" 2>&1 ;;
  *) usage >&2; exit 2 ;;
esac
