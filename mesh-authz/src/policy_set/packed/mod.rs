//! Rules as bytes, one after the other: what a decision reads, on as few cache lines as may be.
//!
//! A rule is `LENGTH SOURCE RULE FLAGS FIELD*`, the first three in four bytes each. A field (`layout`) has its values or
//! its `not` values, and says how far on the next one is that is asked where it holds, and where it does not; `from`, `to`
//! and `when` are nothing but that. A value is mostly eight bytes, or those and the rest of a text; one in an unusual form
//! is an operation (`op`) and what it compares with (`any_form`). Names, origins and texts for people are not here: they
//! are in the policies.

mod any_form;
mod asked;
mod layout;
mod matches;
mod op;
mod pack;
mod reader;

use std::collections::HashMap;

use hashbrown::HashTable;

use super::attribute::{Attribute, Pattern};
use super::many_values::ManyValues;
use super::rule::{Condition, Rule};

pub(super) use self::asked::Asked;

/// The packed rules of one list.
#[derive(Debug, Clone, Default)]
pub(super) struct Packed {
    code: Vec<u8>,
    /// What is looked at, each once.
    attributes: Vec<Attribute>,
    /// Values of languages that have no operation of their own.
    odd: Vec<Pattern>,
    /// Values of fields that have many.
    many: Vec<ManyValues>,
    /// Policies with a rule, and later ones that ask for the same and have no place for it, ascending.
    spared: Vec<(usize, usize)>,
    /// While rules are packed.
    making: Making,
}

/// What is known while rules are packed, and forgotten after.
#[derive(Debug, Clone, Default)]
struct Making {
    attributes: HashMap<Attribute, usize>,
    /// Where rules begin, by what their conditions say, and whose they are.
    distinct: HashTable<(u64, u32, usize)>,
    scratch: Vec<u8>,
}

/// A rule that matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// Where the rule begins: rules are in order.
    pub(super) place: u32,
    pub(super) source: usize,
    pub(super) rule: Option<usize>,
    pub(super) dry_run: bool,
}

/// Bytes before a rule's fields.
const HEAD: u32 = 13;

/// The rule is of a CUSTOM policy in dry-run mode.
const DRY_RUN: u8 = 1;

/// A rule as it is written.
struct Written<'c> {
    source: u32,
    /// One more than its position; 0: it is the policy as a whole.
    rule: u32,
    flags: u8,
    fields: &'c [u8],
}

impl Packed {
    /// Appends a rule of the policy `source`. `None`: it needs no place, since it never matches, or an earlier one asks
    /// for the very same and only the first is ever named.
    pub(super) fn push(&mut self, source: usize, rule: &Rule<'_>) -> Option<u32> {
        let Condition::When { from, to, when } = &rule.condition else { return None };
        let mut body = std::mem::take(&mut self.making.scratch);
        body.clear();
        self.pack_condition(&mut body, from, to, when);
        let flags = if rule.dry_run { DRY_RUN } else { 0 };
        let place = self.append(source, rule.index, flags, &body);
        self.making.scratch = body;
        place
    }

    fn append(&mut self, source: usize, rule: Option<usize>, flags: u8, body: &[u8]) -> Option<u32> {
        let hash = pack::hash(body);
        let same = |(known, at, _): &(u64, u32, usize)| {
            let same = |rule: Written<'_>| (rule.flags, rule.fields) == (flags, body);
            *known == hash && self.rule(*at).is_some_and(same)
        };
        if let Some((_, _, first)) = self.making.distinct.find(hash, same) {
            if *first != source {
                self.spared.push((*first, source));
            }
            return None;
        }
        // A list that is too long to number its bytes cannot be written: a document has a few megabytes.
        let place = u32::try_from(self.code.len()).ok()?;
        let head = [body.len(), source, rule.map_or(0, |rule| rule + 1)];
        for number in head {
            self.code.extend(u32::try_from(number).ok()?.to_le_bytes());
        }
        self.code.push(flags);
        self.code.extend(body);
        self.making.distinct.insert_unique(hash, (hash, place, source), |(hash, ..)| *hash);
        Some(place)
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self) {
        self.making = Making::default();
        self.spared.sort_unstable();
        self.spared.dedup();
        self.spared.shrink_to_fit();
        self.code.shrink_to_fit();
        self.attributes.shrink_to_fit();
        self.odd.shrink_to_fit();
        self.many.shrink_to_fit();
    }

    /// Policies a rule of which has no place since this one asks for the same.
    pub(super) fn spared_by(&self, source: usize) -> impl Iterator<Item = usize> {
        let start = self.spared.partition_point(|(first, _)| *first < source);
        let spared = self.spared.get(start..).unwrap_or_default().iter();
        spared.take_while(move |(first, _)| *first == source).map(|(_, other)| *other)
    }

    /// The rule that begins at `place`.
    #[inline(always)]
    fn rule(&self, place: u32) -> Option<Written<'_>> {
        let ([length, source, rule], flags, rest) = layout::head(self.code.get(place as usize..)?)?;
        Some(Written { source, rule, flags, fields: rest.get(..length as usize)? })
    }

    /// The rule that begins at `place`, if it matches.
    pub(super) fn matching(&self, place: u32, asked: &Asked<'_>) -> Option<Found> {
        self.ask(place, &self.rule(place)?, asked)
    }

    #[inline(always)]
    fn ask(&self, place: u32, rule: &Written<'_>, asked: &Asked<'_>) -> Option<Found> {
        self.holds(rule.fields, asked).then(|| Found {
            place,
            source: rule.source as usize,
            rule: (rule.rule as usize).checked_sub(1),
            dry_run: rule.flags & DRY_RUN != 0,
        })
    }

    /// The first rule that matches and counts, each asked in turn; one in dry-run mode only where no other does.
    pub(super) fn first(&self, asked: &Asked<'_>, counts: impl Fn(&Found) -> bool) -> Option<Found> {
        let (mut first, mut place) = (None, 0);
        while let Some(rule) = self.rule(place) {
            match self.ask(place, &rule, asked).filter(&counts) {
                Some(found) if !found.dry_run => return Some(found),
                Some(found) => first = first.or(Some(found)),
                None => {}
            }
            // Places are numbered up to the end.
            place = place.saturating_add(HEAD + rule.fields.len() as u32);
        }
        first
    }
}
