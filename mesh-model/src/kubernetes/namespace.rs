//! Kubernetes `Namespace`: its labels count, its body does not.

use serde::{Deserialize, Serialize};

use crate::check::value::one_of;
use crate::check::{Checker, Path, Problem};
use crate::diagnostic::{Code, Report};
use crate::object::{Body, Kind, Object};

/// Labels that switch something on by certain words, and do nothing with others (istio/istio `pkg/kube/inject`, ambient).
const SWITCHES: [(&str, &[&str]); 2] =
    [("istio-injection", &["enabled", "disabled"]), ("istio.io/dataplane-mode", &["ambient", "none"])];

/// A namespace; labels and annotations are in its metadata. API: core/v1 `Namespace`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, rename_all = "camelCase")]
pub struct Namespace {}

impl Kind for Namespace {
    const KIND: &'static str = "Namespace";
    const GROUP: &'static str = "";
    const VERSIONS: &'static [&'static str] = &["v1"];
    const NAMESPACED: bool = false;
    const BODY: Body = Body::Document;

    fn validate(object: &Object<Self>, report: &mut Report) {
        let mut check = Checker::new(object, report);
        let labels = Path::Root("metadata").field("labels");
        for (label, words) in SWITCHES {
            let Some(value) = object.meta.labels.get(label) else { continue };
            if let Err(problem) = one_of(value, words) {
                check.find(&labels.field(label), Problem { code: Code::Doubtful, ..problem });
            }
        }
    }
}
