//! A certificate authority for one test.

use mesh::proxy_core::seam::certificate_source::Identity;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    date_time_ymd,
};

pub struct Ca {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// What goes behind the certificates that it issues: its own, where another authority has signed it.
    above: Vec<u8>,
}

impl Ca {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        // A leaf of the same name would look self-signed.
        params.distinguished_name.push(rcgen::DnType::CommonName, "authority of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, above: Vec::new() }
    }

    /// An authority below this one, with something changed about it.
    pub fn below(&self, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, "authority below one of a test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        change(&mut params);
        let issuer = CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &self.issuer).unwrap();
        let above = [issuer.pem().into_bytes(), self.above.clone()].concat();
        Self { issuer, above }
    }

    /// The authority's own certificate as PEM.
    pub fn pem(&self) -> Vec<u8> {
        self.issuer.pem().into_bytes()
    }

    /// A certificate for URIs and DNS names, told apart by `://`.
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.issue_as(names, |_| {})
    }

    /// The same with a serial number of its own.
    pub fn issue_numbered(&self, names: &[&str], number: u64) -> Identity {
        self.issue_as(names, |params| params.serial_number = Some(number.into()))
    }

    /// A list, as PEM, that takes back the certificates of these numbers; it counts until a year.
    pub fn revoking(&self, numbers: &[u64], until: i32) -> Vec<u8> {
        let revoked = |number: &u64| RevokedCertParams {
            serial_number: (*number).into(),
            revocation_time: date_time_ymd(2021, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2021, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: numbers.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap().into_bytes()
    }

    /// The same, with something changed about it.
    pub fn issue_as(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = CertificateParams::default();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.subject_alt_names = names
            .iter()
            .map(|name| match name.contains("://") {
                true => SanType::URI((*name).try_into().unwrap()),
                false => SanType::DnsName((*name).try_into().unwrap()),
            })
            .collect();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let chain = [certificate.pem().into_bytes(), self.above.clone()].concat();
        Identity { chain, key: key.serialize_pem().into_bytes() }
    }
}
