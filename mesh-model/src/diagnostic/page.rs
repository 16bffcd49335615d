//! A page for each code: what it means, an example that has it and one that has not, what to do, where the rule is.
//! Ours: a code that nobody can look up helps as little as none.
//!
//! The texts lie in `pages/`, one file a code, and in the table below; `docs/diagnostics/` is written from them. They
//! are short Markdown of a fixed form: what it means, then the sections `## Wrong`, `## Right`, `## Fix`, `## Source`; where
//! files alone cannot show it, `## Shown by` stands in the place of the examples.

use std::fmt::Write;

use super::{Code, Severity};

macro_rules! pages {
    ($($code:literal)*) => {
        /// Code and text, in order of code.
        const PAGES: &[(&str, &str)] = &[$(($code, include_str!(concat!("pages/", $code, ".md"))),)*];
    };
}

pages! {
    "addresses-required"
    "alias-loop"
    "alias-problem"
    "annotation-alpha"
    "annotation-deprecated"
    "annotation-invalid"
    "annotation-misplaced"
    "annotation-unknown"
    "authorizer-unknown"
    "authorizers-conflict"
    "auto-image-not-injected"
    "bad-key"
    "bad-number"
    "bad-value"
    "budget-exceeded"
    "certificate-shared"
    "certificate-unusable"
    "claim-without-token"
    "client-address"
    "clusters-differ"
    "conflict"
    "control-plane-url-address"
    "control-plane-url-invalid"
    "crd-too-old"
    "credential-invalid"
    "credential-unknown"
    "delegate-conflict"
    "delegate-unknown"
    "deployment-port-conflict"
    "deployment-port-protocols"
    "deprecated"
    "deprecated-use"
    "doubtful"
    "duplicate-key"
    "duplicate-resource"
    "encoding"
    "endpoint-unused"
    "endpoint-without-pod"
    "external-name-port-name"
    "fails-closed"
    "foreign-host"
    "gateway-api-version"
    "gateway-api-version-soon"
    "gateway-conflict"
    "gateway-port-unknown"
    "gateway-unknown"
    "hardened-policy"
    "hardened-token-rule"
    "host-not-in-gateway"
    "host-unknown"
    "ineffective-match"
    "ingress-class-unknown"
    "ingress-route-unaffected"
    "injected-by-default"
    "injection-labels-conflict"
    "internal-gateway-reference"
    "invalid-host"
    "invalid-name"
    "invalid-regex"
    "invalid-value"
    "jwks-unrestricted"
    "kept-last-good"
    "listener-conflict"
    "missing-field"
    "namespace-not-injected"
    "namespace-unknown"
    "negative-condition"
    "no-documents"
    "no-effect"
    "not-a-resource"
    "not-applied"
    "not-served"
    "patch-add"
    "patch-not-applied"
    "patch-relative"
    "patch-relative-version"
    "patch-remove"
    "patch-replace"
    "pod-with-auto-image"
    "pod-without-proxy"
    "policy-ignored"
    "policy-ineffective"
    "policy-without-workload"
    "port-name-unconventional"
    "port-required"
    "port-server-not-verified"
    "port-unknown"
    "proxy-image-mismatch"
    "proxy-user-id"
    "reference-not-permitted"
    "reference-refused"
    "registry-unknown"
    "route-not-attached"
    "route-refused"
    "rule-host-unknown"
    "selector-ineffective"
    "selector-unmatched"
    "server-not-verified"
    "server-rejected"
    "service-entry-conflict"
    "service-inconsistent"
    "service-port"
    "sidecar-conflict"
    "sidecar-default-conflict"
    "subset-unknown"
    "subset-without-pod"
    "suspicious"
    "syntax"
    "telemetry-conflict"
    "telemetry-default-conflict"
    "telemetry-provider-missing"
    "telemetry-provider-unknown"
    "template"
    "tencent-name"
    "unanalyzed"
    "unknown-field"
    "unknown-kind"
    "unreachable"
    "unreadable"
    "unsupported-version"
    "unusual-scalar"
    "virtual-service-host-conflict"
    "webhook-problem"
    "wrong-type"
}

/// What there is to say of a code. Ours: a code is understood by an example that has it and one that has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The code.
    pub code: Code,
    /// What it means, in Markdown.
    pub meaning: &'static str,
    /// Other codes that the wrong example cannot be without.
    pub along: &'static str,
    /// What tells it, where no file alone has it: a command, or what has to be there beside; else empty.
    pub shown_by: &'static str,
    /// Text that has the problem: YAML, or several files, each after a line `# file: NAME`. Empty where `shown_by` is not.
    pub wrong: &'static str,
    /// The same without the problem.
    pub right: &'static str,
    /// What to do about it, in Markdown.
    pub fix: &'static str,
    /// Where the rule is written down, in Markdown.
    pub source: &'static str,
}

impl Page {
    /// The page of a code; `None`: none is written, or it lacks a section.
    pub fn of(code: Code) -> Option<Self> {
        let (_, text) = PAGES.iter().find(|(name, _)| *name == code.as_str())?;
        if let Some((meaning, rest)) = text.split_once("\n## Shown by\n") {
            let (shown_by, rest) = rest.split_once("\n## Fix\n")?;
            let (fix, source) = rest.split_once("\n## Source\n")?;
            let [meaning, shown_by, fix, source] = [meaning, shown_by, fix, source].map(str::trim);
            return Some(Self { code, meaning, along: "", shown_by, wrong: "", right: "", fix, source });
        }
        let (meaning, rest) = text.split_once("\n## Wrong\n")?;
        let (wrong, rest) = rest.split_once("\n## Right\n")?;
        let (right, rest) = rest.split_once("\n## Fix\n")?;
        let (along, wrong) = match wrong.trim().split_once("```yaml\n") {
            Some((intro, _)) => {
                (intro.trim().trim_start_matches("Comes with: "), wrong.get(wrong.find("```")?..)?)
            }
            None => return None,
        };
        let (fix, source) = rest.split_once("\n## Source\n")?;
        Some(Self {
            code,
            meaning: meaning.trim(),
            along,
            shown_by: "",
            wrong: example(wrong)?,
            right: example(right)?,
            fix: fix.trim(),
            source: source.trim(),
        })
    }

    /// Codes that the table of pages names, for tests: those that no code has any more included.
    pub fn listed() -> impl Iterator<Item = &'static str> {
        PAGES.iter().map(|(code, _)| *code)
    }

    /// The page as it stands in `docs/diagnostics/`.
    pub fn markdown(&self) -> String {
        let code = self.code;
        let mut out = format!("# `{}`: {}\n\n", code.as_str(), code.summary());
        let _ = writeln!(out, "| stage | severity | Istio's code |\n|---|---|---|");
        let _ = writeln!(
            out,
            "| {} | {} | {} |\n",
            code.stage().as_str(),
            severity(code.severity()),
            code.istio_code().unwrap_or("none")
        );
        let _ = writeln!(out, "{}\n", self.meaning);
        if self.shown_by.is_empty() {
            let _ = writeln!(out, "## Wrong\n");
            for along in self.along.split(", ").filter(|along| !along.is_empty()) {
                let _ = writeln!(out, "Comes with [`{along}`]({along}.md).\n");
            }
            let _ =
                writeln!(out, "```yaml\n{}\n```\n\n## Right\n\n```yaml\n{}\n```\n", self.wrong, self.right);
        } else {
            let _ = writeln!(out, "## Shown by\n\n{}\n", self.shown_by);
        }
        let _ = write!(out, "## Fix\n\n{}\n\n## Source\n\n{}\n", self.fix, self.source);
        out
    }
}

/// The index of all pages, as it stands in `docs/diagnostics/README.md`.
pub fn index() -> String {
    let mut out = String::from(
        "# Diagnostics\n\n\
         Every finding of `mesh check` has one of these codes. A page says what a code means and shows an example that has\n\
         it and one that has not; `mesh check --explain CODE` prints it. The pages are written from\n\
         `mesh-model/src/diagnostic/pages/`; a test reads every example as `mesh check` does.\n\n\
         The severity is that of `mesh check`; `--lenient` turns unknown fields and doubled keys into warnings.\n\n\
         | code | severity | stage | Istio's code | what it means |\n|---|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let name = code.as_str();
        let istio = code.istio_code().unwrap_or_default();
        let (severity, stage) = (severity(code.severity()), code.stage().as_str());
        let _ =
            writeln!(out, "| [`{name}`]({name}.md) | {severity} | {stage} | {istio} | {} |", code.summary());
    }
    out
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

/// The text inside the fence.
fn example(section: &'static str) -> Option<&'static str> {
    let inner = section.trim().strip_prefix("```yaml\n")?;
    inner.strip_suffix("\n```")
}
