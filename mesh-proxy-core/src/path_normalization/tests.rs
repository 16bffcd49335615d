use mesh_compile::proxy::listener::PathNormalization::{Base, DecodeAndMergeSlashes, MergeSlashes, None};

use super::*;

/// Target, then the result in the four modes; `=`: as it came.
const TABLE: &[(&str, [&str; 4])] = &[
    ("/", ["=", "=", "=", "="]),
    ("/app#foo", ["/app", "/app", "/app", "/app"]),
    ("/app?x=1#foo", ["/app?x=1", "/app?x=1", "/app?x=1", "/app?x=1"]),
    ("/app/../admin", ["=", "/admin", "/admin", "/admin"]),
    ("/app//", ["=", "=", "/app/", "/app/"]),
    ("/app/%2f", ["=", "=", "=", "/app/"]),
    ("/app%2f/", ["=", "=", "=", "/app/"]),
    ("/xyz%30..//abc", ["=", "/xyz0..//abc", "/xyz0../abc", "/xyz0../abc"]),
    ("/app/%2E./admin", ["=", "/admin", "/admin", "/admin"]),
    ("/app\\admin", ["=", "/app/admin", "/app/admin", "/app/admin"]),
    ("/app/\\/\\/\\admin", ["=", "/app//////admin", "/app/admin", "/app/admin"]),
    ("/%2Fapp%5cadmin%5Cabc", ["=", "=", "=", "/app/admin/abc"]),
    (
        "/%5Capp%2f%5c%2F%2e%2e%2fadmin%5c\\abc",
        ["=", "/%5Capp%2f%5c%2F..%2fadmin%5c/abc", "/%5Capp%2f%5c%2F..%2fadmin%5c/abc", "/app/admin/abc"],
    ),
    ("/app//../admin", ["=", "/app/admin", "/app/admin", "/app/admin"]),
    ("/app//../../admin", ["=", "/admin", "/admin", "/admin"]),
    ("/%c0%2e%c0%2e/admin", ["=", "/%c0.%c0./admin", "/%c0.%c0./admin", "/%c0.%c0./admin"]),
    ("/%c0%2fadmin", ["=", "=", "=", "/%c0/admin"]),
    ("/0x2e0x2e/admin", ["=", "=", "=", "="]),
    ("/%252e%252e/admin", ["=", "=", "=", "="]),
    ("/.../admin", ["=", "=", "=", "="]),
    ("/..../admin", ["=", "=", "=", "="]),
    // E-088 wins over the older rows.
    ("/a/..;/admin", ["=", "/admin", "/admin", "/admin"]),
    ("/a/..;x=1/admin", ["=", "/admin", "/admin", "/admin"]),
    ("/a/.;x/admin", ["=", "/a/admin", "/a/admin", "/a/admin"]),
    ("/a/%2e%2e;/admin", ["=", "/a/..;/admin", "/a/..;/admin", "/a/..;/admin"]),
    ("/a\\..;/admin", ["=", "/a/..;/admin", "/a/..;/admin", "/a/..;/admin"]),
    ("/;/admin", ["=", "=", "=", "="]),
    ("/admin;a=b/xyz", ["=", "=", "=", "="]),
    ("/..", ["=", "/", "/", "/"]),
    ("/a/b/..", ["=", "/a/", "/a/", "/a/"]),
    ("/a/.", ["=", "/a/", "/a/", "/a/"]),
    ("/a/../..", ["=", "/", "/", "/"]),
    ("/a.b/..c", ["=", "=", "=", "="]),
    ("//", ["=", "=", "=", "="]),
    ("///", ["=", "=", "//", "//"]),
    ("//a", ["=", "=", "/a", "/a"]),
    ("/a//", ["=", "=", "/a/", "/a/"]),
    ("/a//b?c//d", ["=", "=", "/a/b?c//d", "/a/b?c//d"]),
    (
        "/a\"<>^`{|}",
        ["=", "/a%22%3C%3E%5E%60%7B%7C%7D", "/a%22%3C%3E%5E%60%7B%7C%7D", "/a%22%3C%3E%5E%60%7B%7C%7D"],
    ),
    ("/a?{}", ["=", "=", "=", "="]),
    ("/%7e%41%zz%4", ["=", "/~A%zz%4", "/~A%zz%4", "/~A%zz%4"]),
];

#[test]
fn every_mode_gives_what_the_proxy_gives() {
    for (target, wanted) in TABLE {
        for (mode, wanted) in [None, Base, MergeSlashes, DecodeAndMergeSlashes].into_iter().zip(wanted) {
            let wanted = if *wanted == "=" { target } else { wanted };
            assert_eq!(normalize(target, mode).as_deref(), Ok(*wanted), "{target} {mode:?}");
        }
    }
}

#[test]
fn an_escaped_nul_is_refused_unless_nothing_is_normalised() {
    assert_eq!(normalize("/a%00", Base), Err(EscapedNul));
    assert_eq!(normalize("/a%00", None).as_deref(), Ok("/a%00"));
    assert_eq!(normalize("/a?b=%00", Base).as_deref(), Ok("/a?b=%00"));
}

#[test]
fn normal_paths_are_borrowed() {
    assert!(matches!(normalize("/a/b?c", MergeSlashes), Ok(Cow::Borrowed(_))));
}

proptest::proptest! {
    #[test]
    fn no_dot_segment_survives(path in "(/|\\.|%2e|%2E|\\\\|a|;|%2f|%5c){0,12}") {
        let normal = normalize(&format!("/{path}"), Base).unwrap().into_owned();
        proptest::prop_assert!(!normal.split('/').any(|segment| segment == "." || segment == ".."), "{}", normal);
        proptest::prop_assert!(normal.starts_with('/'));
    }

    #[test]
    fn any_text_has_an_answer(target in ".*") {
        for mode in [None, Base, MergeSlashes, DecodeAndMergeSlashes] {
            let _ = normalize(&target, mode);
        }
    }
}
