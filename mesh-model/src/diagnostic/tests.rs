#![allow(clippy::indexing_slicing, reason = "a test fails by panicking")]

use super::*;

#[test]
fn every_code_has_a_page_with_every_section() {
    let missing: Vec<String> = Code::ALL
        .iter()
        .filter(|code| Page::of(**code).is_none())
        .map(|code| format!("`{}`", code.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "no page for {}: write mesh-model/src/diagnostic/pages/CODE.md (what it means, then the sections `## Wrong` and \
         `## Right` with a ```yaml example each, or `## Shown by`, then `## Fix`, `## Source`; see the others), and name the code in page.rs",
        missing.join(", ")
    );
}

#[test]
fn no_page_is_left_over_and_none_is_named_twice() {
    let mut listed: Vec<&str> = Page::listed().collect();
    listed.sort_unstable();
    for pair in listed.windows(2) {
        assert_ne!(pair.first(), pair.last(), "page.rs names a code twice");
    }
    for name in listed {
        assert!(Code::ALL.iter().any(|code| code.as_str() == name), "page `{name}` has no code");
    }
}

#[test]
fn codes_are_unlike_each_other() {
    for (index, code) in Code::ALL.iter().enumerate() {
        for other in Code::ALL.iter().skip(index + 1) {
            assert_ne!(code.as_str(), other.as_str());
        }
    }
}

#[test]
fn names_are_suggested_where_they_are_close_and_no_others() {
    for (written, candidates, expected) in [
        ("timeuot", &["timeout", "retries"][..], Some("timeout")),
        ("retry_on", &["retryOn", "attempts"], Some("retryOn")),
        ("simple", &["DISABLE", "SIMPLE"], Some("SIMPLE")),
        ("ROUNDROBIN", &["RANDOM", "ROUND_ROBIN"], Some("ROUND_ROBIN")),
        ("x", &["y"], Some("y")),
        ("x", &[""], None),
        ("foo", &["barbecue"], None),
        ("", &["abcdef"], None),
    ] {
        assert_eq!(nearest(written, candidates.iter().copied()), expected, "{written}");
    }
}

#[test]
fn references_are_compared_by_what_people_call_a_thing() {
    let hosts =
        ["reviews.shop.svc.cluster.local", "ratings.shop.svc.cluster.local", "*.example.com", "10.0.0.1"];
    assert_eq!(nearest_reference("reviewz", hosts), Some("reviews.shop.svc.cluster.local"));
    assert_eq!(
        nearest_reference("reviews.shopp.svc.cluster.local", hosts),
        Some("reviews.shop.svc.cluster.local")
    );
    assert_eq!(nearest_reference("10.0.0.9", hosts), Some("10.0.0.1"));
    assert_eq!(nearest_reference("cart", hosts), None);
    assert_eq!(nearest_reference("edge/my-gv", ["edge/my-gw"]), Some("edge/my-gw"));
    assert_eq!(nearest_reference("wrong/my-gw", ["edge/my-gw"]), Some("edge/my-gw"));
}

/// The quick look at the letters never hides a near name: what is found is what comparing with all of them finds.
#[test]
fn the_quick_look_agrees_with_comparing() {
    fn slow(left: &str, right: &str) -> usize {
        let plain = |text: &str| -> Vec<char> {
            text.chars().filter(|letter| !"-_".contains(*letter)).flat_map(char::to_lowercase).collect()
        };
        let (left, right) = (plain(left), plain(right));
        let mut table = vec![vec![0; right.len() + 1]; left.len() + 1];
        for row in 0..=left.len() {
            for column in 0..=right.len() {
                table[row][column] = if row == 0 || column == 0 {
                    row + column
                } else {
                    let change = usize::from(left[row - 1] != right[column - 1]);
                    let mut best = (table[row - 1][column - 1] + change)
                        .min(table[row - 1][column] + 1)
                        .min(table[row][column - 1] + 1);
                    if row > 1
                        && column > 1
                        && left[row - 1] == right[column - 2]
                        && left[row - 2] == right[column - 1]
                    {
                        best = best.min(table[row - 2][column - 2] + 1);
                    }
                    best
                };
            }
        }
        table[left.len()][right.len()]
    }
    use proptest::prelude::*;
    proptest!(|(name in "[a-cA-C_é-]{0,9}", candidates in proptest::collection::vec("[a-cA-C_é-]{1,9}", 1..6))| {
        let limit = (name.chars().count() / 3).clamp(1, 4);
        let expected = candidates
            .iter()
            .map(|candidate| (slow(&name, candidate), candidate.as_str()))
            .filter(|(distance, _)| *distance <= limit)
            .min();
        let found = nearest(&name, candidates.iter().map(String::as_str));
        prop_assert_eq!(found, expected.map(|(_, candidate)| candidate));
    });
}

#[test]
fn long_lists_of_names_are_cut() {
    let names: Vec<String> = (0..30).map(|number| format!("candidate-{number:02}")).collect();
    let help = did_you_mean("qqq", names.iter().map(String::as_str), "names").unwrap_or_default();
    assert!(help.starts_with("known names: `candidate-00`") && help.ends_with("and 18 more"), "{help}");
}

#[test]
fn findings_are_sorted_as_people_read_and_the_same_whatever_the_order_of_discovery() {
    let at = |file: &str, line| Place { file: file.to_owned(), line, ..Place::default() };
    let found = [
        Diagnostic::new(Code::Syntax, at("b", 1), "x"),
        Diagnostic::new(Code::Syntax, at("a", 10), "x"),
        Diagnostic::new(Code::BadValue, at("a", 9), "y"),
        Diagnostic::new(Code::BadValue, at("a", 9), "x"),
    ];
    let sorted = |order: [usize; 4]| {
        let mut report = Report::new();
        for index in order {
            report.push(found[index].clone());
        }
        report.sort();
        report.into_iter().collect::<Vec<_>>()
    };
    let expected = sorted([0, 1, 2, 3]);
    assert_eq!(expected.iter().map(|one| one.at.line).collect::<Vec<_>>(), [9, 9, 10, 1]);
    assert_eq!(sorted([3, 1, 0, 2]), expected);
}
