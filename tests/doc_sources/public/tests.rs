//! The counter can fail: one test for each way in which an item may lack a source.

use super::*;

/// Items, and the lines without a source, of one snippet.
fn counted(text: &str) -> (usize, Vec<usize>) {
    let (count, missing) = missing(&[(PathBuf::from("src/a.rs"), text.to_owned())]);
    (count, missing.iter().map(|item| item.line).collect())
}

#[test]
fn an_item_without_a_source_is_counted() {
    assert_eq!(counted("/// A thing.\npub struct Thing;\n"), (1, vec![2]));
    assert_eq!(counted("/// A thing (T-136).\npub struct Thing;\n"), (1, vec![]));
    assert_eq!(counted("/// A number.\npub const N: u8 = 1;\n/// Does.\npub fn go() {}\n"), (2, vec![2, 4]));
    assert_eq!(
        counted("struct A {\n    pub a: u8,\n}\n\nimpl A {\n    pub fn b() {}\n}\npub(crate) fn go() {}\n").0,
        0
    );
}

#[test]
fn parts_are_covered_by_their_type_or_by_themselves() {
    let of = |head: &str, field: &str| {
        format!(
            "{head}\n// INVARIANT: even.\n#[derive(Debug)]\n#[serde(\n    default,\n)]\npub struct A {{\n    {field}\n    pub a: u8,\n}}\n"
        )
    };
    assert_eq!(counted(&of("/// A.", "/// B.")), (2, vec![7, 9]));
    assert_eq!(counted(&of("/// A (T-001).", "/// B.")), (2, vec![]));
    assert_eq!(counted(&of("/// A.", "/// B (T-001).")), (2, vec![7]));
    let list = "/// A.\npub enum A {\n    /// B (T-001).\n    B,\n    /// C.\n    C {\n        /// D.\n        d: u8,\n    },\n}\n";
    assert_eq!(counted(list), (4, vec![2, 6, 8]));
    let methods = "/// A (T-001).\npub struct A(u8);\n\nimpl A {\n    /// B.\n    pub fn b(&self) {}\n}\n\nimpl<T: Into<u8>> C<T> {\n    /// D.\n    pub fn d(&self) {}\n}\n";
    assert_eq!(counted(methods), (3, vec![11]));
    let seam = "/// A.\npub trait A: Send {\n    /// B (T-001).\n    fn b(&self);\n    /// C.\n    const C: u8;\n}\n";
    assert_eq!(counted(seam), (3, vec![2, 6]));
}

#[test]
fn types_that_macros_make_are_counted_where_they_are_named() {
    let made = "open_enum! {\n    /// A (T-001).\n    A {\n        /// B.\n        B = \"B\",\n    }\n}\n\nname_type! {\n    /// C.\n    C, check\n}\n";
    assert_eq!(counted(made), (3, vec![11]));
    let making = "macro_rules! open_enum {\n    ($name:ident) => {\n        /// A.\n        pub enum $name {\n            /// B.\n            B,\n        }\n\n        impl $name {\n            /// C.\n            pub fn c(&self) {}\n        }\n\n        /// D.\n        pub struct D;\n    };\n}\n\n/// E.\npub struct E;\n";
    assert_eq!(counted(making), (2, vec![15, 20]));
}

#[test]
fn the_head_of_a_file_covers_free_items_but_no_parts() {
    let text = "//! Limits (S-109).\n\n/// A.\npub const A: u8 = 1;\n\n/// B.\npub struct B {\n    /// C.\n    pub c: u8,\n}\n";
    assert_eq!(counted(text), (3, vec![9]));
}

#[test]
fn an_impl_is_covered_by_the_nearest_type_of_its_name() {
    let file = |path: &str, text: &str| (PathBuf::from(path), text.to_owned());
    let far = file("src/b/spec.rs", "/// A (T-001).\npub struct A;\n");
    let near = file("src/a/spec.rs", "/// A, ours.\npub struct A;\n");
    let methods = file("src/a/more.rs", "impl A {\n    /// B.\n    pub fn b() {}\n}\n");
    assert_eq!(missing(&[far.clone(), methods.clone()]).1.len(), 0);
    assert_eq!(missing(&[far, near, methods]).1.len(), 2);
}
