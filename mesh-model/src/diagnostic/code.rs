//! The one table of diagnostic codes.

use super::Severity;

/// Which part of the work found it.
/// Ours: it tells how much of the configuration had to be looked at to find a problem.
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
        /// A stable diagnostic code. Ours: Istio has codes for its analysis only; `istio_code` gives those.
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
    InvalidName "invalid-name" Validate Error Some("IST0106"), "a name that Kubernetes does not accept";
    MissingField "missing-field" Validate Error Some("IST0106"), "a required field is not set";
    InvalidValue "invalid-value" Validate Error Some("IST0106"), "a value that Istio's validation rejects";
    Conflict "conflict" Validate Error Some("IST0106"), "fields that exclude each other are set together";
    InvalidRegex "invalid-regex" Validate Error Some("IST0106"), "a regular expression that RE2 does not accept";
    InvalidHost "invalid-host" Validate Error Some("IST0106"), "a host that is not a DNS name, wildcard or address";
    CertificateUnusable "certificate-unusable" Validate Error None, "a Secret whose certificate or key cannot be used, or that has one in the place of the other";
    Unreachable "unreachable" Validate Warning Some("IST0130"), "a rule that can never match";
    Deprecated "deprecated" Validate Warning Some("IST0002"), "a field that is deprecated";
    NoEffect "no-effect" Validate Warning Some("IST0133"), "a setting that does nothing where it stands";
    DuplicateResource "duplicate-resource" Analyze Error None, "two documents define the same resource";
    FailsClosed "fails-closed" Analyze Warning None, "a security resource without any good version: where it applies, it refuses";
    KeptLastGood "kept-last-good" Analyze Warning None, "a resource turned bad: its last good version stays in force";
    HostUnknown "host-unknown" Analyze Error Some("IST0101"), "a host that no visible service has";
    SubsetUnknown "subset-unknown" Analyze Error Some("IST0101"), "a subset that no destination rule in force has";
    GatewayUnknown "gateway-unknown" Analyze Error Some("IST0101"), "a gateway that does not exist";
    AuthorizerUnknown "authorizer-unknown" Analyze Warning None, "a CUSTOM policy whose external authorizer cannot be asked: what it matches is denied";
    AuthorizersConflict "authorizers-conflict" Analyze Warning None, "CUSTOM policies of one workload that ask different external authorizers: what they match is denied";
    ServicePort "service-port" Analyze Info None, "a port of a Service where the port of its workload counts";
    ClientAddress "client-address" Analyze Info None, "client addresses that anybody in the mesh can make up";
    ServerRejected "server-rejected" Analyze Warning None, "a gateway server that cannot share its port";
    PolicyIgnored "policy-ignored" Analyze Warning None, "a policy that applies to nothing";
    DelegateUnknown "delegate-unknown" Analyze Error None, "a delegate virtual service that does not exist or is not exported to the one that names it";
    ReferenceRefused "reference-refused" Analyze Info None, "a reference to an object that is there, but has errors and is not in force";
    DelegateConflict "delegate-conflict" Analyze Warning None, "an entry of a delegate that no match of the delegating entry allows";
    ForeignHost "foreign-host" Analyze Info None, "a VirtualService that takes a host of another namespace";
    ListenerConflict "listener-conflict" Analyze Warning None, "several services that want the connections to one address and port";
    ClustersDiffer "clusters-differ" Analyze Warning None, "an object of Istio that differs between clusters";
    EndpointUnused "endpoint-unused" Analyze Info None, "endpoints that belong to no known service";
    EndpointWithoutPod "endpoint-without-pod" Analyze Warning None, "an endpoint that names a Pod that is not known";
    AliasLoop "alias-loop" Analyze Warning None, "an ExternalName service that stands for itself";
    RouteNotAttached "route-not-attached" Analyze Warning None, "a route that no gateway or service of its parents takes";
    RouteRefused "route-refused" Analyze Error None, "a route with a rule that cannot be translated: none of its rules is in force";
    ReferenceNotPermitted "reference-not-permitted" Analyze Error None, "a reference into another namespace that no ReferenceGrant allows";
    NotServed "not-served" Analyze Warning None, "a gateway that no workload serves";
    Doubtful "doubtful" Validate Info None, "what Istio accepts without a word and is hardly meant";
    TencentName "tencent-name" Validate Info None, "a name that asks Tencent Cloud Mesh for what its server cannot have";
    Suspicious "suspicious" Validate Warning Some("IST0133"), "a setting that Istio accepts with a warning";
    PortUnknown "port-unknown" Analyze Error Some("IST0101"), "a port that the host does not have";
    SelectorUnmatched "selector-unmatched" Analyze Error Some("IST0101"), "a selector that no Pod has the labels for";
    CredentialUnknown "credential-unknown" Analyze Error Some("IST0101"), "a credential of a gateway that no Secret holds";
    NamespaceUnknown "namespace-unknown" Analyze Error Some("IST0101"), "a namespace that does not exist";
    DeprecatedUse "deprecated-use" Analyze Warning Some("IST0002"), "something that is deprecated or was removed is in use";
    NamespaceNotInjected "namespace-not-injected" Analyze Info Some("IST0102"), "a namespace that does not say whether its Pods get sidecars";
    PodWithoutProxy "pod-without-proxy" Analyze Warning Some("IST0103"), "a Pod without a sidecar in a namespace whose Pods get one";
    AnnotationMisplaced "annotation-misplaced" Analyze Warning Some("IST0107"), "an Istio annotation on a kind that it is not for";
    AnnotationUnknown "annotation-unknown" Analyze Warning Some("IST0108"), "an Istio annotation that does not exist";
    VirtualServiceHostConflict "virtual-service-host-conflict" Analyze Error Some("IST0109"), "several VirtualServices of the mesh claim one host";
    SidecarConflict "sidecar-conflict" Analyze Error Some("IST0110"), "several Sidecars select one Pod";
    SidecarDefaultConflict "sidecar-default-conflict" Analyze Error Some("IST0111"), "several Sidecars of a namespace have no workload selector";
    PortRequired "port-required" Analyze Error Some("IST0112"), "a destination without a port on a host that has several";
    DeploymentPortProtocols "deployment-port-protocols" Analyze Warning Some("IST0116"), "services of one Deployment use a port with different protocols";
    PortNameUnconventional "port-name-unconventional" Analyze Info Some("IST0118"), "a service port whose name tells no protocol";
    InjectionLabelsConflict "injection-labels-conflict" Analyze Warning Some("IST0123"), "labels of a namespace that ask for different kinds of injection";
    AnnotationInvalid "annotation-invalid" Analyze Warning Some("IST0125"), "an Istio annotation with a value that is not accepted";
    RegistryUnknown "registry-unknown" Analyze Error Some("IST0126"), "a network of a registry that is not known";
    PolicyWithoutWorkload "policy-without-workload" Analyze Warning Some("IST0127"), "an AuthorizationPolicy that applies to no workload of the mesh";
    ServerNotVerified "server-not-verified" Analyze Warning Some("IST0128"), "TLS towards a host without checking its certificate";
    PortServerNotVerified "port-server-not-verified" Analyze Warning Some("IST0129"), "TLS towards a port without checking the server's certificate";
    IneffectiveMatch "ineffective-match" Validate Warning Some("IST0131"), "a match that an earlier route of the same kind has too";
    HostNotInGateway "host-not-in-gateway" Analyze Warning Some("IST0132"), "a VirtualService none of whose hosts its gateway serves";
    AddressesRequired "addresses-required" Analyze Warning Some("IST0134"), "a ServiceEntry with a TCP port and no addresses";
    AnnotationDeprecated "annotation-deprecated" Analyze Info Some("IST0135"), "an Istio annotation that is deprecated";
    AnnotationAlpha "annotation-alpha" Analyze Info Some("IST0136"), "an Istio annotation that may still change";
    DeploymentPortConflict "deployment-port-conflict" Analyze Warning Some("IST0137"), "services of one Deployment send different ports to one target port";
    CertificateShared "certificate-shared" Analyze Warning Some("IST0138"), "several Gateways of one workload serve the same certificate";
    WebhookProblem "webhook-problem" Analyze Error Some("IST0139"), "an injection webhook that overlaps with another or has no service";
    IngressRouteUnaffected "ingress-route-unaffected" Analyze Warning Some("IST0140"), "a gateway's route that the subsets of another VirtualService do not affect";
    ProxyUserId "proxy-user-id" Analyze Warning Some("IST0144"), "an application that runs under the sidecar's user id";
    GatewayConflict "gateway-conflict" Analyze Error Some("IST0145"), "several Gateways of one workload claim one host on one port";
    AutoImageNotInjected "auto-image-not-injected" Analyze Warning Some("IST0146"), "a Deployment with `image: auto` whose Pods are not injected";
    PodWithAutoImage "pod-with-auto-image" Analyze Error Some("IST0147"), "a Pod with `image: auto` that was not injected";
    InjectedByDefault "injected-by-default" Analyze Info Some("IST0148"), "a namespace whose Pods get sidecars by default";
    ClaimWithoutToken "claim-without-token" Analyze Error Some("IST0149"), "a route by JWT claims at a gateway that checks no tokens";
    ExternalNamePortName "external-name-port-name" Analyze Warning Some("IST0150"), "an ExternalName service whose port name tells no protocol";
    PatchRelative "patch-relative" Analyze Warning Some("IST0151"), "an EnvoyFilter whose effect depends on the order of filters";
    PatchReplace "patch-replace" Analyze Error Some("IST0152"), "an EnvoyFilter that replaces what cannot be replaced";
    PatchAdd "patch-add" Analyze Error Some("IST0153"), "an EnvoyFilter that adds what cannot be added";
    PatchRemove "patch-remove" Analyze Error Some("IST0154"), "an EnvoyFilter that removes what cannot be removed";
    PatchNotApplied "patch-not-applied" Analyze Warning None, "an EnvoyFilter that changes what decisions are made without";
    HardenedPolicy "hardened-policy" Analyze Warning None, "a policy that denies everything in its scope under the `hardened` profile, and not under `istio`";
    HardenedTokenRule "hardened-token-rule" Analyze Warning None, "a token rule that refuses more under the `hardened` profile than under `istio`";
    PatchRelativeVersion "patch-relative-version" Analyze Warning Some("IST0155"), "an EnvoyFilter whose effect depends on a filter that only some proxy versions have";
    GatewayApiVersion "gateway-api-version" Analyze Error Some("IST0156"), "a Gateway API kind that is not served in a version that Istio needs";
    TelemetryProviderMissing "telemetry-provider-missing" Analyze Warning Some("IST0157"), "a Telemetry that logs to no provider";
    ProxyImageMismatch "proxy-image-mismatch" Analyze Warning Some("IST0158"), "Pods whose sidecar is not the one that injection would give them";
    TelemetryConflict "telemetry-conflict" Analyze Error Some("IST0159"), "several Telemetries select one Pod";
    TelemetryDefaultConflict "telemetry-default-conflict" Analyze Error Some("IST0160"), "several Telemetries of a namespace have no selector";
    CredentialInvalid "credential-invalid" Analyze Error Some("IST0161"), "a credential of a gateway without a certificate that can be used";
    GatewayPortUnknown "gateway-port-unknown" Analyze Warning Some("IST0162"), "a port of a Gateway that no service of its workload has";
    ControlPlaneUrlInvalid "control-plane-url-invalid" Analyze Warning Some("IST0163"), "a webhook with an address that cannot be used";
    ControlPlaneUrlAddress "control-plane-url-address" Analyze Info Some("IST0164"), "a webhook that names the control plane by its IP address";
    InternalGatewayReference "internal-gateway-reference" Analyze Warning Some("IST0165"), "a VirtualService on a Gateway that Istio made for itself";
    SelectorIneffective "selector-ineffective" Analyze Warning Some("IST0166"), "a selector that does not take effect at a Kubernetes Gateway";
    PolicyIneffective "policy-ineffective" Analyze Warning Some("IST0167"), "a resource for workloads that it has no effect on";
    ServiceInconsistent "service-inconsistent" Analyze Warning Some("IST0170"), "a service that differs between clusters";
    NegativeCondition "negative-condition" Analyze Warning Some("IST0171"), "a resource whose status says that it is not in effect";
    GatewayApiVersionSoon "gateway-api-version-soon" Analyze Warning Some("IST0172"), "a Gateway API kind that is not served in a version that Istio will need";
    SubsetWithoutPod "subset-without-pod" Analyze Error Some("IST0173"), "a subset that no Pod has the labels for";
    RuleHostUnknown "rule-host-unknown" Analyze Warning Some("IST0174"), "a DestinationRule for a host that no service has";
    JwksUnrestricted "jwks-unrestricted" Analyze Warning Some("IST0175"), "a control plane that fetches keys from any address";
    CrdTooOld "crd-too-old" Analyze Warning Some("IST0176"), "a Gateway API kind older than Istio needs";
    ServiceEntryConflict "service-entry-conflict" Analyze Warning Some("IST0177"), "several ServiceEntries give a port of one host different protocols";
    TelemetryProviderUnknown "telemetry-provider-unknown" Analyze Info None, "a Telemetry with a provider that the mesh configuration does not have";
    IngressClassUnknown "ingress-class-unknown" Analyze Info None, "an Ingress of a class that does not exist";
    Unanalyzed "unanalyzed" Analyze Info None, "something that analysis left out";
}
