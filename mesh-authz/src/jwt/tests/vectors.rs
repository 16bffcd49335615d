//! Signatures spoilt in the ways of the Wycheproof suite, for every algorithm; and the suite itself, where it is at hand.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::*;

/// Of the list of attacks.
const ROW: &str = "J02";

const ALGORITHMS: [&str; 13] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "HS256", "HS384",
    "HS512", "EdDSA",
];

/// What is done to a signature.
type Spoil = fn(&[u8]) -> Vec<u8>;

const SPOILT: &[(&str, Spoil)] = &[
    ("nothing but zeros", |bytes| vec![0; bytes.len()]),
    ("nothing but ones", |bytes| vec![0xff; bytes.len()]),
    ("one zero", |_| vec![0]),
    ("a byte less in front", |bytes| bytes[1..].to_vec()),
    ("a byte less at the end", |bytes| bytes[..bytes.len() - 1].to_vec()),
    ("a zero in front", |bytes| [&[0][..], bytes].concat()),
    ("a zero at the end", |bytes| [bytes, &[0]].concat()),
    ("the first bit changed", |bytes| [&[bytes[0] ^ 0x80][..], &bytes[1..]].concat()),
    ("the last bit changed", |bytes| [&bytes[..bytes.len() - 1], &[bytes[bytes.len() - 1] ^ 1]].concat()),
    ("backwards", |bytes| bytes.iter().rev().copied().collect()),
    ("twice", |bytes| bytes.repeat(2)),
    ("its halves changed about", |bytes| [&bytes[bytes.len() / 2..], &bytes[..bytes.len() / 2]].concat()),
    ("half of it nothing", |bytes| [&bytes[..bytes.len() / 2], vec![0; bytes.len() / 2].as_slice()].concat()),
    ("the other half of it nothing", |bytes| {
        [vec![0; bytes.len() / 2].as_slice(), &bytes[bytes.len() / 2..]].concat()
    }),
    ("in the form of DER", |bytes| {
        let (r, s) = bytes.split_at(bytes.len() / 2);
        let integer =
            |number: &[u8]| [&[2, u8::try_from(number.len() + 1).unwrap_or(0x7f), 0][..], number].concat();
        let both = [integer(r), integer(s)].concat();
        [&[0x30, u8::try_from(both.len()).unwrap_or(0x7f)][..], &both].concat()
    }),
];

fn verdict(token: &str, keys: &KeySet) -> Result<(), Status> {
    keys.verify(&take_apart(token.as_bytes())?)
}

#[test]
fn j02_two_hundred_spoilt_signatures_are_refused() {
    let data = testdata();
    let keys = key_set(EVERY_KEY, |key| drop(key.as_object_mut().unwrap().remove("kid")));
    let mut cases = 0;
    for algorithm in ALGORITHMS {
        let good = data["by_algorithm"][algorithm].as_str().unwrap();
        assert_eq!(verdict(good, &keys), Ok(()), "{algorithm}");
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let bytes = BASE64.decode(signature).unwrap();
        for (how, spoil) in SPOILT {
            let token = format!("{signed}.{}", BASE64.encode(spoil(&bytes)));
            assert!(verdict(&token, &keys).is_err(), "{algorithm}: {how}");
            cases += 1;
        }
        let (header, payload) = signed.split_once('.').unwrap();
        // Signed by the same key, for another algorithm, or about something else.
        for other in ALGORITHMS.into_iter().filter(|other| *other != algorithm) {
            let foreign = data["by_algorithm"][other].as_str().unwrap();
            let token = format!("{signed}.{}", foreign.rsplit_once('.').unwrap().1);
            assert!(verdict(&token, &keys).is_err(), "{algorithm} with the signature of {other}");
            let token = format!("{}.{payload}.{signature}", foreign.split_once('.').unwrap().0);
            assert!(verdict(&token, &keys).is_err(), "{algorithm} under the header of {other}");
            cases += 2;
        }
        let token = format!("{header}.{}.{signature}", BASE64.encode(r#"{"iss":"i","sub":"root"}"#));
        assert!(verdict(&token, &keys).is_err(), "{algorithm} with another payload");
        cases += 1;
    }
    assert!(cases >= 500, "{cases}");
}

/// One that takes what only looks like a signature is told from ours: every way to spoil one is needed for some mutant.
#[test]
fn j02_a_check_left_out_is_seen() {
    let data = testdata();
    let keys = key_set(EVERY_KEY, |key| drop(key.as_object_mut().unwrap().remove("kid")));
    let good = data["by_algorithm"]["ES256"].as_str().unwrap();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let right = BASE64.decode(signature).unwrap();
    // What a mutant takes for the signature that it was given.
    let mutants: &[(&str, Spoil)] = &[
        ("zeros in front are none", |bytes| bytes.iter().copied().skip_while(|byte| *byte == 0).collect()),
        ("the end is cut off", |bytes| bytes[..bytes.len().min(64)].to_vec()),
        ("one bit more or less does not matter", |bytes| {
            [&bytes[..bytes.len() - 1], &[bytes[bytes.len() - 1] ^ 1]].concat()
        }),
        ("it may stand backwards", |bytes| bytes.iter().rev().copied().collect()),
    ];
    for (bug, reads) in mutants {
        let is_seen = SPOILT.iter().any(|(_, spoil)| {
            let spoilt = spoil(&right);
            let text = |bytes: &[u8]| format!("{signed}.{}", BASE64.encode(bytes));
            let mutant_takes_it = spoilt != right && verdict(&text(&reads(&spoilt)), &keys).is_ok();
            mutant_takes_it && verdict(&text(&spoilt), &keys).is_err()
        });
        assert!(is_seen, "row {ROW}: nobody would see: {bug}");
    }
}

/// Where the suite wants another verdict than ours, each way once. Of its 649 vectors of signatures and keys 26 do; two of
/// them (`invalidBase64Padding`) are, letter by letter, a token that it calls valid.
#[test]
fn j02_where_the_suite_reads_otherwise_we_read_as_envoy_or_stricter() {
    let data = testdata();
    let of = |algorithm: &str| data["by_algorithm"][algorithm].as_str().unwrap().to_owned();
    let (hs, ps) = (of("HS256"), of("PS384"));
    let oct = key_set(&["oct"], |_| {});
    assert_eq!(verdict(&hs, &oct), Ok(()));
    // White space in a section is skipped, bits behind the last whole byte do not count: the text as it came is signed.
    let (signed, signature) = hs.rsplit_once('.').unwrap();
    assert_eq!(verdict(&format!("{signed}.  {signature}"), &oct), Ok(()));
    let (rest, last) = signature.split_at(signature.len() - 1);
    const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let place = LETTERS.find(last).unwrap() ^ 1;
    let other = &LETTERS[place..=place];
    assert_eq!(verdict(&format!("{signed}.{rest}{other}"), &oct), Ok(()));
    assert!(
        verdict(&format!("{}  {}.{signature}", &signed[..5], &signed[5..]), &oct).is_err(),
        "it is another text"
    );
    // What is no base64 is refused, where the suite skips it; so is an empty payload, which holds no claims.
    assert_eq!(verdict(&format!("{signed}.{signature}?"), &oct), Err(Status::SignatureBadBase64));
    let (header, _) = signed.split_once('.').unwrap();
    assert_eq!(verdict(&format!("{header}..{signature}"), &oct), Err(Status::BadFormat));
    // A key with `alg` is for no other algorithm, and one with an `alg` that there is not is for none.
    let pinned = key_set(&["RSA"], |key| key["alg"] = json!("PS256"));
    assert_eq!(verdict(&ps, &pinned), Err(Status::NoMatchingKey));
    let odd = key_set(&["P-521"], |key| key["alg"] = json!("ES521"));
    assert_eq!(verdict(&of("ES512"), &odd), Err(Status::NoValidKeys));
    // Secrets beside public keys, and two keys of one name: each is tried with what it is for.
    let right = data["keys"]["oct"].clone();
    let mut wrong = right.clone();
    wrong["k"] = json!(BASE64.encode([7; 64]));
    let several = parse_keys(&json!({ "keys": [wrong, data["keys"]["RSA"], right] }).to_string());
    assert_eq!(verdict(&hs, &several), Ok(()));
}

/// RFC 7518, 3.2: the hardened profile takes no secret that is shorter than its hash.
#[test]
fn j02_short_secrets_are_left_out_by_the_hardened_profile() {
    let usable = |profile, algorithm: Option<&str>, length: usize| {
        let mut key = json!({ "kty": "oct", "k": BASE64.encode(vec![7; length]) });
        if let Some(name) = algorithm {
            key["alg"] = json!(name);
        }
        let text = json!({ "keys": [key] }).to_string();
        matches!(KeySet::parse(&text, Reading { takes_secrets: true, profile }), KeySet::Keys(_))
    };
    for (algorithm, least) in [(None, 32), (Some("HS256"), 32), (Some("HS384"), 48), (Some("HS512"), 64)] {
        let of =
            |length| [Profile::Istio, Profile::Hardened].map(|profile| usable(profile, algorithm, length));
        assert_eq!((of(least - 1), of(least)), ([true, false], [true, true]), "{algorithm:?}");
    }
}

/// Where the suite wants another verdict than ours: the file, what it says of the vector, and whether we accept it. White
/// space and padding are Envoy's reading, as are an empty payload, a letter that is no base64, and keys whose other
/// members are not looked at; keys that are too short are [too short for the hardened profile](Profile::Hardened) alone.
const OTHERWISE: &[(&str, &str, bool, usize)] = &[
    ("signature", "emptyPayload", false, 6),
    ("signature", "Figure20", false, 2),
    ("signature", "Figure27", false, 2),
    ("signature", "rejectsSpacesInMac", true, 1),
    ("signature", "spacesInHeader", true, 1),
    ("signature", "invalidBase64Padding", true, 1),
    ("signature", "spacesInPayload", true, 1),
    ("signature", "invalidBase64PaddingInPayload", true, 1),
    ("signature", "InvalidCharacterInsertedInHeader", false, 1),
    ("signature", "InvalidCharacterInsertedInPayload", false, 1),
    ("signature", "MacOfIncorrectlyEncodedMessage", true, 1),
    ("crypto", "rejectsKeyWithRocaVulnerability", true, 1),
    ("crypto", "rejectsValid", true, 1),
    ("key", "rejectsValid", true, 1),
    ("key", "rejectsDuplicateKid", true, 1),
    ("key", "rejectsKeyWithRocaVulnerability", true, 1),
    ("key", "key_too_short", true, 3),
];

/// The suite itself, from a folder that the environment names: `json_web_signature_test.json` and its neighbours.
#[test]
#[ignore = "wants the files of the suite, in the folder that MESH_WYCHEPROOF names"]
fn j02_the_wycheproof_vectors_have_the_suites_verdict_but_for_a_list() {
    let folder = std::env::var("MESH_WYCHEPROOF").unwrap();
    let mut as_it_says = 0;
    let mut otherwise: std::collections::BTreeMap<(&str, String, bool), usize> = Default::default();
    for file in ["signature", "crypto", "key", "encryption"] {
        let text = std::fs::read_to_string(format!("{folder}/json_web_{file}_test.json")).unwrap();
        let suite: Value = serde_json::from_str(&text).unwrap();
        for group in suite["testGroups"].as_array().unwrap() {
            let key = group.get("public").unwrap_or(&group["private"]);
            let set = if key.get("keys").is_some() { key.clone() } else { json!({ "keys": [key] }) };
            let keys = parse_keys(&set.to_string());
            for test in group["tests"].as_array().unwrap() {
                // Two vectors are in the form of JSON, which no header of a request has.
                let Some(text) = test["jws"].as_str().or_else(|| test["jwe"].as_str()) else { continue };
                let is_valid = test["result"] == "valid" && test["jwe"].is_null();
                let ours = Token::signed_alone(text.as_bytes().to_vec().leak())
                    .and_then(|token| keys.verify(&token))
                    .is_ok();
                if is_valid == ours {
                    as_it_says += 1;
                } else {
                    let comment = test["comment"].as_str().unwrap().to_owned();
                    *otherwise.entry((file, comment, ours)).or_default() += 1;
                }
            }
        }
    }
    let listed =
        OTHERWISE.iter().map(|(file, comment, ours, count)| ((*file, (*comment).to_owned(), *ours), *count));
    assert_eq!(otherwise, listed.collect());
    assert!(as_it_says >= 600, "{as_it_says}");
}
