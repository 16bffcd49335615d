//! The command line, declared.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

/// Ask an Istio-style mesh what it does, and why.
#[derive(Debug, Parser)]
#[command(
    name = "mesh",
    version,
    after_help = "Exit status: 0 fine, 1 errors found, 2 unusable arguments or files.\n\
                  Start with: mesh explain --config examples/shop --proxy sidecar:shop/web-0 GET http://reviews:9080/"
)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read, validate and analyse configuration; every problem with its place and help.
    Check(Check),
    /// Decide what a proxy does with each probe of a file, one JSON decision a line.
    Decide(Decide),
    /// Decide one request and print the road it took: what won, what lost, and where each was written.
    Explain(Explain),
    /// Explain a request that a running proxy decided, by the number in its answer's `x-mesh-decision` or by its
    /// `x-request-id`.
    ExplainRequest(ExplainRequest),
    /// Print what one proxy runs: listeners, routes, clusters, endpoints or policies.
    Show(Show),
    /// Draw the mesh: gateways, services, subsets, workloads, routes with their weights, mutual TLS, policies.
    Graph(Graph),
    /// Print the JSON Schema of a kind, for editors; without a kind, what there is.
    Schema(Schema),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Human,
    /// For programs.
    Json,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people, with excerpts.
    Human,
    /// One JSON object.
    Json,
    /// SARIF 2.1.0, for code scanning and editors.
    Sarif,
    /// Commands that GitHub's runner turns into annotations.
    Github,
}

/// Where configuration comes from.
#[derive(Debug, ClapArgs)]
pub struct Config {
    /// Files, directories or globs (`'mesh/**/*.yaml'`), `-` for standard input; `CLUSTER=PATH` names the cluster
    /// the documents come from (default `Kubernetes`). May be repeated.
    #[arg(long = "config", value_name = "PATH", required = true, num_args = 1..)]
    pub paths: Vec<String>,
    /// MeshConfig as a bare message; what it leaves out has Istio's defaults. Without this, `mesh` of a ConfigMap
    /// `istio` counts, where Istio reads it.
    #[arg(long, value_name = "FILE")]
    pub mesh_config: Option<PathBuf>,
    /// MeshNetworks as a bare message: which endpoints are in which network, and the gateways between networks.
    #[arg(long, value_name = "FILE")]
    pub mesh_networks: Option<PathBuf>,
    /// How policies and token rules are read where there are two ways: as Istio reads them, or the safer way.
    #[arg(long, value_enum, default_value = "istio")]
    pub profile: Profile,
    #[command(flatten)]
    pub work: Work,
}

/// How the work is done; the outcome is the same.
#[derive(Debug, Clone, Copy, ClapArgs)]
pub struct Work {
    /// Read and check on so many threads; without it, on as many as there are processors.
    #[arg(long, value_name = "N")]
    threads: Option<std::num::NonZero<usize>>,
}

impl Work {
    /// Threads to read and check on.
    pub fn threads(self) -> usize {
        let available = || std::thread::available_parallelism().ok();
        self.threads.or_else(available).map_or(1, std::num::NonZero::get)
    }
}

/// Whose reading of policies and token rules is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Istio's and Envoy's.
    Istio,
    /// What cannot be understood denies.
    Hardened,
}

impl From<Profile> for mesh_authz::profile::Profile {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Istio => Self::Istio,
            Profile::Hardened => Self::Hardened,
        }
    }
}

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  mesh check examples/shop\n  mesh check 'mesh/**/*.yaml' --strict\n  mesh check east=mesh/east west=mesh/west --suppress 'IST0118=Service *.legacy'\n  kubectl get vs,dr -A -o yaml | mesh check -\n  helm template chart | mesh check - --format github\n  mesh check --explain unknown-field\n\n\
                  A directory is searched for .yaml, .yml, .json, .jsonl and .ndjson; of a kustomization what it names is read.\n\
                  Of each file or stream at most 256 MiB are read; more is an error."
)]
pub struct Check {
    /// Files, directories or globs (`'mesh/**/*.yaml'`), `-` for standard input; `CLUSTER=PATH` names the cluster
    /// the documents come from. All of them are analysed together.
    #[arg(value_name = "PATH")]
    pub paths: Vec<String>,
    /// A MeshConfig to check, as a bare message; without this, `mesh` of a ConfigMap `istio` is checked.
    #[arg(long, value_name = "FILE")]
    pub mesh_config: Option<PathBuf>,
    /// A MeshNetworks to check, as a bare message.
    #[arg(long, value_name = "FILE")]
    pub mesh_networks: Option<PathBuf>,
    /// A ProxyConfig of the mesh (what `defaultConfig` holds) to check, as a bare message.
    #[arg(long, value_name = "FILE")]
    pub proxy_config: Option<PathBuf>,
    /// Warnings count as errors.
    #[arg(long)]
    pub strict: bool,
    /// Look at each document alone.
    #[arg(long, conflicts_with = "only")]
    pub no_analysis: bool,
    /// Run only this analyzer, by Istio's name for it (`gateway.SecretAnalyzer`). May be repeated.
    #[arg(long, value_name = "ANALYZER")]
    pub only: Vec<String>,
    /// Leave out findings of a code, Istio's or ours: `IST0118`, or `IST0118=Service *.legacy` for some objects. May be
    /// repeated. The annotation `galley.istio.io/analyze-suppress` of an object does the same.
    #[arg(long, value_name = "CODE[=OBJECTS]")]
    pub suppress: Vec<String>,
    /// The files hold the whole cluster: what is not in them does not exist. Otherwise analyzers that compare with
    /// Pods, Services, Namespaces or Secrets are left out where there is not a single one.
    #[arg(long)]
    pub complete: bool,
    /// Fields that the API does not have, doubled keys, and nulls, numbers as text and enumerations by number in Istio's
    /// kinds are warnings: a control plane drops or reads them. Without this they are errors, as an API server refuses them.
    #[arg(long)]
    pub lenient: bool,
    /// `hardened`: also tell where that profile decides otherwise than Istio.
    #[arg(long, value_enum, default_value = "istio")]
    pub profile: Profile,
    /// Print the page of a code and stop; without a code, list all.
    #[arg(long, value_name = "CODE", num_args = 0..=1, default_missing_value = "")]
    pub explain: Option<String>,
    /// Name the analyzers that were left out.
    #[arg(short, long)]
    pub verbose: bool,
    #[command(flatten)]
    pub work: Work,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    pub format: ReportFormat,
}

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Example:\n  mesh decide --config examples/shop --proxy sidecar:shop/web-0 --probes examples/shop/probes.jsonl"
)]
pub struct Decide {
    #[command(flatten)]
    pub config: Config,
    /// A proxy.json file, or `sidecar:NAMESPACE/POD`, `gateway:NAMESPACE/POD` for a Pod of the configuration; of one
    /// name in several clusters `sidecar:CLUSTER/NAMESPACE/POD`.
    #[arg(long)]
    pub proxy: String,
    /// Probes, one JSON object a line; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    pub probes: PathBuf,
    /// The time tokens are checked at (RFC 3339); default: now.
    #[arg(long)]
    pub now: Option<jiff::Timestamp>,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  \
    mesh explain --config examples/shop --proxy sidecar:shop/web-0 GET http://reviews:9080/reviews/7\n  \
    mesh explain --config examples/shop --proxy sidecar:shop/reviews-v1-0 --inbound --from spiffe://cluster.local/ns/shop/sa/web GET http://reviews:9080/\n  \
    mesh explain --config examples/shop --proxy gateway:istio-system/ingress-0 GET https://shop.example.com/ -H 'end-user: jason'")]
pub struct Explain {
    #[command(flatten)]
    pub config: Config,
    /// A proxy.json file, or `sidecar:NAMESPACE/POD`, `gateway:NAMESPACE/POD` for a Pod of the configuration; of one
    /// name in several clusters `sidecar:CLUSTER/NAMESPACE/POD`.
    #[arg(long)]
    pub proxy: String,
    /// The method, or `TCP` for a connection that is not HTTP.
    pub method: String,
    /// `http://host:port/path`, `https://..` for TLS towards the proxy, `tcp://host:port`.
    pub url: String,
    /// A request header, `name: value`. May be repeated.
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    pub headers: Vec<String>,
    /// The request arrives at this sidecar rather than leaving it.
    #[arg(long)]
    pub inbound: bool,
    /// Identity of the client's certificate (`spiffe://...`): the connection is mutual TLS.
    #[arg(long, value_name = "SPIFFE_ID")]
    pub from: Option<String>,
    /// Address the client dials, `IP:PORT`; default: the service's, as DNS would give it.
    #[arg(long, value_name = "IP:PORT")]
    pub to: Option<std::net::SocketAddr>,
    /// Address of the client.
    #[arg(long, value_name = "IP")]
    pub source: Option<std::net::IpAddr>,
    /// A file that holds a token, sent as `Authorization: Bearer`.
    #[arg(long, value_name = "FILE")]
    pub jwt: Option<PathBuf>,
    /// HTTP/2 rather than HTTP/1.1.
    #[arg(long)]
    pub http2: bool,
    /// The time tokens are checked at (RFC 3339); default: now.
    #[arg(long)]
    pub now: Option<jiff::Timestamp>,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    pub format: Format,
}

/// A request of a running proxy.
#[derive(Debug, ClapArgs)]
pub struct ExplainRequest {
    /// The proxy's administration address, as in `127.0.0.1:15000`. The proxy names its decisions (`--name-decisions`).
    pub admin: std::net::SocketAddr,
    /// What names the request: 16 hexadecimal digits, or its `x-request-id`.
    pub id: String,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    pub format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Listeners and their filter chains.
    Listeners,
    /// Route tables: virtual hosts and routes.
    Routes,
    /// Clusters with every setting.
    Clusters,
    /// Endpoints by cluster.
    Endpoints,
    /// Policies in force at the proxy.
    Policies,
    /// Access logs, metrics and spans, with what each setting shadows.
    Telemetry,
    /// How the proxy itself is set up, with what each setting shadows.
    Settings,
    /// Wasm modules and Lua scripts, in order.
    Extensions,
    /// Patches of EnvoyFilters, what each changed and what is left out.
    EnvoyFilters,
    /// What the workload's ports accept (PeerAuthentication), with what is shadowed.
    PeerModes,
    /// Traffic policies of outbound clusters, block by block, with what each shadows, and the DestinationRules that were
    /// passed over.
    TrafficPolicies,
}

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Example:\n  mesh show clusters --config examples/shop --proxy sidecar:shop/web-0 --format json"
)]
pub struct Show {
    /// What to print.
    #[arg(value_enum)]
    pub part: Part,
    #[command(flatten)]
    pub config: Config,
    /// A proxy.json file, or `sidecar:NAMESPACE/POD`, `gateway:NAMESPACE/POD` for a Pod of the configuration; of one
    /// name in several clusters `sidecar:CLUSTER/NAMESPACE/POD`.
    #[arg(long)]
    pub proxy: String,
    /// How to print.
    #[arg(long, value_enum, default_value = "human")]
    pub format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Picture {
    /// One page for a browser, with search and details; needs nothing else.
    Html,
    /// Graphviz.
    Dot,
    /// A Mermaid flow chart.
    Mermaid,
    /// Nodes and edges, each with its origin.
    Json,
}

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Examples:\n  mesh graph --config examples/shop > shop.html\n  mesh graph --config examples/shop --format dot | dot -Tsvg > shop.svg\n  mesh graph --config mesh/ --namespace shop --format mermaid"
)]
pub struct Graph {
    #[command(flatten)]
    pub config: Config,
    /// Only this namespace and what is next to it. May be repeated.
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Vec<String>,
    /// How to draw.
    #[arg(long, value_enum, default_value = "html")]
    pub format: Picture,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  mesh schema\n  mesh schema VirtualService > virtualservice.json\n  \
    mesh schema gateway.networking.k8s.io/HTTPRoute\n\
    A YAML language server takes it by a first line such as\n  \
    # yaml-language-server: $schema=virtualservice.json")]
pub struct Schema {
    /// `VirtualService`, `GROUP/KIND`, `core/KIND`, `MeshConfig`, `MeshNetworks` or `mesh.ProxyConfig`.
    pub kind: Option<String>,
}
