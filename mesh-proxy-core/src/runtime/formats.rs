//! Values of header operations, each read once in a generation of the configuration and not with every request.

use std::sync::{Arc, PoisonError, RwLock};

use foldhash::HashMap;

use crate::telemetry::format::Format;
use crate::telemetry::record::Record;

/// The most that are kept; others are read anew. A configuration has some dozens.
const KEPT_MAX: usize = 1024;

/// Formats by their text.
#[derive(Debug, Default)]
pub(crate) struct Formats(RwLock<HashMap<Arc<str>, Arc<Format>>>);

impl Formats {
    /// The value of a header operation: `%%` is a percent sign; operators ask the record.
    pub(crate) fn value(&self, written: &Arc<str>, record: &Record) -> String {
        self.read(written).text(record, "")
    }

    fn read(&self, written: &Arc<str>) -> Arc<Format> {
        if let Some(known) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(written) {
            return Arc::clone(known);
        }
        let format = Arc::new(Format::parse(written));
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KEPT_MAX {
            return format;
        }
        Arc::clone(all.entry(Arc::clone(written)).or_insert(format))
    }
}

#[cfg(test)]
mod tests {
    use mesh_compile::proxy::listener::Direction;

    use super::*;

    #[test]
    fn a_value_is_read_once_and_others_have_a_bound() {
        let formats = Formats::default();
        let written: Arc<str> = "%PROTOCOL% 100%%".into();
        let first = formats.read(&written);
        assert!(Arc::ptr_eq(&first, &formats.read(&Arc::from(&*written))));
        for number in 0..2 * KEPT_MAX {
            let format = formats.read(&format!("%REQ(X-{number})%").into());
            assert_eq!(*format, Format::parse(&format!("%REQ(X-{number})%")));
        }
        assert_eq!(formats.0.read().unwrap().len(), KEPT_MAX);
        let nowhere = "10.0.0.1:80".parse().unwrap();
        let record = Record::begin(Direction::Outbound, nowhere, nowhere);
        assert_eq!(formats.value(&written, &record), " 100%");
    }
}
