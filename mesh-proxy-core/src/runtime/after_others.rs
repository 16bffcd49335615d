//! Writes that wait until the tasks that are ready too have come as far.
//!
//! Whoever is written to sleeps, as a rule, until the bytes come, and is woken for them: that takes longer than all that
//! this proxy does with a request. Written one right after the other, the bytes of many requests wake the other side
//! once; with the work on a request between them, once for each.

use std::task::{Context, Poll};

/// Pending once, and ready when the task has had its next turn. `has_waited`: kept by the caller for one write.
pub(crate) fn poll(has_waited: &mut bool, context: &Context<'_>) -> Poll<()> {
    if std::mem::replace(has_waited, true) {
        return Poll::Ready(());
    }
    context.waker().wake_by_ref();
    Poll::Pending
}
