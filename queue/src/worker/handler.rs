//! What a stage does with one message.

use std::future::Future;

use super::{Delivery, Failure};
use crate::Decode;

/// The work of a stage.
///
/// * It is called with up to [`crate::WorkerConfig::concurrency`] messages at once.
/// * A message may come more than once, also while an earlier attempt still runs somewhere: handling it twice must do no harm.
/// * While it runs the message is kept from everybody else, however long that takes.
/// * Its future is dropped when a stopping worker's grace is over, and when another message finds the destination away: that may be at any
///   await, and must do no more harm than a process that is killed there. A panic is a [`Failure::Retry`].
pub trait Handler: Send + Sync + 'static {
    /// What it understands.
    type Message: Decode + Send;

    /// Handles `message`. Ok means that every effect of it is there to stay.
    fn handle(
        &self,
        message: Self::Message,
        delivery: &Delivery,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Whether the destination is back. Asked every 2 s, for at most 2 s, after a [`super::Cause::Destination`].
    fn probe(&self) -> impl Future<Output = bool> + Send {
        std::future::ready(true)
    }
}
