//! The one table of diagnostic codes.

use super::Severity;

/// Which part of the work found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Reading text and decoding one document.
    Read,
    /// Checking one document.
    Validate,
    /// Looking at several documents.
    Analyze,
}

impl Stage {
    /// `read`, `validate`, `analyze`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Validate => "validate",
            Self::Analyze => "analyze",
        }
    }
}

macro_rules! codes {
    ($($variant:ident $text:literal $stage:ident $severity:ident $istio:expr, $doc:literal;)*) => {
        /// A stable diagnostic code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code { $(#[doc = $doc] $variant,)* }

        impl Code {
            /// Every code, in table order.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// `unknown-field`, ...
            pub fn as_str(self) -> &'static str { match self { $(Self::$variant => $text,)* } }
            /// Where it arises.
            pub fn stage(self) -> Stage { match self { $(Self::$variant => Stage::$stage,)* } }
            /// Its usual severity.
            pub fn severity(self) -> Severity { match self { $(Self::$variant => Severity::$severity,)* } }
            /// Istio's code for the same problem (`IST0101`).
            pub fn istio_code(self) -> Option<&'static str> { match self { $(Self::$variant => $istio,)* } }
            /// One line on what it means.
            pub fn summary(self) -> &'static str { match self { $(Self::$variant => $doc,)* } }
        }
    };
}

codes! {
    Syntax "syntax" Read Error None, "the text is not YAML or JSON";
    Encoding "encoding" Read Error None, "the text is not UTF-8, or holds characters that may not stand there";
    BudgetExceeded "budget-exceeded" Read Error None, "the text is larger, deeper or more repetitive than the budgets allow";
    AliasProblem "alias-problem" Read Error None, "an alias refers to nothing, or to itself";
    DuplicateKey "duplicate-key" Read Error None, "a map names a key twice";
    UnusualScalar "unusual-scalar" Read Warning None, "a scalar that other YAML readers would read differently";
    BadKey "bad-key" Read Error None, "a map key that has no JSON form";
    BadNumber "bad-number" Read Error None, "a number that has no JSON form";
    NotAResource "not-a-resource" Read Error None, "a document without apiVersion, kind or metadata";
    UnknownKind "unknown-kind" Read Info None, "a kind that is not read";
    UnsupportedVersion "unsupported-version" Read Error None, "a known kind under a version that is not served";
    UnknownField "unknown-field" Read Error None, "a field that the API does not have";
    WrongType "wrong-type" Read Error None, "a value of the wrong type";
    BadValue "bad-value" Read Error None, "a value outside the field's set or range";
    NoDocuments "no-documents" Read Warning None, "a file or directory holds no document";
    Unreadable "unreadable" Read Error None, "a file cannot be read";
    Template "template" Read Error None, "a template of another tool, which has to be rendered first";
    NotApplied "not-applied" Read Info None, "a kustomization asks for something that is not done here";
    InvalidName "invalid-name" Validate Error None, "a name that Kubernetes does not accept";
    MissingField "missing-field" Validate Error None, "a required field is not set";
    InvalidValue "invalid-value" Validate Error None, "a value that Istio's validation rejects";
    Conflict "conflict" Validate Error None, "fields that exclude each other are set together";
    InvalidRegex "invalid-regex" Validate Error None, "a regular expression that RE2 does not accept";
    InvalidHost "invalid-host" Validate Error None, "a host that is not a DNS name, wildcard or address";
    Unreachable "unreachable" Validate Warning None, "a rule that can never match";
    Deprecated "deprecated" Validate Warning Some("IST0002"), "a field that is deprecated";
    NoEffect "no-effect" Validate Warning None, "a setting that does nothing where it stands";
    DuplicateResource "duplicate-resource" Analyze Error None, "two documents define the same resource";
    KeptLastGood "kept-last-good" Analyze Warning None, "a resource turned bad: its last good version stays in force";
    HostUnknown "host-unknown" Analyze Error Some("IST0101"), "a host that no visible service has";
    SubsetUnknown "subset-unknown" Analyze Error Some("IST0101"), "a subset that no destination rule in force has";
    GatewayUnknown "gateway-unknown" Analyze Error Some("IST0101"), "a gateway that does not exist";
    ServerRejected "server-rejected" Analyze Warning None, "a gateway server that cannot share its port";
    PolicyIgnored "policy-ignored" Analyze Warning None, "a policy that applies to nothing";
    DelegateUnknown "delegate-unknown" Analyze Error None, "a delegate virtual service that does not exist or is not exported to the one that names it";
    DelegateConflict "delegate-conflict" Analyze Warning None, "an entry of a delegate that no match of the delegating entry allows";
    EndpointUnused "endpoint-unused" Analyze Info None, "endpoints that belong to no known service";
    EndpointWithoutPod "endpoint-without-pod" Analyze Warning None, "an endpoint that names a Pod that is not known";
    AliasLoop "alias-loop" Analyze Warning None, "an ExternalName service that stands for itself";
    RouteNotAttached "route-not-attached" Analyze Warning None, "a route that no gateway or service of its parents takes";
    RouteRefused "route-refused" Analyze Error None, "a route with a rule that cannot be translated: none of its rules is in force";
    ReferenceNotPermitted "reference-not-permitted" Analyze Error None, "a reference into another namespace that no ReferenceGrant allows";
    NotServed "not-served" Analyze Warning None, "a gateway that no workload serves";
    Suspicious "suspicious" Validate Warning None, "a setting that Istio accepts with a warning";
}
