//! What a request has, looked up in an index.

use std::net::IpAddr;

use mesh_model::facts::RequestFacts;
use serde_json::Value;
use smallvec::SmallVec;

use super::RuleIndex;
use super::fingerprint::{self, of_account, of_address, of_low_half, of_port, of_segment, of_whole};
use super::key::NAMESPACE;
use super::plan::{Blocks, Texts};
use super::table::Table;
use crate::byte_places;
use crate::policy_set::attribute::find_claim;
use crate::policy_set::packed::Asked;
use crate::request_header::{self, PSEUDO_HEADERS};
use crate::verdict::Claims;

/// A name in lower case, on the stack unless it is long.
type Lower = SmallVec<[u8; 64]>;

/// Calls with positions of all rules that may match; a position may come several times.
pub(super) fn candidates(index: &RuleIndex, asked: &Asked<'_>, visit: impl FnMut(&[u32])) {
    let facts = asked.facts;
    let mut search = Search { table: &index.table, visit };
    let plan = &index.plan;
    search.address(&plan.source_ip, facts.direct_ip);
    search.address(&plan.remote_ip, facts.remote_ip);
    search.address(&plan.destination_ip, facts.dst_ip);
    if plan.has_ports {
        search.number(of_port(facts.dst_port));
    }
    if let Some(sni) = facts.sni {
        search.text(&plan.sni, sni.as_bytes());
    }
    if let Some(peer) = facts.peer {
        search.identity(index, peer);
    }
    if let Some(claims) = facts.claims {
        search.token(index, claims);
    }
    if let Some(request) = facts.request {
        search.http(index, request, asked);
    }
    // Last: they are asked only up to the first that is found before.
    (search.visit)(&index.always);
}

struct Search<'i, V> {
    table: &'i Table,
    visit: V,
}

impl<V: FnMut(&[u32])> Search<'_, V> {
    fn number(&mut self, number: u64) {
        self.table.each(number, &mut self.visit);
    }

    fn text(&mut self, texts: &Texts, text: &[u8]) {
        if texts.has_slashes() {
            let deepest = if texts.end_slashes.is_empty() { texts.start_slashes.last() } else { None };
            self.divided(texts, text, &slashes(text, deepest.map_or(usize::MAX, |depth| *depth as usize)), 0);
        } else {
            self.divided(texts, text, &[], 0);
        }
    }

    /// A text with the places of its slashes, which are counted from `offset` bytes before it.
    fn divided(&mut self, texts: &Texts, text: &[u8], slashes: &[u32], offset: u32) {
        if texts.has_exact {
            self.number(of_whole(texts.subject, text));
        }
        if !texts.starts.is_empty() {
            let lengths = texts.starts.iter().copied();
            fingerprint::starts(texts.subject, text, lengths, |number| self.number(number));
        }
        if !texts.ends.is_empty() {
            let lengths = texts.ends.iter().copied();
            fingerprint::ends(texts.subject, text, lengths, |number| self.number(number));
        }
        if !texts.start_slashes.is_empty() {
            // Depths ascend from 1.
            let slash = |depth: &u32| slashes.get((*depth as usize).checked_sub(1)?);
            let lengths = texts
                .start_slashes
                .iter()
                .map_while(slash)
                .map(|at| at.saturating_add(1).saturating_sub(offset));
            fingerprint::starts(texts.subject, text, lengths, |number| self.number(number));
        }
        if !texts.end_slashes.is_empty() {
            let end = u32::try_from(text.len()).unwrap_or(u32::MAX).saturating_add(offset);
            let slash = |depth: &u32| slashes.get(slashes.len().checked_sub(*depth as usize)?);
            let lengths = texts.end_slashes.iter().map_while(slash).map(|at| end.saturating_sub(*at));
            fingerprint::ends(texts.subject, text, lengths, |number| self.number(number));
        }
    }

    fn address(&mut self, blocks: &Blocks, address: IpAddr) {
        // Blocks of mapped addresses are kept as IPv4.
        match address.to_canonical() {
            IpAddr::V4(address) => {
                for (_, mask, high_half) in &blocks.ipv4 {
                    let network = u64::from(address.to_bits() & mask);
                    self.number(of_low_half(*high_half, network));
                }
            }
            IpAddr::V6(address) => {
                for bits in &blocks.ipv6 {
                    let mask = u128::MAX.checked_shl(128 - u32::from(*bits)).unwrap_or(0);
                    self.number(of_address(blocks.subject, false, *bits, address.to_bits() & mask));
                }
            }
        }
    }

    fn identity(&mut self, index: &RuleIndex, peer: &str) {
        let plan = &index.plan;
        let text = peer.as_bytes();
        let by_namespace = !plan.after_namespace.is_empty() || plan.has_accounts;
        let slashes = if by_namespace || plan.identity.has_slashes() {
            slashes(text, usize::MAX)
        } else {
            Slashes::new()
        };
        self.divided(&plan.identity, text, &slashes, 0);
        if !plan.identity_segment.is_empty()
            && let Some((segments, _)) = peer.rsplit_once('/')
        {
            segments.split('/').for_each(|segment| self.text(&plan.identity_segment, segment.as_bytes()));
        }
        if !by_namespace {
            return;
        }
        // Of each `/ns/`: what follows, with the slashes in it; two of them belong to `/ns/` itself.
        let tails = slashes.iter().enumerate().filter_map(|(nth, at)| {
            let tail = text.get(*at as usize..)?.strip_prefix(NAMESPACE.as_bytes())?;
            Some((tail, slashes.get(nth + 2..)?, at.saturating_add(NAMESPACE.len() as u32)))
        });
        let (mut first, mut count) = (None, 0);
        for (tail, slashes, offset) in tails {
            first = first.or(Some(tail));
            count += 1;
            self.divided(&plan.after_namespace, tail, slashes, offset);
        }
        let Some(tail) = first else { return };
        if !plan.has_accounts {
            return;
        }
        // `NAMESPACE/sa/ACCOUNT` to the end; anything longer could be read in several ways.
        let tail = std::str::from_utf8(tail).ok();
        let usual = tail
            .and_then(|tail| tail.split_once('/'))
            .and_then(|(namespace, rest)| Some((namespace, rest.strip_prefix("sa/")?)));
        match usual {
            Some((namespace, account)) if count == 1 && !account.contains('/') => {
                self.number(of_account(namespace, account));
            }
            _ => (self.visit)(&index.accounts),
        }
    }

    fn token(&mut self, index: &RuleIndex, claims: &Claims) {
        let plan = &index.plan;
        for (claim, texts) in [(claims.issuer(), &plan.issuer), (claims.subject(), &plan.subject)] {
            if let Some(claim) = claim {
                self.text(texts, claim.as_bytes());
            }
        }
        if plan.claims.is_empty() {
            return;
        }
        let groups = claims.payload().keys().filter_map(|name| plan.claims.get(name.as_str()));
        for (path, texts) in groups.flatten() {
            match find_claim(path, claims.payload()) {
                Some(Value::String(text)) => self.text(texts, text.as_bytes()),
                Some(Value::Array(values)) => {
                    let strings = values.iter().filter_map(Value::as_str);
                    strings.for_each(|text| self.text(texts, text.as_bytes()));
                }
                _ => {}
            }
        }
    }

    fn http(&mut self, index: &RuleIndex, request: &RequestFacts<'_>, asked: &Asked<'_>) {
        let plan = &index.plan;
        if !plan.host.is_empty() {
            self.text(&plan.host, &lower_case(&request.authority));
        }
        self.text(&plan.method, request.method.as_bytes());
        if !plan.path.is_empty() {
            self.text(&plan.path, asked.path().as_bytes());
        }
        if !plan.segments.is_empty() {
            let mut wanted = plan.segments.iter().peekable();
            for (at, segment) in asked.path().split('/').enumerate() {
                let Some(next) = wanted.peek() else { break };
                if **next == at {
                    self.number(of_segment(at, segment));
                    wanted.next();
                }
            }
        }
        if !plan.headers.is_empty() {
            self.headers(index, request);
        }
    }

    /// What is there is looked up, not what is asked for, so that the number of names does not count.
    fn headers(&mut self, index: &RuleIndex, request: &RequestFacts<'_>) {
        let headers = &index.plan.headers;
        for name in PSEUDO_HEADERS.iter().filter(|name| headers.may_have(name)) {
            if let Some(texts) = headers.get(name) {
                self.header(request, name, texts);
            }
        }
        for (at, (name, _)) in request.headers.entries.iter().enumerate() {
            if !headers.may_have(name) {
                continue;
            }
            let lower = lower_case(name);
            let Some(lower) = std::str::from_utf8(&lower).ok() else { continue };
            let Some(texts) = headers.get(lower) else { continue };
            let mut before = request.headers.entries.iter().take(at);
            let seen =
                PSEUDO_HEADERS.contains(&lower) || before.any(|(other, _)| other.eq_ignore_ascii_case(name));
            if !seen {
                self.header(request, lower, texts);
            }
        }
    }

    fn header(&mut self, request: &RequestFacts<'_>, name: &str, texts: &Texts) {
        request_header::any(request, name, |value| {
            self.text(texts, value);
            false
        });
    }
}

/// Places of slashes.
type Slashes = SmallVec<[u32; 16]>;

/// Where the slashes of a text are, up to so many.
fn slashes(text: &[u8], enough: usize) -> Slashes {
    let mut slashes = Slashes::new();
    byte_places::each(text, b'/', |at| {
        slashes.push(u32::try_from(at).unwrap_or(u32::MAX));
        slashes.len() < enough
    });
    slashes
}

fn lower_case(text: &str) -> Lower {
    text.bytes().map(|byte| byte.to_ascii_lowercase()).collect()
}
