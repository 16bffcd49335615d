//! The order in which objects come, come again and go means nothing; only what is there in the end does.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::Arc;

use mesh_compile::compiler::{Compiler, compile};
use mesh_compile::proxy_identity::Proxy;
use mesh_compile::snapshot::MeshSnapshot;
use mesh_compile::view::View;
use mesh_model::config_set::{ApplyOptions, Change, ConfigSet, Versions};
use mesh_model::mesh_config::MeshConfig;
use mesh_model::object::ResourceKey;
use mesh_model::yaml::{LoadOptions, load};
use proptest::prelude::*;

mod common;

use common::*;

/// One document, read from a file of its own: its place is the same in whatever order it comes.
fn change(file: &str, text: &str) -> Change {
    let mut documents = load(file, text, &LoadOptions::default()).documents;
    assert_eq!(documents.len(), 1, "{text}");
    Change::Upsert(documents.remove(0))
}

fn from_scratch(config: &ConfigSet, proxies: &[Proxy]) -> Vec<String> {
    let (snapshot, _) = MeshSnapshot::resolve(config, Arc::new(MeshConfig::with_defaults()));
    proxies.iter().map(|proxy| said(&compile(&View::new(&snapshot, proxy)).0)).collect()
}

/// All orders of the first `n` numbers, each differing from the last in two places (Heap's).
fn each_order(n: usize, visit: &mut impl FnMut(&[usize])) {
    let mut order: Vec<usize> = (0..n).collect();
    let mut counts = vec![0; n];
    visit(&order);
    let mut at = 1;
    while at < n {
        if counts[at] < at {
            order.swap(if at % 2 == 0 { 0 } else { counts[at] }, at);
            visit(&order);
            counts[at] += 1;
            at = 1;
        } else {
            counts[at] = 0;
            at += 1;
        }
    }
}

/// VirtualServices for one host, on the mesh and on a gateway: of one age and others, with one route name, and with paths
/// that overlap. Seven have more than ten thousand configurations in all orders of two proxies; a build without optimisation
/// makes do with six of them.
#[test]
fn k01_all_orders_of_the_virtual_services_of_one_host_compile_to_the_same() {
    let routes = |path: &str, status: u16| {
        format!("http: [{{name: same, match: [{{uri: {{prefix: {path}}}}}], {}}}]", respond(status))
    };
    let bound = |name: &str, minute: u32, path: &str, status: u16| {
        istio(
            "VirtualService",
            "a",
            name,
            minute,
            &format!("hosts: [web.io], gateways: [gw], {}", routes(path, status)),
        )
    };
    let of_mesh = |name: &str, minute: u32, status: u16| {
        istio("VirtualService", "a", name, minute, &format!("hosts: [web], {}", routes("/", status)))
    };
    let texts = [
        bound("c", 1, "/a", 201),
        bound("b", 1, "/a/b", 202),
        bound("a", 2, "/", 203),
        bound("d", 0, "/a/b/c", 204),
        of_mesh("r", 3, 205),
        of_mesh("q", 3, 206),
        of_mesh("s", 4, 207),
    ];
    let gateway =
        "selector: {app: p}, servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ['*']}]";
    let base = [change("web", &service("a", "web")), change("gw", &istio("Gateway", "a", "gw", 0, gateway))];
    let changes: Vec<Change> =
        texts.iter().enumerate().map(|(number, text)| change(&number.to_string(), text)).collect();
    let proxies = [proxy("sidecar", "a"), proxy("gateway", "a")];
    let mut wanted: Option<Vec<String>> = None;
    let mut orders = 0;
    let objects = if cfg!(debug_assertions) { 6 } else { 7 };
    each_order(objects, &mut |order| {
        let mut config = ConfigSet::new();
        config.apply(base.iter().cloned().chain(order.iter().map(|at| changes[*at].clone())));
        let found = from_scratch(&config, &proxies);
        assert_eq!(wanted.get_or_insert_with(|| found.clone()), &found, "in order {order:?}");
        orders += 1;
    });
    assert_eq!(orders * proxies.len(), (1..=objects).product::<usize>() * 2);
    // The older first; of one age the name decides (T-004).
    let mut config = ConfigSet::new();
    config.apply(base.into_iter().chain(changes));
    let (snapshot, _) = MeshSnapshot::resolve(&config, Arc::new(MeshConfig::with_defaults()));
    let [sidecar, gateway] = proxies.each_ref().map(|proxy| compile(&View::new(&snapshot, proxy)).0);
    assert_eq!(answer(&sidecar, "80", "web", "/"), "206");
    for (path, expected) in [("/a/b/c", "204"), ("/a/b", "202"), ("/a", "201"), ("/b", "203")] {
        assert_eq!(answer(&gateway, "http.80", "web.io", path), expected, "{path}");
    }
}

const KEYS: [(&str, &str, &str); 6] = [
    ("", "Service", "web"),
    ("networking.istio.io", "VirtualService", "v"),
    ("networking.istio.io", "VirtualService", "w"),
    ("networking.istio.io", "DestinationRule", "d"),
    ("networking.istio.io", "ServiceEntry", "e"),
    ("networking.istio.io", "Sidecar", "s"),
];

/// Version `version` of the object of a key, with a resource version that grows with it, and a clock that does not.
fn version(key: usize, version: usize) -> Change {
    let (_, kind, name) = KEYS[key];
    let minute = ((version * 7 + key) % 5) as u32;
    let text = match key {
        0 => service("a", "web").replace("port: 80", &format!("port: 8{version}")),
        1 | 2 => {
            let host = if version.is_multiple_of(2) { "web" } else { "db.ext" };
            istio(
                kind,
                "a",
                name,
                minute,
                &format!("hosts: [{host}], http: [{{{}}}]", respond(200 + version as u16)),
            )
        }
        3 => istio(
            kind,
            "a",
            name,
            minute,
            &format!("host: web, subsets: [{{name: s{version}, labels: {{v: s}}}}]"),
        ),
        4 => istio(
            kind,
            "a",
            name,
            minute,
            &format!(
                "hosts: [db.ext], ports: [{{number: 8{version}, name: http, protocol: HTTP}}], resolution: DNS"
            ),
        ),
        _ => {
            let hosts = ["*/*", "./*", "*/db.ext"][version % 3];
            istio(kind, "a", name, minute, &format!("egress: [{{hosts: ['{hosts}']}}]"))
        }
    };
    let text = text.replace("namespace: a", &format!("resourceVersion: \"{}\", namespace: a", version + 1));
    change(&format!("{name}-{version}"), &text)
}

fn removal(key: usize) -> Change {
    let (group, kind, name) = KEYS[key];
    Change::Remove(ResourceKey {
        group,
        kind,
        cluster: "Kubernetes".into(),
        namespace: "a".into(),
        name: name.into(),
    })
}

proptest! {
    #![proptest_config(match std::env::var("PROPTEST_CASES") {
        Ok(_) => ProptestConfig::default(),
        Err(_) => ProptestConfig::with_cases(96),
    })]

    /// Versions overtake each other, come twice, and lists are sent again with gaps: the newest of each key counts.
    #[test]
    fn c07_any_interleaving_of_versions_ends_in_the_newest_of_each(
        mut events in proptest::collection::vec((0..KEYS.len(), 0_usize..6), 1..40),
        batches in proptest::collection::vec(1_usize..5, 40),
        asks in any::<u64>(),
    ) {
        let newest: Vec<Option<usize>> = (0..KEYS.len())
            .map(|key| events.iter().filter(|event| event.0 == key).map(|event| event.1).max())
            .collect();
        // A list sent again: what was there at some time, in the order of keys.
        events.extend(events.clone().into_iter().step_by(3));
        let options = ApplyOptions { versions: Versions::SkipOlder, ..ApplyOptions::default() };
        let mut compiler = Compiler::with_options(Arc::new(MeshConfig::with_defaults()), options);
        let client = [proxy("sidecar", "a")];
        let mut rest = events.as_slice();
        for (number, size) in batches.iter().cycle().enumerate() {
            if rest.is_empty() {
                break;
            }
            let (batch, others) = rest.split_at((*size).min(rest.len()));
            rest = others;
            compiler.apply(batch.iter().map(|(key, at)| version(*key, *at)));
            if asks >> (number % 64) & 1 == 1 {
                compiler.config_for(&client[0]);
            }
        }
        let mut fresh = ConfigSet::new();
        fresh.apply(newest.iter().enumerate().filter_map(|(key, at)| Some(version(key, (*at)?))));
        prop_assert_eq!(vec![said(&compiler.config_for(&client[0]))], from_scratch(&fresh, &client));
    }

    /// What each key's history ends with counts, however the histories are woven into each other.
    #[test]
    fn c07_histories_with_removals_may_be_woven_in_any_way(
        histories in proptest::collection::vec(
            proptest::collection::vec(proptest::option::weighted(0.7, 0_usize..6), 1..5),
            KEYS.len(),
        ),
        turns in proptest::collection::vec(0..KEYS.len(), 60),
        asks in any::<u64>(),
    ) {
        let mut compiler = Compiler::new(Arc::new(MeshConfig::with_defaults()));
        let client = [proxy("sidecar", "a")];
        let mut left: Vec<std::slice::Iter<'_, Option<usize>>> = histories.iter().map(|it| it.iter()).collect();
        for (number, key) in turns.into_iter().chain((0..KEYS.len()).cycle().take(KEYS.len() * 5)).enumerate() {
            let Some(event) = left[key].next() else { continue };
            compiler.apply([event.map_or_else(|| removal(key), |at| version(key, at))]);
            if asks >> (number % 64) & 1 == 1 {
                compiler.config_for(&client[0]);
            }
        }
        let mut fresh = ConfigSet::new();
        let last = |key: usize| histories[key].last().copied().flatten();
        fresh.apply((0..KEYS.len()).filter_map(|key| Some(version(key, last(key)?))));
        prop_assert_eq!(vec![said(&compiler.config_for(&client[0]))], from_scratch(&fresh, &client));
    }
}

/// Back to what was there before, and to nothing: as if nothing else had ever been.
#[test]
fn c03_rolled_back_sets_are_identical_to_a_fresh_start_on_them() {
    let proxies = [proxy("sidecar", "a"), proxy("sidecar", "b"), proxy("gateway", "a")];
    let mut compiler = Compiler::new(Arc::new(MeshConfig::with_defaults()));
    let check = |compiler: &mut Compiler, set: &[usize], at: usize| {
        let mut fresh = ConfigSet::new();
        fresh.apply(set.iter().map(|key| version(*key, at)));
        let found: Vec<String> = proxies.iter().map(|proxy| said(&compiler.config_for(proxy))).collect();
        assert_eq!(found, from_scratch(&fresh, &proxies), "{set:?} of version {at}");
    };
    let all: Vec<usize> = (0..KEYS.len()).collect();
    check(&mut compiler, &[], 0);
    compiler.apply(all.iter().map(|key| version(*key, 0)));
    check(&mut compiler, &all, 0);
    compiler.apply(all.iter().map(|key| version(*key, 3)));
    check(&mut compiler, &all, 3);
    // Back to the previous set, at once and without some of it.
    compiler.apply(all.iter().map(|key| version(*key, 0)));
    check(&mut compiler, &all, 0);
    compiler.apply([removal(1), removal(4)]);
    check(&mut compiler, &[0, 2, 3, 5], 0);
    compiler.apply(all.iter().map(|key| removal(*key)));
    check(&mut compiler, &[], 0);
    compiler.apply(all.iter().map(|key| version(*key, 0)));
    check(&mut compiler, &all, 0);
}
