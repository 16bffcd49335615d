//! Injected faults (T-182): a delay, then perhaps an abort.

use std::time::Duration;

use mesh_compile::route_table::action::{Fault, FaultAbort};

use crate::seam::dice::Dice;

/// The delay that this request gets; `None`: none.
pub(crate) fn delay(fault: &Fault, dice: &dyn Dice) -> Option<Duration> {
    let (delay_ms, percent) = fault.delay?;
    let millis = u64::try_from(delay_ms).ok()?;
    dice.happens(percent).then(|| Duration::from_millis(millis))
}

/// The abort that this request gets; `None`: none.
pub(crate) fn abort(fault: &Fault, dice: &dyn Dice) -> Option<FaultAbort> {
    let (abort, percent) = fault.abort?;
    dice.happens(percent).then_some(abort)
}
