//! 100,000 requests of browsers and others, beside an oracle that reads the rules of CORS one after the other and knows
//! its patterns by hand.

use std::borrow::Cow;
use std::sync::Arc;

use mesh_compile::route_table::matcher::TextMatch;
use mesh_compile::route_table::pattern::Pattern;
use mesh_model::facts::{Headers, HttpVersion};

use super::*;
use crate::dice::{Dice, SeededDice};

pub(crate) const REQUESTS: u64 = 100_000;

/// How an origin is told by hand.
type ByHand = fn(&str) -> bool;

const ORIGINS: [&str; 14] = [
    "https://shop.example",
    "https://shop.example:443",
    "https://shop.example.evil",
    "http://shop.example",
    "HTTPS://SHOP.EXAMPLE",
    "https://dev-1.example",
    "https://dev-",
    "https://a.shop.example",
    "https://a.b.shop.example",
    "https://z.shop.example:8042",
    "https://z.shop.example:804",
    "null",
    "*",
    "",
];

/// Patterns of all kinds, each with the same thing said in plain code.
fn patterns() -> Vec<(TextMatch, ByHand)> {
    vec![
        (TextMatch::Exact("https://shop.example".into()), |origin| origin == "https://shop.example"),
        (TextMatch::Exact("null".into()), |origin| origin == "null"),
        (TextMatch::Exact("*".into()), |_| true),
        (TextMatch::Prefix("https://dev-".into()), |origin| {
            origin.len() >= 12 && &origin[..12] == "https://dev-"
        }),
        (
            TextMatch::Regex(Pattern::full_match("https://[a-y]+\\.shop\\.example(:80[0-9]{2})?").unwrap()),
            |origin| {
                let Some(rest) = origin.strip_prefix("https://") else { return false };
                let (host, port) = rest.split_once(':').unwrap_or((rest, "8000"));
                let Some((label, "shop.example")) = host.split_once('.') else { return false };
                let digits = port
                    .strip_prefix("80")
                    .is_some_and(|port| port.len() == 2 && port.chars().all(|digit| digit.is_ascii_digit()));
                !label.is_empty() && label.chars().all(|letter| ('a'..='y').contains(&letter)) && digits
            },
        ),
        (TextMatch::Regex(Pattern::full_match(".*").unwrap()), |_| true),
        (TextMatch::Regex(Pattern::full_match("http://.*").unwrap()), |origin| origin.starts_with("http://")),
    ]
}

/// A policy at random, with what allows its origins by hand.
pub(crate) fn policy(dice: &mut SeededDice) -> (CorsPolicy, Vec<ByHand>) {
    let mut one_of = |texts: [&str; 3]| -> Arc<str> { texts[dice.below(3) as usize].into() };
    let mut policy = CorsPolicy {
        allow_origins: Vec::new(),
        allow_methods: one_of(["", "GET,PUT", "*"]),
        allow_headers: one_of(["", "x-one", "x-one,x-two"]),
        expose_headers: one_of(["", "x-three", "*"]),
        max_age: one_of(["", "0", "86400"]),
        allow_credentials: [None, Some(false), Some(true)][dice.below(3) as usize],
        forward_unmatched_preflights: dice.happens(50.0),
    };
    let mut by_hand = Vec::new();
    for (pattern, hand) in patterns() {
        // Those that allow everything leave nothing to test where they are too frequent.
        if dice.happens(if hand("nobody") { 4.0 } else { 30.0 }) {
            policy.allow_origins.push(pattern);
            by_hand.push(hand);
        }
    }
    (policy, by_hand)
}

/// A request at random: its method, and `origin` and `access-control-request-method` where it has them.
pub(crate) fn request(
    dice: &mut SeededDice,
) -> (RequestFacts<'static>, Option<&'static str>, Option<&'static str>) {
    let method = ["OPTIONS", "OPTIONS", "GET", "POST", "options"][dice.below(5) as usize];
    let origin = dice.happens(90.0).then(|| ORIGINS[dice.below(ORIGINS.len() as u64) as usize]);
    let wants = dice.happens(80.0).then(|| ["PUT", "GET", "DELETE", ""][dice.below(4) as usize]);
    let mut headers = Headers::default();
    headers.push("x-other", "1".as_bytes());
    if let Some(origin) = origin {
        headers.push("origin", origin.as_bytes());
    }
    if let Some(wants) = wants {
        headers.push("access-control-request-method", wants.as_bytes());
    }
    let request = RequestFacts {
        version: HttpVersion::Http11,
        method: Cow::Borrowed(method),
        scheme: Cow::Borrowed("https"),
        authority: Cow::Borrowed("api.example"),
        path: Cow::Borrowed("/"),
        headers,
    };
    (request, origin, wants)
}

/// Whether the origin is one of the policy's, by hand.
pub(crate) fn is_allowed(by_hand: &[ByHand], origin: &str) -> bool {
    by_hand.iter().any(|hand| hand(origin))
}

#[test]
fn preflights_are_answered_as_the_rules_have_it_and_nothing_else_is() {
    let mut dice = SeededDice::new(41);
    let mut counts = [0_u64; 4];
    for _ in 0..REQUESTS / 100 {
        let (policy, by_hand) = policy(&mut dice);
        for _ in 0..100 {
            let (request, origin, wants) = request(&mut dice);
            let got = answer_preflight(&policy, &request);
            let is_preflight = request.method == "OPTIONS"
                && origin.is_some_and(|origin| !origin.is_empty())
                && wants.is_some_and(|wants| !wants.is_empty());
            let origin = origin.unwrap_or_default();
            let allowed = is_allowed(&by_hand, origin);
            let expected = match (is_preflight, allowed, policy.forward_unmatched_preflights) {
                (false, ..) => None,
                (true, true, _) => Some(CorsAnswer {
                    allow_origin: origin.into(),
                    allow_methods: policy.allow_methods.clone(),
                    allow_headers: policy.allow_headers.clone(),
                    max_age: policy.max_age.clone(),
                }),
                (true, false, true) => None,
                (true, false, false) => Some(CorsAnswer::default()),
            };
            assert_eq!(got, expected, "{policy:?} {request:?}");
            let kind = match &expected {
                None if is_preflight => 0,
                None => 1,
                Some(answer) if answer.allow_origin.is_empty() => 2,
                Some(_) => 3,
            };
            counts[kind] += 1;
        }
    }
    assert!(counts.iter().all(|count| *count > 2_000), "each outcome is met often: {counts:?}");
}
