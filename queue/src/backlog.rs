//! What one stage has before it, by the server's word: three short questions, which a metric may ask often.

use crate::{
    Connection, Holds, OverviewError, Stage, Work,
    overview::{dead, stream_state, work},
};

/// A stage's work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// The name, on the server, of the stream that the work comes from.
    pub stream: String,
    /// What that stream holds; None where it does not exist.
    pub holds: Option<Holds>,
    /// How the stage's durable stands; None where it does not exist.
    pub work: Option<Work>,
    /// Its dead letters.
    pub letters: u64,
}

impl Connection {
    /// Asks what `stage` has before it. What does not exist is part of the answer and no error.
    ///
    /// # Errors
    /// No answer, or no leave to ask.
    pub async fn backlog(&self, stage: Stage) -> Result<Backlog, OverviewError> {
        let source = stream_state(self, stage.source()).await?;
        Ok(Backlog {
            stream: source.name,
            holds: source.holds,
            work: work(self, stage).await?,
            letters: dead(self).await?.remove(&stage).unwrap_or(0),
        })
    }
}
