//! Random texts and random values.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{lenient, strict};

fn json_tree() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        (-1_000_000_i64..1_000_000).prop_map(|number| json!(number as f64 / 8.0 + 0.0625)),
        "[ -~é😀\n\t]{0,12}".prop_map(Json::from),
        "(y|no|on|0[0-9]{1,3}|1e[0-9]|null|~|<<|=|[0-9]:[0-9]{2}|0x[0-9a-f]{0,3})".prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::btree_map("[a-zA-Z./_ 0-9-]{0,8}", inner, 0..5)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

fn read_back(text: &str) -> Result<Json, String> {
    let loaded = lenient(text);
    let document = loaded.documents.first().ok_or_else(|| format!("{:?}\n{text}", loaded.report))?;
    Ok(document.root().to_json())
}

proptest! {
    #[test]
    fn y09_no_text_panics(text in any::<String>(), bytes in any::<Vec<u8>>()) {
        lenient(&text);
        lenient(&bytes);
    }

    #[test]
    fn y22_no_yaml_soup_panics(text in "([-?:,\\[\\]{}#&*!|>'\"%@` \n\t<.a0~]|---\n|\\.\\.\\.\n|<<: |&a |\\*a|!!int |- |: ){0,60}") {
        lenient(&text);
        strict(&text);
    }

    #[test]
    fn y20_json_and_yaml_of_a_value_read_the_same(value in json_tree()) {
        prop_assume!(!value.is_null());
        let compact = read_back(&serde_json::to_string(&value).unwrap()).map_err(TestCaseError::fail)?;
        let pretty = read_back(&serde_json::to_string_pretty(&value).unwrap()).map_err(TestCaseError::fail)?;
        prop_assert_eq!(&compact, &value);
        prop_assert_eq!(&pretty, &value);
    }

    #[test]
    fn y21_quoted_yaml_reads_as_serde_yaml_reads_it(keys in prop::collection::vec("[a-m]{3,6}", 1..5), words in prop::collection::vec("[p-x]{3,8}( [p-x]{3})?", 1..5), number in 1_u32..100_000) {
        let mut text = String::new();
        for (key, word) in keys.iter().zip(&words) {
            text.push_str(&format!("{key}{}:\n  list:\n  - {word}\n  - \"{word}: x\"\n  number: {number}\n  flag: true\n  text: |\n    {word}\n    two\n  folded: >-\n    {word}\n    two\n", text.len()));
        }
        let ours = read_back(&text).map_err(TestCaseError::fail)?;
        prop_assert_eq!(ours, serde_yaml::from_str::<Json>(&text).unwrap());
    }
}
