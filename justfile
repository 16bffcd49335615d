# `just` lists these.
default:
    @just --list

# Everything CI runs.
ci:
    .ci/run

# The README's test command.
test:
    cargo test

# The bundled shop alive on loopback: services, sidecars, a gateway, a weight that changes under traffic.
demo:
    cargo run --quiet --features demo --example demo

# Sidecars behind real iptables and nftables rules, in network namespaces; needs root.
capture:
    cargo build --features demo --example sidecar
    examples/capture/try.sh target/debug/examples/sidecar

# Format, then lint.
tidy:
    cargo fmt --all
    cargo clippy --workspace --all-targets --all-features -- -D warnings

# Property tests with many cases, in release mode.
properties cases="1000000":
    PROPTEST_CASES={{cases}} cargo test --release --workspace

# Benches by scenario.
bench *filter:
    cargo bench -p mesh-benches -- {{filter}}

# Policies and tokens beside other engines (Cedar, casbin, jsonwebtoken, ...), in one run; a workspace of its own.
bench-peers *filter:
    cargo bench --manifest-path benches/peers/Cargo.toml --target-dir target -- {{filter}}

# Property tests of policies and tokens alone, with many cases, in release mode.
properties-authz cases="1000000":
    PROPTEST_CASES={{cases}} cargo test --release -p mesh-authz --lib property

# Decision cases against the debug build.
conformance *arguments:
    cargo build --example mesh
    python3 ../shared/conformance/run.py --mesh target/debug/examples/mesh --floor 0 {{arguments}}

# Fuzz the entry points, each for some seconds; names of `fuzz/fuzz_targets` choose among them.
fuzz seconds="60" *targets:
    fuzz/run {{seconds}} {{targets}}

# The running proxy beside nginx, HAProxy, Envoy and a minimal hyper proxy: `just bench-proxy --proxies hyper,mesh-full`.
bench-proxy *arguments:
    cargo build --release --features runtime,mimalloc --example gateway
    cargo build --release --manifest-path benches/proxy/Cargo.toml --target-dir target
    benches/proxy/run.py {{arguments}}

# Thousands of idle clients before the release build of the gateway: memory of each, patience, honest clients beside them.
idle-clients connections="10000":
    cargo build --release --features runtime --example gateway
    python3 tests/load/idle_clients.py target/release/examples/gateway {{connections}}

# Thousands of idle connections to upstreams, which all break when they are used again.
idle-upstreams connections="9500":
    cargo build --release --features runtime --example gateway
    python3 tests/load/idle_upstreams.py target/release/examples/gateway {{connections}}

# A hundred kills of the release build of the gateway: each start at most 200 ms.
restarts:
    cargo build --release --features runtime --example gateway
    cargo build --features runtime-tests --example gateway
    MESH_GATEWAY=target/release/examples/gateway MESH_START_MS=200 cargo test --features runtime-tests --test running_proxy q03_ -- --nocapture

# What a change of one object costs in a mesh of 10,000 hosts, 10,000 VirtualServices and 100,000 endpoints.
deltas *arguments:
    cargo run --release -p mesh-compile --example delta_probe -- {{arguments}}
