//! How the queue stands for this program, on its /readyz.

use crispy_queue::Readiness;

/// Why the queue cannot be worked with counts among the program's own reasons from now on.
pub fn report_queue(readiness: Readiness) {
    crate::health::readiness().look("queue", move || {
        let reasons = readiness.reasons();
        reasons.iter().map(ToString::to_string).collect()
    });
}
