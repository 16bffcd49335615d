//! What Istio refuses in the parts that WasmPlugin and TrafficExtension share (pkg/config/validation, the CRDs).

use std::collections::BTreeSet;

use super::wasm::{EnvValueSource, TrafficSelector, VmConfig};
use crate::check::{Checked, Checker, Path, Problem, port, short, url};

/// Schemes of a module's address; none is `oci`.
const SCHEMES: [&str; 5] = ["", "file", "http", "https", "oci"];

/// Where a module is, its checksum and the names that go with it; `at` is the path of the message.
pub(super) struct Module<'m> {
    pub(super) url: &'m str,
    pub(super) sha256: &'m str,
    pub(super) image_pull_secret: &'m str,
    pub(super) plugin_name: &'m str,
    pub(super) vm_config: Option<&'m VmConfig>,
}

impl Module<'_> {
    /// Checks them.
    pub(super) fn check(&self, found: &mut Checker<'_>, at: &Path<'_>) {
        if self.url.is_empty() {
            found.find(
                &at.field("url"),
                Problem::missing("`url` is required")
                    .help("say where the module is: `oci://..`, `https://..` or `file:///..`"),
            );
        } else {
            found.check(&at.field("url"), module_url(self.url));
        }
        if !self.sha256.is_empty() {
            found.check(&at.field("sha256"), checksum(self.sha256));
        }
        written_text(found, &at.field("imagePullSecret"), self.image_pull_secret, 253);
        written_text(found, &at.field("pluginName"), self.plugin_name, 256);
        if let Some(machine) = self.vm_config {
            environment(found, &at.field("vmConfig").field("env"), machine);
        }
    }
}

/// CEL-07, CEL-10: a URL of a known scheme, or what becomes one with `http://` before it.
fn module_url(text: &str) -> Checked {
    let problem = |why: &str| {
        Problem::invalid(format!("`{}` {why}", short(text)))
            .help("`oci://registry/image:tag`, `https://host/file.wasm` or `file:///path.wasm`")
    };
    let (whole, scheme) = match url::request_scheme(text) {
        Ok(scheme) => (text.to_owned(), scheme),
        Err(why) => {
            let whole = format!("http://{text}");
            let scheme = url::request_scheme(&whole).map_err(|_| problem(why))?;
            (whole, scheme)
        }
    };
    url::is_reference(&whole).map_err(problem)?;
    if SCHEMES.contains(&scheme.as_str()) {
        return Ok(());
    }
    Err(problem("has none of the schemes `oci`, `https`, `http`, `file`"))
}

fn checksum(text: &str) -> Checked {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() == 64 && text.bytes().all(is_digit) {
        return Ok(());
    }
    Err(Problem::invalid(format!("`{}` is not a SHA-256 checksum", short(text)))
        .help("64 hexadecimal digits in lower case"))
}

/// Where it is written, it is not empty, nor longer than `max` bytes.
fn written_text(found: &mut Checker<'_>, at: &Path<'_>, text: &str, max: usize) {
    let is_written_empty = text.is_empty() && found.written(at).is_some_and(|node| node.as_str().is_some());
    found.require(!is_written_empty, at, || Problem::invalid("an empty text").help("leave the field out"));
    found.require(text.len() <= max, at, || {
        Problem::invalid(format!("longer than {max} bytes")).help("shorten the text")
    });
}

/// CEL-08 and the list's own rules.
fn environment(found: &mut Checker<'_>, at: &Path<'_>, machine: &VmConfig) {
    found.at_most(at, machine.env.len(), 256);
    let mut names = BTreeSet::new();
    for (index, variable) in machine.env.iter().enumerate() {
        let at = at.index(index);
        if variable.name.is_empty() {
            found.find(
                &at.field("name"),
                Problem::missing("`name` is required").help("add the name of the variable"),
            );
        } else {
            let name = at.field("name");
            found.require(variable.name.len() <= 256, &name, || {
                Problem::invalid("longer than 256 bytes").help("shorten the name")
            });
            found.require(names.insert(variable.name.as_str()), &name, || {
                Problem::conflict(format!("`{}` is set twice", short(&variable.name)))
                    .help("keep one of the two")
            });
        }
        let value = at.field("value");
        found.no_longer_than(&value, &variable.value, 2048);
        let has_value = found.written(&value).is_some_and(|node| node.as_str().is_some());
        found.require(variable.value_from != EnvValueSource::Host || !has_value, &value, || {
            Problem::conflict("a value from the host is not written here")
                .help("remove `value`, or write `valueFrom: INLINE`")
        });
    }
}

/// The traffic that an extension sees.
pub(super) fn traffic(found: &mut Checker<'_>, at: &Path<'_>, selectors: &[TrafficSelector]) {
    for (index, selector) in selectors.iter().enumerate() {
        let mut numbers = BTreeSet::new();
        for (inner, written) in selector.ports.iter().enumerate() {
            let one = at.index(index);
            let ports = one.field("ports");
            let at = ports.index(inner);
            found.check(&at.field("number"), port::number(written.number));
            found.require(numbers.insert(written.number), &at.field("number"), || {
                Problem::conflict(format!("port {} is named twice", written.number))
                    .help("keep one of the two")
            });
        }
    }
}
