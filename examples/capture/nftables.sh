#!/usr/bin/env bash
# The rules of iptables.sh for nftables: one table `mesh`, which `nftables.sh remove` takes away.
set -euo pipefail
proxy_uid=${PROXY_UID:-1337}
exclude_inbound="15008, 15020, 15021, 15090${EXCLUDE_INBOUND:+, $EXCLUDE_INBOUND}"

if [ "${1:-}" = remove ]; then
  nft delete table ip mesh
  exit 0
fi

nft -f - <<RULES
table ip mesh {
  chain inbound {
    type nat hook prerouting priority dstnat; policy accept;
    tcp dport { $exclude_inbound } return
    meta l4proto tcp redirect to :15006
  }
  chain outbound {
    type nat hook output priority -100; policy accept;
    ip saddr 127.0.0.6 oifname "lo" return
    oifname "lo" ip daddr != 127.0.0.1 meta skuid $proxy_uid meta l4proto tcp redirect to :15006
    meta skuid $proxy_uid return
    ip daddr 127.0.0.0/8 return
    meta l4proto tcp redirect to :15001
  }
}
RULES
