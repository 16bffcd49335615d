//! Subsets that VirtualServices name and no DestinationRule has.

use hashbrown::HashMap;
use mesh_model::diagnostic::{Code, Diagnostic, Missing, Place, nearest};

use crate::analyze::analyzers::destinations::{mirrors, routes};
use crate::analyze::context::Context;
use crate::analyze::findings::{Findings, short};
use crate::analyze::hosts::{fqdn, service_of};

pub(in crate::analyze) fn run(context: &Context<'_>, found: &mut Findings) {
    let mut subsets: HashMap<(&str, &str), Vec<&str>> = HashMap::new();
    for rule in context.objects(&context.config.destination_rules) {
        let names = subsets.entry(service_of(&rule.spec.host, &rule.meta.namespace)).or_default();
        names.extend(rule.spec.subsets.iter().map(|subset| subset.name.as_str()));
    }
    for names in subsets.values_mut() {
        names.sort_unstable();
    }
    for service in context.objects(&context.config.virtual_services) {
        for destined in routes(&service.spec).chain(mirrors(&service.spec)) {
            let Some(destination) = destined.destination.filter(|one| !one.subset.is_empty()) else {
                continue;
            };
            let known = subsets.get(&service_of(&destination.host, &service.meta.namespace));
            let known = known.map_or(&[][..], Vec::as_slice);
            if known.binary_search(&destination.subset.as_str()).is_ok() {
                continue;
            }
            let message = format!(
                "no DestinationRule of `{}` has a subset `{}`",
                short(&destination.host),
                short(&destination.subset)
            );
            let few = known.iter().copied().take(1_000);
            let help = match nearest(&destination.subset, few) {
                Some(name) => format!("did you mean `{name}`?"),
                None if known.is_empty() => {
                    "add a DestinationRule with the subset: until then requests get 503".to_owned()
                }
                None => format!("it has: {}", known.iter().take(8).copied().collect::<Vec<_>>().join(", ")),
            };
            let at = Place::of(&service.provenance, &format!("{}.subset", destined.path));
            let missing = Missing::Rule(fqdn(&destination.host, &service.meta.namespace));
            found.push(Diagnostic::new(Code::SubsetUnknown, at, message).help(help).missing(missing));
        }
    }
}
