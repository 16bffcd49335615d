use mesh_compile::proxy::proxy_headers::ClientCertificateDetails;
use proptest::prelude::*;

use super::*;
use crate::runtime::client_certificate::tests::shown;

#[test]
fn random_bits_make_a_uuid_of_version_4() {
    let text = |high, low| String::from_utf8(uuid(high, low).to_vec()).unwrap();
    assert_eq!(text(0, 0), "00000000-0000-4000-8000-000000000000");
    assert_eq!(text(u64::MAX, u64::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_eq!(text(0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210), "01234567-89ab-4def-bedc-ba9876543210");
}

const NOTHING: ClientCertificateDetails =
    ClientCertificateDetails { cert: false, chain: false, subject: false, uri: false, dns: false };

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

#[test]
fn s_345_to_s_351_each_mode_does_as_its_name_says() {
    let shown = shown(include_bytes!("../client_certificate/testdata/workload.pem")).unwrap();
    let own = shown.element(NOTHING).unwrap().as_bytes().to_vec();
    // Lines of a header are one, and bytes that are no text are bytes.
    let before: [&[u8]; 3] = [b"one", b"", b"t\xffo"];
    let kept: Vec<_> = before.iter().map(|line| line.to_vec()).collect();
    let appended = [b"one,t\xffo,".to_vec(), own.clone()].concat();
    for (mode, without, with_client) in [
        (ClientCertificateHeader::Sanitize, vec![], vec![]),
        (ClientCertificateHeader::ForwardOnly, vec![], kept.clone()),
        (ClientCertificateHeader::AppendForward(NOTHING), vec![], vec![appended]),
        (ClientCertificateHeader::SanitizeSet(NOTHING), vec![], vec![own.clone()]),
        (ClientCertificateHeader::AlwaysForwardOnly, kept.clone(), kept.clone()),
    ] {
        for (client, wanted) in [(None, without), (Some(&shown), with_client)] {
            let mut headers = with(&CLIENT_CERTIFICATE, &before);
            client_certificate(&mut headers, client, mode);
            assert_eq!(told(&headers, &CLIENT_CERTIFICATE), wanted, "{mode:?}");
        }
    }
    let mut headers = with(&CLIENT_CERTIFICATE, &[b""]);
    client_certificate(&mut headers, Some(&shown), ClientCertificateHeader::AppendForward(NOTHING));
    assert_eq!(told(&headers, &CLIENT_CERTIFICATE), [own], "nothing is in front of it");
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
