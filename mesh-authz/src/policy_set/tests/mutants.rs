//! Engines with one known bug each, and for each bug the request that tells it from ours: an attack's test is worth
//! something only if it fails where the bug is planted.
//!
//! A mutant is ours with its eyes closed somewhere: it sees another request, or other policies, as the bug would have
//! it. `attacks.tsv` names the rows.

mod identities;

use std::borrow::Cow;

use super::*;
use identities::{identities, tokens};

/// What the buggy engine sees instead.
enum Bug {
    /// Of the request or connection.
    Sees(fn(Call) -> Call),
    /// Of the policies.
    Reads(fn(Value) -> Value),
    /// It lets the call pass unasked.
    Skips(fn(&Call) -> bool),
}

struct Mutant {
    /// Of the list of attacks.
    row: &'static str,
    bug: &'static str,
    planted: Bug,
    specs: Vec<Value>,
    call: Call,
    /// What is right; the mutant does the other.
    passes: bool,
}

impl Mutant {
    fn answers(&self) -> bool {
        let (mut call, mut specs) = (self.call.clone(), self.specs.clone());
        match self.planted {
            Bug::Sees(change) => call = change(call),
            Bug::Reads(change) => specs = specs.into_iter().map(change).collect(),
            Bug::Skips(when) if when(&call) => return true,
            Bug::Skips(_) => {}
        }
        call.passes(&specs)
    }
}

fn on_headers(mut call: Call, change: impl FnOnce(&mut Headers<'static>)) -> Call {
    change(&mut call.request.as_mut().unwrap().headers);
    call
}

fn joined(call: Call) -> Call {
    on_headers(call, |headers| {
        let lines = headers.joined("x-role");
        headers.remove("x-role");
        headers.push("x-role", lines);
    })
}

fn only(call: Call, pick: fn(&[Vec<u8>]) -> Option<&Vec<u8>>) -> Call {
    on_headers(call, |headers| {
        let lines: Vec<Vec<u8>> = headers.values("x-role").map(<[u8]>::to_vec).collect();
        headers.remove("x-role");
        pick(&lines).into_iter().for_each(|line| headers.push("x-role", line.clone()));
    })
}

fn readable(call: Call) -> Call {
    on_headers(call, |headers| {
        headers.entries.retain(|(_, value)| std::str::from_utf8(value).is_ok());
    })
}

fn host(mut call: Call, change: impl Fn(&str) -> String) -> Call {
    let request = call.request.as_mut().unwrap();
    request.authority = change(&request.authority).into();
    call
}

fn path(mut call: Call, change: impl Fn(&str) -> String) -> Call {
    let request = call.request.as_mut().unwrap();
    request.path = change(&request.path).into();
    call
}

fn peer(call: Call, change: impl Fn(&str) -> String) -> Call {
    let peer = call.peer.map(|peer| &*change(peer).leak());
    Call { peer, ..call }
}

/// The policies with a text in place of another.
fn replaced(spec: &Value, from: &str, to: &str) -> Value {
    serde_json::from_str(&spec.to_string().replace(from, to)).unwrap()
}

fn roles(lines: &[&'static [u8]]) -> Call {
    on_headers(get("/"), |headers| lines.iter().for_each(|line| headers.push("x-role", *line)))
}

fn role(values: &[&str]) -> Value {
    when("request.headers[x-role]", values, &[])
}

fn mapped(call: Call) -> Call {
    let address = match call.direct_ip {
        IpAddr::V6(address) => IpAddr::V6(std::net::Ipv6Addr::from_bits(address.to_bits() | 1 << 64)),
        other => other,
    };
    Call { direct_ip: address, ..call }
}

fn mutant(
    row: &'static str,
    bug: &'static str,
    planted: Bug,
    specs: Vec<Value>,
    call: Call,
    passes: bool,
) -> Mutant {
    Mutant { row, bug, planted, specs, call, passes }
}

const FRONT: &str = "spiffe://cluster.local/ns/web/sa/front";

fn principals(values: &[&str]) -> Value {
    source(json!({ "principals": values }))
}

fn headers_and_hosts() -> Vec<Mutant> {
    use Bug::{Reads, Sees};
    vec![
        mutant(
            "1",
            "repeated headers are joined",
            Sees(joined),
            vec![deny(role(&["admin"]))],
            roles(&[b"user", b"admin"]),
            false,
        ),
        mutant(
            "P12",
            "notValues look at the joined lines",
            Sees(joined),
            vec![allow(when("request.headers[x-role]", &[], &["admin"]))],
            roles(&[b"admin", b"user"]),
            false,
        ),
        mutant(
            "2",
            "the first line of a header counts",
            Sees(|call| only(call, <[Vec<u8>]>::first)),
            vec![deny(role(&["admin"]))],
            roles(&[b"user", b"admin"]),
            false,
        ),
        mutant(
            "3",
            "the last line of a header counts",
            Sees(|call| only(call, <[Vec<u8>]>::last)),
            vec![deny(role(&["admin"]))],
            roles(&[b"admin", b"user"]),
            false,
        ),
        mutant(
            "17",
            "lines that are no UTF-8 are not looked at",
            Sees(readable),
            vec![deny(role(&["admin*"]))],
            roles(&[b"admin\xff"]),
            false,
        ),
        mutant(
            "P12",
            "an empty line is no line",
            Sees(|call| {
                on_headers(call, |headers| {
                    headers.entries.retain(|(_, value)| !value.is_empty());
                })
            }),
            vec![deny(role(&["*"]))],
            roles(&[b""]),
            false,
        ),
        mutant(
            "P12",
            "a name with an underscore is its twin with a hyphen",
            Sees(|call| {
                on_headers(call, |headers| {
                    for (name, _) in &mut headers.entries {
                        *name = Cow::Owned(name.replace('_', "-"));
                    }
                })
            }),
            vec![allow(role(&["admin"]))],
            get("/").header("x_role", "admin"),
            false,
        ),
        mutant(
            "7",
            "hosts are compared with their letters' case",
            Reads(|spec| replaced(&spec, "Admin.example.com", "\\u0000")),
            vec![deny(operation(json!({ "hosts": ["Admin.example.com"] })))],
            get("/").host("admin.EXAMPLE.com"),
            false,
        ),
        mutant(
            "8",
            "the port of the host is cut off",
            Sees(|call| host(call, |host| host.split(':').next().unwrap().to_owned())),
            vec![allow(operation(json!({ "hosts": ["a.com"] })))],
            get("/").host("a.com:8080"),
            false,
        ),
        mutant(
            "P08",
            "a dot at the end of the host is cut off",
            Sees(|call| host(call, |host| host.trim_end_matches('.').to_owned())),
            vec![allow(operation(json!({ "hosts": ["a.com"] })))],
            get("/").host("a.com."),
            false,
        ),
        mutant(
            "P07",
            "methods have no letter case",
            Sees(|mut call| {
                let request = call.request.as_mut().unwrap();
                request.method = request.method.to_ascii_uppercase().into();
                call
            }),
            vec![allow(operation(json!({ "methods": ["GET"] })))],
            get("/").method("get"),
            false,
        ),
    ]
}

fn paths() -> Vec<Mutant> {
    use Bug::{Reads, Sees, Skips};
    let admin = || operation(json!({ "paths": ["/admin"] }));
    vec![
        mutant(
            "10",
            "the query is a part of the path",
            Sees(|call| path(call, |path| path.replace('?', "_"))),
            vec![deny(admin())],
            get("/admin?x=1"),
            false,
        ),
        mutant(
            "9",
            "the fragment is a part of the path",
            Sees(|call| path(call, |path| path.replace('#', "_"))),
            vec![deny(admin())],
            get("/admin#x"),
            false,
        ),
        mutant(
            "P07",
            "paths have no letter case",
            Sees(|call| path(call, str::to_ascii_lowercase)),
            vec![allow(admin())],
            get("/ADMIN"),
            false,
        ),
        mutant(
            "16",
            "a star in a path is the operator of a template",
            Sees(|call| path(call, |path| path.replace("/*/", "/a/b/"))),
            vec![deny(operation(json!({ "paths": ["/files/{*}/x"] })))],
            get("/files/*/x"),
            false,
        ),
        mutant(
            "16",
            "a star inside a value is a wildcard",
            Reads(|spec| replaced(&spec, "/a/*/c", "/a/*")),
            vec![allow(operation(json!({ "paths": ["/a/*/c"] })))],
            get("/a/b/c"),
            false,
        ),
        mutant(
            "P05",
            "escapes are decoded when policies are asked",
            Sees(|call| path(call, |path| path.replace("%61", "a"))),
            vec![allow(admin())],
            get("/%61dmin"),
            false,
        ),
        mutant(
            "14",
            "parameters of a segment are cut off",
            Sees(|call| path(call, |path| path.split(';').next().unwrap().to_owned())),
            vec![allow(admin())],
            get("/admin;a=b"),
            false,
        ),
        mutant(
            "75",
            "a request without a path is not asked about",
            Skips(|call| call.request.as_ref().is_some_and(|request| request.path.is_empty())),
            vec![deny(operation(json!({ "methods": ["CONNECT"] })))],
            get("").method("CONNECT"),
            false,
        ),
    ]
}

#[test]
fn every_planted_bug_is_told_from_ours() {
    let mutants: Vec<Mutant> =
        [headers_and_hosts(), paths(), identities(), tokens()].into_iter().flatten().collect();
    for mutant in &mutants {
        let Mutant { row, bug, call, passes, .. } = mutant;
        assert_eq!(call.passes(&mutant.specs), *passes, "row {row}: ours has the bug: {bug}");
        assert_ne!(mutant.answers(), *passes, "row {row}: nobody would see: {bug}");
    }
    println!("{} planted bugs", mutants.len());
}
