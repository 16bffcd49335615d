//! Every field that the types of Kubernetes and of the Gateway API have, also those that are not read here: what is in
//! neither is a slip, which the API server's strict check refuses.
//!
//! `api_fields.tsv` holds the names of Kubernetes, the table of the Gateway API's CRDs its own. `status`, which the cluster writes, is not looked at.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::decode::is_same_name;
use crate::decode::path::Path;
use crate::document::{Entry, Node, Value};
use crate::gateway_api::crd;

/// Fields of a type, each with the position of the type of its value; `None`: nothing is known of what stands there.
type Fields = Vec<(&'static str, Option<usize>)>;

/// All types.
struct Types {
    /// Where they are in `fields`.
    positions: BTreeMap<Cow<'static, str>, usize>,
    fields: Vec<Fields>,
}

static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let rows = include_str!("api_fields.tsv").lines().filter(|line| !line.starts_with('#'));
    let field = |text: &'static str| {
        let (name, of) = text.split_once(':').unwrap_or((text, ""));
        (name, Cow::from(of))
    };
    let kubernetes = rows
        .filter_map(|row| row.split_once('\t'))
        .map(|(name, fields)| (name.into(), fields.split(' ').map(field).collect()));
    let named = |name: &str| Cow::from(format!("gateway.{name}"));
    let gateway_api = crd::types().map(|(name, fields)| {
        let fields = fields.iter().map(|field| (field.name, named(field.of)));
        (named(name), fields.collect())
    });
    let types: BTreeMap<Cow<'static, str>, Vec<_>> = kubernetes.chain(gateway_api).collect();
    let positions: BTreeMap<_, _> = types.keys().cloned().zip(0..).collect();
    let placed = |(name, of): (_, Cow<'_, str>)| (name, positions.get(&*of).copied());
    let fields = types.into_values().map(|fields| fields.into_iter().map(placed).collect()).collect();
    Types { positions, fields }
});

impl Types {
    fn named(&self, name: &str) -> Option<&Fields> {
        self.fields.get(*self.positions.get(name)?)
    }
}

/// Of each resource, beside what its kind has.
const HEAD: [&str; 4] = ["apiVersion", "kind", "metadata", "status"];

/// Unknown fields reported per document.
const REPORTED_MAX: usize = 256;

/// How the table calls the types of an API group; `None`: they are not in it.
fn prefix(group: &str) -> Option<&'static str> {
    Some(match group {
        "" => "core",
        "apps" => "apps",
        "discovery.k8s.io" => "discovery",
        "networking.k8s.io" => "networking",
        "admissionregistration.k8s.io" => "admission",
        "apiextensions.k8s.io" => "crd",
        crate::gateway_api::GROUP => "gateway",
        _ => return None,
    })
}

/// Gives `found` each field of a resource that its kind does not have, with the names of those that it has there.
pub(super) fn unknown_fields<'n>(
    root: Node<'n>,
    group: &str,
    kind: &str,
    found: &mut dyn FnMut(&Path<'_>, &Entry<'n>, &[&'static str]),
) {
    let Some(fields) = prefix(group).and_then(|prefix| TYPES.named(&format!("{prefix}.{kind}"))) else {
        return;
    };
    let mut walk = Walk { found, left: REPORTED_MAX };
    walk.map(root, fields, &HEAD, &Path::Root(""));
}

/// Fields of `metadata` (Kubernetes' `ObjectMeta`); `clusterName` stands in dumps of clusters before 1.24.
static META_FIELDS: LazyLock<Fields> = LazyLock::new(|| {
    let names = "annotations clusterName creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers \
                 generateName generation labels managedFields name namespace ownerReferences resourceVersion selfLink uid";
    names.split_whitespace().map(|name| (name, None)).collect()
});

/// Gives `found` each field that `metadata` of a resource does not have.
pub(super) fn unknown_metadata<'n>(
    root: Node<'n>,
    found: &mut dyn FnMut(&Path<'_>, &Entry<'n>, &[&'static str]),
) {
    if let Some(metadata) = root.get("metadata") {
        let mut walk = Walk { found, left: REPORTED_MAX };
        walk.map(metadata, &META_FIELDS, &[], &Path::Root("").field("metadata"));
    }
}

struct Walk<'f, 'n> {
    found: &'f mut dyn FnMut(&Path<'_>, &Entry<'n>, &[&'static str]),
    left: usize,
}

impl<'n> Walk<'_, 'n> {
    fn map(&mut self, node: Node<'n>, fields: &Fields, also: &[&'static str], path: &Path<'_>) {
        for entry in node.entries() {
            if also.contains(&entry.key) {
                continue;
            }
            let path = path.field(entry.key);
            match fields.iter().find(|(name, _)| is_same_name(name, entry.key)) {
                Some((_, of)) => {
                    if let Some(fields) = of.and_then(|of| TYPES.fields.get(of)) {
                        self.value(entry.value, fields, &path);
                    }
                }
                None if self.left > 0 => {
                    self.left -= 1;
                    let known: Vec<_> =
                        fields.iter().map(|(name, _)| *name).chain(also.iter().copied()).collect();
                    (self.found)(&path, &entry, &known);
                }
                None => return,
            }
        }
    }

    /// A value of a type, or a list of them; the depth budget of the reader bounds the recursion.
    fn value(&mut self, node: Node<'n>, fields: &Fields, path: &Path<'_>) {
        match node.value() {
            Value::Map(_) => self.map(node, fields, &[], path),
            Value::List(items) => {
                items.enumerate().for_each(|(index, item)| self.value(item, fields, &path.index(index)));
            }
            _ => {}
        }
    }
}
