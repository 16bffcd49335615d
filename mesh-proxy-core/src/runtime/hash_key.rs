//! The key of consistent hashing, as hash policies take it from a request (T-247, E-072).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::COOKIE;
use mesh_compile::route_table::action::HashPolicy;

use super::head::Head;
use crate::seam::dice::Dice;
use crate::seam::load_balancer::mix;

/// A cookie that the client does not have yet and is given with the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewCookie {
    name: Arc<str>,
    value: String,
    life: Duration,
    path: Arc<str>,
}

impl NewCookie {
    /// The `set-cookie` line.
    pub(crate) fn header(&self) -> String {
        let Self { name, value, life, path } = self;
        let mut line = format!("{name}=\"{value}\"");
        if !life.is_zero() {
            line.push_str(&format!("; Max-Age={}", life.as_secs()));
        }
        if !path.is_empty() {
            line.push_str(&format!("; Path={path}"));
        }
        line.push_str("; HttpOnly");
        line
    }
}

/// The cookies that policies generate and this request lacks.
pub(crate) fn missing_cookies(policies: &[HashPolicy], head: &Head, dice: &dyn Dice) -> Vec<NewCookie> {
    policies
        .iter()
        .filter_map(|policy| match policy {
            HashPolicy::Cookie { name, ttl_ms: Some(ttl_ms), path } if cookie(head, name).is_none() => {
                Some(NewCookie {
                    name: Arc::clone(name),
                    value: format!("{:016x}", dice.below(u64::MAX)),
                    life: Duration::from_millis(u64::try_from(*ttl_ms).unwrap_or_default()),
                    path: Arc::clone(path),
                })
            }
            _ => None,
        })
        .collect()
}

/// The hash of all keys that the request has; `None`: it has none. `path`: as the client asked.
pub(crate) fn of(
    policies: &[HashPolicy],
    head: &Head,
    path: &str,
    peer: IpAddr,
    new: &[NewCookie],
) -> Option<u64> {
    let key = |policy: &HashPolicy| -> Option<Vec<u8>> {
        match policy {
            HashPolicy::Header(name) => head.headers.get(&**name).map(|value| value.as_bytes().to_vec()),
            HashPolicy::Cookie { name, .. } => cookie(head, name)
                .or_else(|| new.iter().find(|cookie| cookie.name == *name).map(|cookie| cookie.value.clone()))
                .map(String::into_bytes),
            HashPolicy::SourceIp => Some(peer.to_string().into_bytes()),
            HashPolicy::Query(name) => {
                let (_, query) = path.split_once('?')?;
                let mut pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
                pairs.find(|(key, _)| *key == &**name).map(|(_, value)| value.as_bytes().to_vec())
            }
        }
    };
    policies.iter().filter_map(key).fold(None, |before: Option<u64>, key| {
        let hash = mix(0, &key);
        Some(before.map_or(hash, |before| before.rotate_left(1) ^ hash))
    })
}

fn cookie(head: &Head, name: &str) -> Option<String> {
    head.headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.trim_matches('"').to_owned())
}
