#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// Made for these tests with `openssl`, and nowhere in use.
macro_rules! made {
    ($name:literal) => {
        include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/pem/", $name)).as_slice()
    };
}

fn mark(text: &[u8]) -> Option<PublicKeyMark> {
    match read_pem(text) {
        Some(Ok(Pem::Certificates(mark) | Pem::PrivateKey(mark))) => mark,
        other => panic!("{other:?}"),
    }
}

#[test]
fn keys_belong_to_their_certificates_in_every_form() {
    let ec = mark(made!("ec.crt"));
    assert!(ec.is_some());
    assert_eq!([mark(made!("ec.key")), mark(made!("ec8.key"))], [ec, ec]);
    assert!(mark(made!("ec2.key")).is_some_and(|other| Some(other) != ec));
    let rsa = mark(made!("rsa.crt"));
    assert!(rsa.is_some() && rsa != ec);
    assert_eq!([mark(made!("rsa.key")), mark(made!("rsa1.key"))], [rsa, rsa]);
    // Neither says more than it has to.
    assert_eq!([mark(made!("ed.key")), mark(made!("ed.crt"))], [None, None]);
    let chain = [made!("rsa.crt"), made!("ec.crt")].concat();
    assert_eq!(mark(&chain), rsa, "the first certificate is that of the server");
}

#[test]
fn what_cannot_be_used_is_told_apart() {
    let certificate = String::from_utf8(made!("ec.crt").to_vec()).unwrap();
    let cut = certificate.get(..300).unwrap();
    let broken = |text: &str| read_pem(text.as_bytes());
    assert_eq!(broken(""), None);
    assert_eq!(broken("hunter2"), None);
    assert_eq!(broken(cut), Some(Err(PemFlaw::NoEnd)));
    assert_eq!(broken("-----BEGIN CERTIFICATE-----"), Some(Err(PemFlaw::NoEnd)));
    let garbage = "-----BEGIN CERTIFICATE-----\n*****\n-----END CERTIFICATE-----\n";
    assert_eq!(broken(garbage), Some(Err(PemFlaw::NotBase64)));
    let garbage = "-----BEGIN CERTIFICATE-----\naHVudGVyMg==\n-----END CERTIFICATE-----\n";
    assert_eq!(broken(garbage), Some(Err(PemFlaw::NotACertificate(1))));
    assert_eq!(broken(&format!("{certificate}{garbage}")), Some(Err(PemFlaw::NotACertificate(2))));
    let garbage = garbage.replace("CERTIFICATE", "PRIVATE KEY");
    assert_eq!(broken(&garbage), Some(Err(PemFlaw::NotAKey)));
    // A certificate between the lines of a key.
    let wrong = certificate.replace("CERTIFICATE", "PRIVATE KEY");
    assert_eq!(broken(&wrong), Some(Err(PemFlaw::NotAKey)));
    assert_eq!(read_pem(made!("enc.key")), Some(Err(PemFlaw::Encrypted)));
    let params = garbage.replace("PRIVATE KEY", "DH PARAMETERS");
    assert_eq!(broken(&params), Some(Err(PemFlaw::Nothing)));
}

proptest! {
    #[test]
    fn bytes_of_any_kind_are_judged_without_a_panic(
        place in 0usize..600, byte in any::<u8>(), rest in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        for file in [made!("ec.crt"), made!("ec.key"), made!("ec8.key")] {
            let mut text = file.to_vec();
            let at = place % text.len();
            text.splice(at..=at, std::iter::once(byte).chain(rest.iter().copied()));
            let _ = read_pem(&text);
        }
    }

    #[test]
    fn a_key_of_any_bytes_is_judged_without_a_panic(der in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = private_key(&der);
    }
}
