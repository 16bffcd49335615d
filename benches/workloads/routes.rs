//! Route work: `V` virtual hosts of `R` routes, and streams of requests about them. A pure function of integers.

use std::ops::Range;

use super::splitmix::Splitmix;

const WORDS: [&str; 8] =
    ["orders", "reviews", "billing", "catalog", "checkout", "payments", "shipping", "inventory"];

/// What the routes of a host ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Half exact paths, half prefixes.
    Path,
    /// 40 % exact, 20 % prefix, 10 % regex, 10 % prefix and header before the same prefix without (10 %), 5 % exact and
    /// method, 5 % prefix and query.
    Mixed,
}

/// What one route asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The whole path.
    Exact,
    /// The start of the path.
    Prefix,
    /// The whole path by pattern.
    Regex,
    /// The start of the path, and the header `x-canary: true`.
    PrefixAndHeader,
    /// The path of the route before, whatever the headers.
    PrefixAsBefore,
    /// The whole path and the method `POST`.
    ExactAndMethod,
    /// The start of the path and `version=2` in the query.
    PrefixAndQuery,
}

impl Profile {
    /// The kind of route `r`.
    pub fn kind(self, r: usize) -> Kind {
        use Kind::{
            Exact as E, ExactAndMethod as M, Prefix as P, PrefixAndHeader as H, PrefixAndQuery as Q,
            PrefixAsBefore as B, Regex as R,
        };
        const MIXED: [Kind; 20] = [E, P, E, R, H, B, E, M, E, P, E, Q, E, R, H, B, E, P, E, P];
        match self {
            Self::Path if r.is_multiple_of(2) => Kind::Exact,
            Self::Path => Kind::Prefix,
            Self::Mixed => MIXED.get(r % MIXED.len()).copied().unwrap_or(Kind::Exact),
        }
    }
}

/// The domain of virtual host `v`: every 50th is a wildcard.
pub fn domain(v: usize) -> String {
    if v % 50 == 49 {
        format!("*.app-{v}.example.com")
    } else {
        format!("svc-{v}.ns-{}.svc.cluster.local", v % 100)
    }
}

/// The literal text of route `r` of host `v`: the whole path, the prefix, or what a regex starts with.
pub fn text(v: usize, r: usize, kind: Kind) -> String {
    let r = if kind == Kind::PrefixAsBefore { r - 1 } else { r };
    let word = |n: usize| WORDS.get(n % WORDS.len()).copied().unwrap_or_default();
    format!("/api/v{}/{}-{r}/{}/resource/", v % 10, word(r), word(v + r / 3))
}

/// What a regex of this literal text looks like.
pub fn regex(text: &str) -> String {
    format!("{text}[a-z]+/[0-9]+")
}

/// Which requests come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Hits, each route as often as the others.
    Uniform,
    /// Hits of the last route of a host.
    Last,
    /// Half unknown paths, half unknown hosts.
    Miss,
    /// 256 pairs of a host and a route, again and again.
    Hot,
}

/// What a request carries beside host and path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Variant {
    /// `GET`.
    #[default]
    Plain,
    /// `GET` with `x-canary: true`.
    Canary,
    /// `POST`.
    Post,
}

/// Requests, their texts one after the other so that they are no work for the caches.
#[derive(Debug, Default)]
pub struct Requests {
    texts: String,
    list: Vec<(Range<usize>, Range<usize>, Variant)>,
}

impl Requests {
    /// A stream about `hosts` hosts of `routes` routes: 4,096 requests, of large tables 65,536.
    pub fn new(hosts: usize, routes: usize, profile: Profile, stream: Stream) -> Self {
        let mut random = Splitmix::new(7);
        let hot: Vec<_> = (0..256).map(|_| (random.below(hosts), random.below(routes))).collect();
        let mut requests = Self::default();
        let count = if hosts * routes <= 10_000 { 4_096 } else { 65_536 };
        for _ in 0..count {
            let (v, r) = match stream {
                Stream::Uniform | Stream::Miss => (random.below(hosts), random.below(routes)),
                Stream::Last => (random.below(hosts), routes - 1),
                Stream::Hot => hot.get(random.below(hot.len())).copied().unwrap_or_default(),
            };
            let kind = profile.kind(r);
            let mut host = domain(v).replacen('*', "www", 1);
            let mut path = text(v, r, kind);
            match kind {
                Kind::Exact | Kind::ExactAndMethod => {}
                Kind::Regex => path.push_str("abc/42"),
                Kind::PrefixAndQuery => path.push_str("x/y?version=2"),
                Kind::Prefix | Kind::PrefixAndHeader | Kind::PrefixAsBefore => path.push_str("x/y"),
            }
            if stream == Stream::Miss {
                if random.below(2) == 0 {
                    path.replace_range(..4, "/nope");
                } else {
                    host.push_str(".invalid");
                }
            }
            let variant = match kind {
                Kind::PrefixAndHeader => Variant::Canary,
                Kind::ExactAndMethod => Variant::Post,
                _ => Variant::Plain,
            };
            requests.push(&host, &path, variant);
        }
        requests
    }

    fn push(&mut self, host: &str, path: &str, variant: Variant) {
        let start = self.texts.len();
        self.texts.push_str(host);
        let middle = self.texts.len();
        self.texts.push_str(path);
        self.list.push((start..middle, middle..self.texts.len(), variant));
    }

    /// All of them, ready to be asked.
    pub fn all(&self) -> Vec<(&str, &str, Variant)> {
        (0..self.list.len()).map(|n| self.get(n)).collect()
    }

    /// Host, path with query, and the rest, of request `n`; after the last comes the first again.
    pub fn get(&self, n: usize) -> (&str, &str, Variant) {
        let Some((host, path, variant)) = self.list.get(n % self.list.len().max(1)) else {
            return ("", "", Variant::Plain);
        };
        let text = |range: &Range<usize>| self.texts.get(range.clone()).unwrap_or_default();
        (text(host), text(path), *variant)
    }
}
