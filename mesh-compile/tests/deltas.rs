//! Changes of single objects of a large mesh come to what compiling all of it anew comes to. The full size is for
//! `just deltas`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "tests")]

use std::sync::Arc;

use mesh_compile::compiler::{Compiler, compile};
use mesh_compile::snapshot::MeshSnapshot;
use mesh_compile::view::View;
use mesh_model::mesh_config::MeshConfig;

#[path = "common/difference.rs"]
mod difference;
#[path = "common/large_mesh.rs"]
mod large_mesh;

use difference::difference;
use large_mesh::{FLAVOURS, LargeMesh, client, flavour, read};

fn compiler(mesh: LargeMesh) -> Compiler {
    let mut compiler = Compiler::new(Arc::new(MeshConfig::with_defaults()));
    let changes: Vec<_> = mesh.texts().iter().flat_map(|text| read(text)).collect();
    let update = compiler.apply(changes);
    assert!(!update.report.has_errors(), "{:?}", update.report.iter().next());
    compiler.config_for(&client());
    compiler
}

fn check(compiler: &mut Compiler, what: &str) {
    let client = client();
    let found = compiler.config_for(&client);
    let (snapshot, _) = MeshSnapshot::resolve(compiler.config(), Arc::new(MeshConfig::with_defaults()));
    let wanted = compile(&View::new(&snapshot, &client)).0;
    if let Some(difference) = difference(&found, &wanted) {
        panic!("after {what}: {difference}");
    }
}

#[test]
fn k13_each_change_of_one_object_comes_to_what_compiling_from_scratch_gives() {
    let mesh = LargeMesh { hosts: 60, endpoints: 3 };
    let mut compiler = compiler(mesh);
    for kind in 0..FLAVOURS {
        let index = 20 + kind;
        for (name, change) in mesh.changes(index, 0) {
            let update = compiler.apply(change);
            assert!(!update.report.has_errors(), "{:?}", update.report.iter().next());
            check(&mut compiler, &format!("{name} ({})", flavour(index)));
        }
    }
}

#[test]
fn k13_many_changes_of_a_mesh_of_a_thousand_hosts_come_to_what_a_fresh_start_comes_to() {
    let mesh = LargeMesh { hosts: 1_000, endpoints: 10 };
    let mut compiler = compiler(mesh);
    let before = compiler.config_for(&client());
    for kind in 0..FLAVOURS {
        for (_, change) in mesh.changes(500 + kind, kind) {
            compiler.apply(change);
            compiler.config_for(&client());
        }
    }
    check(&mut compiler, "all changes");
    // What has not changed is the same in memory, not only equal.
    let after = compiler.config_for(&client());
    let name = format!("outbound|80||{}", large_mesh::host(3));
    let [one, other] = [&before, &after].map(|config| config.clusters.get(&name).unwrap());
    assert!(Arc::ptr_eq(one, other));
}
