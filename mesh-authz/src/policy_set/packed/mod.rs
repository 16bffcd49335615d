//! Rules as bytes, one after the other: what a decision reads, on as few cache lines as may be.
//!
//! A rule is `LENGTH SOURCE RULE FLAGS FROM TO WHEN`; numbers are in groups of seven bits, low ones first. `from` and
//! `to` are counted alternatives of counted fields; a field is its attribute, its values and its `not` values; a value is
//! an operation (`op`) and what it compares with. Where more than one comes and a reader may stop early, the length of
//! all of them stands in front. Names, origins and texts for people are not here: they are in the policies.

mod asked;
mod matches;
mod op;
mod pack;
mod reader;

use std::collections::HashMap;

use hashbrown::HashTable;

use self::matches::Matcher;
use self::reader::Reader;
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
    /// Where the conditions of rules begin, by what they say, and whose they are.
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

/// The rule is of a CUSTOM policy in dry-run mode.
const DRY_RUN: u8 = 1;

impl Packed {
    /// Appends a rule of the policy `source`. `None`: it needs no place, since it never matches, or an earlier one asks
    /// for the very same and only the first is ever named.
    pub(super) fn push(&mut self, source: usize, rule: &Rule<'_>) -> Option<u32> {
        let Condition::When { from, to, when } = &rule.condition else { return None };
        let mut body = std::mem::take(&mut self.making.scratch);
        body.clear();
        body.push(if rule.dry_run { DRY_RUN } else { 0 });
        self.pack_condition(&mut body, from, to, when);
        let place = self.append(source, rule.index, &body);
        self.making.scratch = body;
        place
    }

    fn append(&mut self, source: usize, rule: Option<usize>, body: &[u8]) -> Option<u32> {
        let hash = pack::hash(body);
        let same = |(known, at, _): &(u64, u32, usize)| {
            *known == hash && self.code.get(*at as usize..).is_some_and(|rest| rest.starts_with(body))
        };
        if let Some((_, _, first)) = self.making.distinct.find(hash, same) {
            if *first != source {
                self.spared.push((*first, source));
            }
            return None;
        }
        // A list that is too long to number its bytes cannot be written: a document has a few megabytes.
        let place = u32::try_from(self.code.len()).ok()?;
        let mut head = Vec::with_capacity(8);
        pack::number(&mut head, source);
        pack::number(&mut head, rule.map_or(0, |rule| rule + 1));
        pack::number(&mut self.code, head.len() + body.len());
        self.code.extend(head);
        let at = u32::try_from(self.code.len()).ok()?;
        self.code.extend(body);
        self.making.distinct.insert_unique(hash, (hash, at, source), |(hash, ..)| *hash);
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

    /// The rule that begins at `place`, if it matches.
    pub(super) fn matching(&self, place: u32, asked: &Asked<'_>) -> Option<Found> {
        let mut reader = Reader::new(self.code.get(place as usize..)?);
        self.next_matching(place, &mut reader, asked)
    }

    /// Reads one rule.
    #[inline(always)]
    fn next_matching(&self, place: u32, reader: &mut Reader<'_>, asked: &Asked<'_>) -> Option<Found> {
        let mut rule = reader.sized();
        let (source, index) = (rule.number(), rule.number());
        let dry_run = rule.byte() & DRY_RUN != 0;
        let matcher = Matcher { attributes: &self.attributes, odd: &self.odd, many: &self.many, asked };
        matcher.holds(rule).then(|| Found { place, source, rule: index.checked_sub(1), dry_run })
    }

    /// The first rule that matches and counts, each asked in turn; one in dry-run mode only where no other does.
    pub(super) fn first(&self, asked: &Asked<'_>, counts: impl Fn(&Found) -> bool) -> Option<Found> {
        let mut reader = Reader::new(&self.code);
        let mut first = None;
        while !reader.is_empty() {
            match self.next_matching(0, &mut reader, asked).filter(&counts) {
                Some(found) if !found.dry_run => return Some(found),
                Some(found) => first = first.or(Some(found)),
                None => {}
            }
        }
        first
    }
}
