//! Injected faults (T-182).

use mesh_model::networking::virtual_service::spec::{
    FaultAbort as WrittenAbort, FaultDelay, HttpFaultInjection,
};

use mesh_model::part::GRPC_STATUS;

use crate::route_table::action::{Fault, FaultAbort};

/// The faults that the proxy knows; `None` where none is left.
pub(super) fn convert(written: &HttpFaultInjection) -> Option<Fault> {
    let HttpFaultInjection { delay, abort } = written;
    let fault = Fault {
        delay: delay.as_ref().and_then(convert_delay),
        abort: abort.as_ref().and_then(convert_abort),
    };
    (fault.delay.is_some() || fault.abort.is_some()).then_some(fault)
}

fn convert_delay(written: &FaultDelay) -> Option<(i64, f64)> {
    // An exponential delay alone is not supported and disables the block.
    let FaultDelay { percent, fixed_delay, exponential_delay: _, percentage } = written;
    let share = percentage.map_or_else(|| f64::from(*percent), |percentage| percentage.value);
    fixed_delay.map(|delay| (delay.as_millis(), share))
}

fn convert_abort(written: &WrittenAbort) -> Option<(FaultAbort, f64)> {
    let WrittenAbort { http_status, grpc_status, http2_error: _, percentage } = written;
    // Unset is 0 percent, not all (T-523).
    let share = percentage.map_or(0.0, |percentage| percentage.value);
    let abort = match (http_status, grpc_status) {
        (Some(status), _) => FaultAbort::Http(u16::try_from(*status).ok()?),
        (None, Some(name)) => FaultAbort::Grpc(grpc_code(name)),
        (None, None) => return None,
    };
    Some((abort, share))
}

/// The number of a gRPC status; an unknown name counts as `OK`, as in Istio.
fn grpc_code(name: &str) -> u32 {
    (0..).zip(GRPC_STATUS).find(|(_, known)| *known == name).map_or(0, |(code, _)| code)
}
