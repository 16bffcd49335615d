#!/usr/bin/env bash
# Redirects the TCP connections of this network namespace to a sidecar: outgoing ones to port 15001, incoming ones to
# port 15006. `iptables.sh` sets the rules, `iptables.sh remove` takes them away. Needs root and the kernel's NAT.
#
# The sidecar itself must run as the user PROXY_UID (1337), so that what it sends is not sent back to it:
#   setpriv --reuid 1337 --regid 1337 --clear-groups sidecar --config .. --proxy sidecar:NAMESPACE/POD
set -euo pipefail
proxy_uid=${PROXY_UID:-1337}
# Ports that no sidecar takes: health, metrics and administration of the sidecar; more in EXCLUDE_INBOUND (a,b,c).
exclude_inbound="15008,15020,15021,15090${EXCLUDE_INBOUND:+,$EXCLUDE_INBOUND}"
nat() { iptables -w -t nat "$@"; }

if [ "${1:-}" = remove ]; then
  nat -D OUTPUT -p tcp -j MESH_OUTPUT
  nat -D PREROUTING -p tcp -j MESH_INBOUND
  for chain in MESH_OUTPUT MESH_INBOUND; do nat -F $chain; nat -X $chain; done
  exit 0
fi

nat -N MESH_INBOUND
nat -A MESH_INBOUND -p tcp -m multiport --dports "$exclude_inbound" -j RETURN
nat -A MESH_INBOUND -p tcp -j REDIRECT --to-ports 15006

nat -N MESH_OUTPUT
# From the sidecar to its own application: the sidecar dials from 127.0.0.6.
nat -A MESH_OUTPUT -s 127.0.0.6/32 -o lo -j RETURN
# An application that calls its own service leaves through the sidecar and comes back in through it.
nat -A MESH_OUTPUT -o lo ! -d 127.0.0.1/32 -p tcp -m owner --uid-owner "$proxy_uid" -j REDIRECT --to-ports 15006
nat -A MESH_OUTPUT -m owner --uid-owner "$proxy_uid" -j RETURN
nat -A MESH_OUTPUT -d 127.0.0.0/8 -j RETURN
nat -A MESH_OUTPUT -p tcp -j REDIRECT --to-ports 15001

nat -A PREROUTING -p tcp -j MESH_INBOUND
nat -A OUTPUT -p tcp -j MESH_OUTPUT
