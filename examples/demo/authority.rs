//! The mesh's own certificate authority: keys are made for each run and are gone after it.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};

use crate::stage::Problem;

pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Result<Self, Problem> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "demo authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Self { issuer: CertifiedIssuer::self_signed(params, KeyPair::generate()?)? })
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Certificate and key, as PEM.
    fn issue(&self, name: SanType) -> Result<(String, String), Problem> {
        let mut params = CertificateParams::default();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.subject_alt_names = vec![name];
        let key = KeyPair::generate()?;
        Ok((params.signed_by(&key, &self.issuer)?.pem(), key.serialize_pem()))
    }

    /// Writes the identity of a service account into a directory of its own, as sidecars read it.
    pub(crate) fn identity(&self, folder: &Path, namespace: &str, account: &str) -> Result<PathBuf, Problem> {
        let own = folder.join(format!("identity-{account}"));
        if !own.exists() {
            let name = format!("spiffe://cluster.local/ns/{namespace}/sa/{account}");
            let (chain, key) = self.issue(SanType::URI(name.try_into()?))?;
            std::fs::create_dir_all(&own)?;
            std::fs::write(own.join("cert-chain.pem"), chain)?;
            std::fs::write(own.join("key.pem"), key)?;
            std::fs::write(own.join("root-cert.pem"), self.pem())?;
        }
        Ok(own)
    }

    /// A TLS Secret for a DNS name.
    pub(crate) fn secret(&self, namespace: &str, name: &str, host: &str) -> Result<String, Problem> {
        let (chain, key) = self.issue(SanType::DnsName(host.try_into()?))?;
        let indented = |pem: &str| pem.lines().map(|line| format!("    {line}\n")).collect::<String>();
        Ok(format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
             type: kubernetes.io/tls\nstringData:\n  tls.crt: |\n{}  tls.key: |\n{}",
            indented(&chain),
            indented(&key)
        ))
    }
}
