//! What the API server refuses in a Secret, and what is in the place of a certificate or key and is none.
//!
//! No message repeats a value.

use super::{Content, Secret};
use crate::check::{Checker, Path, Problem, short};
use crate::diagnostic::{Code, Report};
use crate::object::Object;
use crate::value::Pem;

/// The type of Secrets that hold a certificate and its key.
const TLS: &str = "kubernetes.io/tls";

/// Certificate, key and certificates of issuers: as Kubernetes names them, and as Istio's older gateways do.
const NAMES: [(&str, &str, &str); 2] = [("tls.crt", "tls.key", "ca.crt"), ("cert", "key", "cacert")];

pub(super) fn validate(object: &Object<Secret>, report: &mut Report) {
    let secret = &object.spec;
    let found = &mut Checker::new(object, report);
    let mut is_readable = true;
    for (field, contents) in [("data", &secret.data), ("stringData", &secret.string_data)] {
        let at = Path::Root(field);
        for (key, content) in contents {
            let problem = match content {
                Content::NotBase64 => {
                    Problem::new(Code::BadValue, format!("`{}` is not in base64", short(key)))
                        .help("plain text belongs into `stringData`")
                }
                Content::NotText => {
                    Problem::new(Code::WrongType, format!("`{}` is something else than a text", short(key)))
                        .help("write it in quotes, in `stringData` as it is, in `data` in base64")
                }
                Content::Empty | Content::Present | Content::Pem(_) => continue,
            };
            is_readable = false;
            found.find(&at.field(key), problem);
        }
    }
    if is_readable {
        NAMES.iter().for_each(|names| credential(found, secret, *names));
    }
}

fn credential(
    found: &mut Checker<'_>,
    secret: &Secret,
    (certificate, key, issuers): (&'static str, &'static str, &'static str),
) {
    let pem = |name| match secret.content(name) {
        Some(Content::Pem(pem)) => Some(*pem),
        _ => None,
    };
    // Keys of these names may mean anything, unless the type or the form of one says what they are for.
    let is_meant = secret.r#type == TLS && certificate == "tls.crt"
        || secret.has(certificate) && secret.has(key) && (pem(certificate).is_some() || pem(key).is_some());
    if !is_meant {
        return;
    }
    for (name, wants_key) in [(certificate, false), (key, true), (issuers, false)] {
        let wanted = if wants_key { "a private key" } else { "certificates" };
        let Some(content) = secret.content(name) else { continue };
        let problem = match content {
            Content::Pem(Ok(Pem::Certificates(_))) if !wants_key => continue,
            Content::Pem(Ok(Pem::PrivateKey(_))) if wants_key => continue,
            Content::Pem(Ok(Pem::Certificates(_))) => format!("`{name}` holds a certificate, not {wanted}"),
            Content::Pem(Ok(Pem::PrivateKey(_))) => format!("`{name}` holds a private key, not {wanted}"),
            Content::Pem(Ok(Pem::Other)) => format!("`{name}` does not hold {wanted}"),
            Content::Pem(Err(flaw)) => format!("`{name}` {}", flaw.words()),
            Content::Empty => format!("`{name}` is empty"),
            Content::Present | Content::NotBase64 | Content::NotText => {
                format!("`{name}` is not in PEM form")
            }
        };
        let help = format!("it must hold {wanted} in PEM form: `-----BEGIN ..` to `-----END ..`");
        found.find(&place(secret, name), Problem::new(Code::CertificateUnusable, problem).help(help));
    }
    if let (Some(Ok(Pem::Certificates(Some(public)))), Some(Ok(Pem::PrivateKey(Some(of_key))))) =
        (pem(certificate), pem(key))
        && public != of_key
    {
        let message = format!("`{key}` is the key of another certificate than the first of `{certificate}`");
        let help = format!("put the certificate that was issued for this key first in `{certificate}`");
        found.find(&place(secret, key), Problem::new(Code::CertificateUnusable, message).help(help));
    }
}

/// Where the value stands that counts.
fn place(secret: &Secret, name: &'static str) -> Path<'static> {
    const DATA: &Path<'static> = &Path::Root("data");
    const STRING_DATA: &Path<'static> = &Path::Root("stringData");
    if secret.string_data.contains_key(name) { STRING_DATA.field(name) } else { DATA.field(name) }
}
