//! A document that is kept out of its store, and what is in force in its place.

use std::sync::Arc;

use super::Taken;
use super::make::identity;
use crate::diagnostic::{Code, Diagnostic, Place, Report, Severity};
use crate::document::Document;
use crate::object::{Kind, Object, ObjectMeta};
use crate::origin::Provenance;
use crate::store::{Applied, Instead, Refusal, Refused, Stamp, Store, version_number};

/// Keeps a document out of its store, with what was found in it: the last good version stays, or something that refuses
/// takes its place.
pub(super) fn refuse<S: Kind>(
    store: &mut Store<S>,
    document: &Arc<Document>,
    meta: ObjectMeta,
    reasons: Report,
    stamp: Stamp,
    applied: &mut Applied,
) -> Option<Taken> {
    let (meta, key) = identity::<S>(meta);
    let version = meta.resource_version.as_deref().and_then(version_number);
    let error = reasons.iter().find(|found| found.severity == Severity::Error);
    let refused_at = error.map_or_else(|| Arc::from("metadata.name"), |error| Arc::from(&*error.at.field));
    let provenance = Arc::new(Provenance {
        kind: S::KIND,
        namespace: Arc::clone(&meta.namespace),
        name: Arc::clone(&meta.name),
        document: Arc::clone(document),
        refused_at: Some(refused_at),
    });
    let refusal = Refusal { document: Arc::clone(document), since: stamp, reasons: reasons.clone() };
    applied.report.merge(reasons);
    let Refused { instead, earlier } = store.refuse(&key, refusal, version, |refusal| {
        let spec = S::stand_in(&refusal.document)?;
        Some(Object { meta, spec, provenance: Arc::clone(&provenance) })
    });
    let place = Place::of(&provenance, "metadata.name");
    match instead {
        Instead::LastGood => {
            let good = store.get(&key).map(|good| Place::of(&good.provenance, "metadata.name"));
            let (file, line) = good.map(|good| (good.file, good.line)).unwrap_or_default();
            let message =
                format!("`{}` has errors: its last good version, at {file}:{line}, stays in force", key.name);
            let finding = Diagnostic::new(Code::KeptLastGood, place, message);
            applied.report.push(finding.help("correct the errors of the newer version"));
        }
        Instead::Refusing { is_new } => {
            applied.report.push(
                Diagnostic::new(
                    Code::FailsClosed,
                    place,
                    format!(
                        "`{}` has errors and no good version: the workloads it is for {}",
                        key.name,
                        S::REFUSING
                    ),
                )
                .help("correct its errors, or remove it"),
            );
            if is_new {
                applied.changed.insert(key.clone());
            }
        }
        Instead::Nothing { is_new } => {
            if is_new {
                applied.changed.insert(key.clone());
            }
        }
    }
    Some(Taken { key, earlier })
}
