#!/usr/bin/env bash
# Two sidecars that capture traffic as in a cluster: a client Pod, a server Pod and a stranger, each a network namespace
# with a sidecar of its own behind iptables, then behind nftables. Mutual TLS is STRICT, with an authority made here.
# usage: try.sh SIDECAR_PROGRAM. Ends with 77 where it cannot run. All it starts ends with it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
sidecar=$(realpath "${1:?the sidecar program}")
skip() { echo "skipped: capture: $*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root"
for tool in ip iptables openssl curl python3 setpriv; do
  command -v $tool >/dev/null || skip "there is no $tool"
done

tag=mesh$$
folder=$(mktemp -d)
chmod 755 "$folder"
started=()
cleanup() {
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  for name in hub app client other; do ip netns del "$tag-$name" 2>/dev/null || true; done
  rm -rf "$folder"
}
trap cleanup EXIT
ip netns add "$tag-hub" 2>/dev/null || skip "network namespaces cannot be made here"
ip netns exec "$tag-hub" iptables -w -t nat -L >/dev/null 2>&1 || skip "the kernel has no NAT for iptables"

# A switch, and a cable to each Pod.
ip -n "$tag-hub" link add switch type bridge
ip -n "$tag-hub" link set switch up
for pod in client:10.77.0.10 app:10.77.0.20 other:10.77.0.30; do
  name=${pod%%:*} address=${pod#*:}
  ip netns add "$tag-$name"
  ip -n "$tag-hub" link add "to-$name" type veth peer name eth0 netns "$tag-$name"
  ip -n "$tag-hub" link set "to-$name" master switch up
  ip -n "$tag-$name" address add "$address/24" dev eth0
  ip -n "$tag-$name" link set lo up
  ip -n "$tag-$name" link set eth0 up
  # Where addresses of services would be routed to, if nothing captured them.
  ip -n "$tag-$name" route add default dev eth0
done

# An authority, and a certificate for each service account.
cd "$folder"
quiet() { "$@" >/dev/null 2>&1 || { echo "failed: $*" >&2; exit 1; }; }
quiet openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=authority \
  -keyout ca.key -out ca.pem
for account in client app other; do
  mkdir "$account"
  quiet openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/O=$account" \
    -keyout "$account/key.pem" -out "$account/request.pem"
  printf 'subjectAltName=critical,URI:spiffe://cluster.local/ns/shop/sa/%s\nextendedKeyUsage=serverAuth,clientAuth\n' \
    "$account" >"$account/extensions"
  quiet openssl x509 -req -in "$account/request.pem" -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 \
    -extfile "$account/extensions" -out "$account/cert-chain.pem"
  cp ca.pem "$account/root-cert.pem"
  chmod 644 "$account"/*
done

inside() { ip netns exec "$tag-$1" "${@:2}"; }
start_sidecar() {
  ip netns exec "$tag-$1" setpriv --reuid 1337 --regid 1337 --clear-groups \
    "$sidecar" --config "$here/mesh.yaml" --proxy "sidecar:shop/$1-0" --identity "$folder/$1" \
    --admin 127.0.0.1:15000 >"$folder/$1.log" 2>&1 &
  started+=($!)
  for _ in $(seq 100); do
    inside "$1" curl -s -o /dev/null http://127.0.0.1:15000/ready && return
    sleep 0.1
  done
  echo "the sidecar of $1 does not start:"; cat "$folder/$1.log"; exit 1
}
cat >"$folder/app.py" <<'PYTHON'
# Answers with who asked, as the sidecar tells it.
import re
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
class App(BaseHTTPRequestHandler):
    def do_GET(self):
        who = re.search('URI=[^;,]*', self.headers.get('x-forwarded-client-cert', ''))
        body = f"app, asked by {who and who[0]}\n".encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
ThreadingTCPServer(("10.77.0.20", 8080), App).serve_forever()
PYTHON
ip netns exec "$tag-app" python3 "$folder/app.py" &
started+=($!)
for _ in $(seq 50); do inside app curl -s -o /dev/null http://10.77.0.20:8080/ && break; sleep 0.1; done
for account in app client other; do start_sidecar "$account"; done

ask() { inside "$1" curl -sS -m 5 "${@:2}" 2>&1 || true; }
expect() { # what, wanted, got
  case "$3" in
    $2) printf '  %-58s %s\n' "$1" "$3" ;;
    *) printf 'wrong: %s\n  wanted %s\n  got %s\n' "$1" "$2" "$3"; cat "$folder"/*.log; exit 1 ;;
  esac
}
for rules in iptables nftables; do
  if [ "$rules" = nftables ] && ! inside client nft list tables >/dev/null 2>&1; then
    echo "skipped: nftables: there is no nft, or the kernel has none"
    continue
  fi
  echo "captured by $rules:"
  expect "without capture a name of the mesh leads nowhere" "curl:*" "$(ask client -m 1 http://10.96.0.50/)"
  for pod in app client; do inside "$pod" "$here/$rules.sh"; done
  expect "the client asks the service" "app, asked by URI=spiffe://cluster.local/ns/shop/sa/client" \
    "$(ask client http://10.96.0.50/)"
  expect "plaintext from a Pod without capture is refused" "curl:*" "$(ask other http://10.77.0.20:8080/)"
  inside other "$here/$rules.sh"
  expect "with a sidecar, but as another service account" "RBAC: access denied" "$(ask other http://10.96.0.50/)"
  expect "dialled by its own address the Pod is no service: refused" "curl:*" "$(ask client http://10.77.0.20:8080/)"
  for pod in app client other; do inside "$pod" "$here/$rules.sh" remove; done
done
echo "captured traffic arrived as it should"
