//! What Istio refuses or warns about in a ProxyConfig.

use super::spec::ProxyConfig;
use crate::check::{Checker, Path, Problem, selector, short};
use crate::diagnostic::{Report, nearest};
use crate::object::Object;

const SPEC: Path<'static> = Path::Root("spec");

/// What Istio's proxy images are called.
const IMAGES: [&str; 3] = ["default", "debug", "distroless"];

/// The longest value of a variable, in characters.
const VALUE_CHARS_MAX: usize = 2048;

/// Checks an object.
pub(super) fn validate(object: &Object<ProxyConfig>, report: &mut Report) {
    let found = &mut Checker::new(object, report);
    let ProxyConfig { selector, concurrency, environment_variables, image } = &object.spec;
    if let Some(workloads) = selector {
        selector::workload(found, &SPEC.field("selector"), workloads);
    }
    found.require(concurrency.is_none_or(|count| count >= 0), &SPEC.field("concurrency"), || {
        Problem::invalid("the number of threads is negative").help("`0` is one thread per core")
    });
    // Any tag is taken: whoever builds images of his own calls them as he likes.
    if let Some(image) = image
        && let Some(near) = nearest(&image.image_type, IMAGES).filter(|near| *near != image.image_type)
    {
        let message = format!("no image of Istio's is called `{}`", short(&image.image_type));
        let problem = Problem::doubtful(message).help(format!("did you mean `{near}`?"));
        found.find(&SPEC.field("image").field("imageType"), problem);
    }
    let at = SPEC.field("environmentVariables");
    for (name, value) in environment_variables {
        found.no_longer_than(&at.field(name), value, VALUE_CHARS_MAX);
    }
}
