//! A field of many values: they are looked up, not asked in turn.

use super::attribute::{Attribute, Pattern};
use super::index::{Filing, RuleIndex};
use super::packed::Asked;
use super::rule::{Condition, Field, Rule};
use crate::address_set::AddressSet;

/// Fields of more values than this.
pub(super) const MANY: usize = 16;

/// The values of a field, one of which must fit.
#[derive(Debug, Clone)]
pub(super) enum ManyValues {
    /// Blocks.
    Addresses(Attribute, AddressSet),
    /// Anything else: each value is filed under its keys as a rule would be, by its position.
    Filed { attribute: Attribute, values: Vec<Pattern>, index: Box<RuleIndex> },
}

impl ManyValues {
    /// `None`: they cannot be filed.
    pub(super) fn new(attribute: &Attribute, values: &[Pattern]) -> Option<Self> {
        let blocks: Option<AddressSet> = values
            .iter()
            .map(|value| if let Pattern::Ip(block) = value { Some(*block) } else { None })
            .collect();
        let is_address =
            matches!(attribute, Attribute::SourceIp | Attribute::RemoteIp | Attribute::DestinationIp);
        if let Some(blocks) = blocks.filter(|_| is_address) {
            return Some(Self::Addresses(attribute.clone(), blocks));
        }
        let mut filing = Filing::default();
        for (at, value) in (0..).zip(values) {
            let field = Field {
                attribute: attribute.clone(),
                name: "",
                values: &[],
                not_values: &[],
                any: vec![value.clone()],
                none: Vec::new(),
            };
            let condition = Condition::When { from: Vec::new(), to: Vec::new(), when: vec![field] };
            filing.push(at, &Rule { index: None, dry_run: false, condition });
        }
        Some(Self::Filed {
            attribute: attribute.clone(),
            values: values.to_vec(),
            index: Box::new(filing.index()?),
        })
    }

    /// Whether one of them fits.
    pub(super) fn any_fits(&self, asked: &Asked<'_>) -> bool {
        let facts = asked.facts;
        match self {
            Self::Addresses(Attribute::SourceIp, set) => set.contains(facts.direct_ip),
            Self::Addresses(Attribute::RemoteIp, set) => set.contains(facts.remote_ip),
            Self::Addresses(_, set) => set.contains(facts.dst_ip),
            Self::Filed { attribute, values, index } => {
                let fits = |value: &Pattern| match (attribute, value) {
                    // The path is looked for once a request, not once a value.
                    (Attribute::Path, Pattern::Text(text)) => {
                        facts.request.is_some() && text.matches(asked.path().as_bytes())
                    }
                    _ => attribute.fits(value, facts),
                };
                index.any(asked, |at| values.get(at as usize).is_some_and(fits))
            }
        }
    }
}
