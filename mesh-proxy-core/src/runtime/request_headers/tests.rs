use proptest::prelude::*;

use super::*;

#[test]
fn random_bits_make_a_uuid_of_version_4() {
    let text = |high, low| String::from_utf8(uuid(high, low).to_vec()).unwrap();
    assert_eq!(text(0, 0), "00000000-0000-4000-8000-000000000000");
    assert_eq!(text(u64::MAX, u64::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_eq!(text(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210), "01234567-89ab-4def-bedc-ba9876543210");
}

/// Lines of a header, with an empty one for none.
fn with(name: &HeaderName, lines: &[&[u8]]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(name, HeaderValue::from_bytes(line).unwrap());
    }
    headers
}

fn told(headers: &HeaderMap, name: &HeaderName) -> Vec<Vec<u8>> {
    headers.get_all(name).iter().map(|line| line.as_bytes().to_vec()).collect()
}

/// As Envoy has it: all lines are one, hosts end at commas, white space counts, empty hosts do not.
fn slowly_told(before: &[String], authority: &str) -> Vec<String> {
    let joined = before.iter().filter(|line| !line.is_empty()).cloned().collect::<Vec<_>>().join(",");
    let hosts: Vec<&str> = joined.split(',').filter(|host| !host.is_empty()).collect();
    match (joined.is_empty(), hosts.last()) {
        _ if authority.is_empty() => before.to_vec(),
        (true, _) => vec![authority.to_owned()],
        (false, Some(last)) if *last != authority => vec![format!("{joined},{authority}")],
        _ => before.to_vec(),
    }
}

proptest! {
    #[test]
    fn t_175_an_authority_is_appended_unless_it_was_told_last(
        before in prop::collection::vec("[ab, ]{0,5}", 0..3),
        authority in "[ab]{0,2}",
    ) {
        let before: Vec<String> = before.iter().map(|line| line.trim().to_owned()).collect();
        let lines: Vec<&[u8]> = before.iter().map(String::as_bytes).collect();
        let mut headers = with(&FORWARDED_HOST, &lines);
        Replaced { original: false, forwarded: true }.tell(&mut headers, &authority);
        let wanted: Vec<_> = slowly_told(&before, &authority).into_iter().map(String::into_bytes).collect();
        prop_assert_eq!(told(&headers, &FORWARDED_HOST), wanted);
        prop_assert!(!headers.contains_key(ORIGINAL_HOST));
    }
}

#[test]
fn t_175_nobody_is_told_unasked() {
    let mut headers = with(&FORWARDED_HOST, &[b"a"]);
    Replaced::default().tell(&mut headers, "b");
    assert_eq!((told(&headers, &FORWARDED_HOST), headers.len()), (vec![b"a".to_vec()], 1));
    Replaced { original: true, forwarded: false }.tell(&mut headers, "b");
    assert_eq!(told(&headers, &ORIGINAL_HOST), [b"b".to_vec()]);
    assert_eq!(told(&headers, &FORWARDED_HOST), [b"a".to_vec()]);
}
