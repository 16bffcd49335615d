//! The metrics in the text format of OpenMetrics, piece by piece: all of them at once may be hundreds of megabytes.

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;

use super::counts::{BUCKETS, Counter, Histogram};
use super::series::Families;

/// A piece is given away once it has so many bytes; it is longer by one series at most.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// The text of all metrics in pieces, each made when it is asked for. A series that comes meanwhile may or may not be there.
/// Spec: OpenMetrics 1.0, its text format.
#[derive(Debug)]
pub struct Pieces {
    families: Arc<Families>,
    /// The place of the next family.
    next: usize,
    left: Left,
    /// What comes after all families.
    last: String,
    is_over: bool,
}

/// The series of one family that are still to come, last one first.
#[derive(Debug)]
enum Left {
    Counters(&'static str, Vec<(Arc<str>, Arc<Counter>)>),
    Histograms(&'static str, Vec<(Arc<str>, Arc<Histogram>)>),
}

impl Pieces {
    pub(super) fn of(families: Arc<Families>) -> Self {
        Self { families, next: 0, left: Left::Counters("", Vec::new()), last: String::new(), is_over: false }
    }

    /// Families that are written already come after the others.
    pub(crate) fn and(self, last: String) -> Self {
        Self { last, ..self }
    }

    /// Writes the next series; `false`: there is none.
    fn write_next(&mut self, text: &mut String) -> bool {
        match &mut self.left {
            Left::Counters(name, series) => {
                if let Some((labels, counter)) = series.pop() {
                    let _ = writeln!(text, "{name}_total{{{labels}}} {}", counter.value());
                    return true;
                }
            }
            Left::Histograms(name, series) => {
                if let Some((labels, histogram)) = series.pop() {
                    write_histogram(text, name, &labels, &histogram);
                    return true;
                }
            }
        }
        let place = self.next;
        self.next += 1;
        let (left, help) = if let Some(family) = self.families.counters.get(place) {
            (Left::Counters(family.name, family.series()), family.help)
        } else if let Some(family) = self.families.histograms.get(place - self.families.counters.len()) {
            (Left::Histograms(family.name, family.series()), family.help)
        } else {
            return false;
        };
        let (name, kind) = match &left {
            Left::Counters(name, _) => (name, "counter"),
            Left::Histograms(name, _) => (name, "histogram"),
        };
        let _ = writeln!(text, "# HELP {name} {help}.\n# TYPE {name} {kind}");
        self.left = left;
        true
    }
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.is_over {
            return None;
        }
        let mut text = String::with_capacity(PIECE_BYTES);
        while text.len() < PIECE_BYTES {
            if !self.write_next(&mut text) {
                text.push_str(&self.last);
                text.push_str("# EOF\n");
                self.is_over = true;
                break;
            }
        }
        Some(text.into())
    }
}

fn write_histogram(text: &mut String, name: &str, labels: &str, histogram: &Histogram) {
    let (below, count) = histogram.cumulative();
    let comma = if labels.is_empty() { "" } else { "," };
    let _ = writeln!(text, "{name}_sum{{{labels}}} {:?}", histogram.sum());
    let _ = writeln!(text, "{name}_count{{{labels}}} {count}");
    for (bound, below) in BUCKETS.iter().zip(below) {
        let _ = writeln!(text, "{name}_bucket{{le=\"{bound:?}\"{comma}{labels}}} {below}");
    }
    let _ = writeln!(text, "{name}_bucket{{le=\"+Inf\"{comma}{labels}}} {count}");
}

/// Labels as they stand between braces.
pub(super) fn labels<'l>(pairs: impl Iterator<Item = (&'l str, &'l str)>) -> Arc<str> {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(name);
        text.push_str("=\"");
        for character in value.chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                other => text.push(other),
            }
        }
        text.push('"');
    }
    text.into()
}
