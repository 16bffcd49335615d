use mesh_compile::proxy::listener::PathNormalization::{Base, DecodeAndMergeSlashes, MergeSlashes, None};

use super::*;

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
