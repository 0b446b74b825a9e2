//! What goes wrong, and for which requests: a script that tests write.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use super::target::Target;

/// What happens to a request that a [`Fault`] strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Answered with this status, in Google's words for it, and not carried out. 429 is the limit of changes of one object.
    Status(u16),
    /// The same, with `Retry-After`.
    StatusRetryAfter(u16, Duration),
    /// 403, because nobody pays for the bucket any more.
    BillingClosed,
    /// Carried out and answered so much later; not at all if the client has gone by then.
    DelayRequest(Duration),
    /// Never read, never answered: a black hole.
    BlackHole,
    /// The connection is reset when so many bytes of the body have come. A request that is shorter is answered.
    ResetRequest(usize),
    /// One bit of the body changes on the way, before any sum is checked.
    FlipBit,
    /// Carried out, and the connection closed instead of an answer.
    LoseResponse,
    /// Carried out, and answered with this status.
    CommitThenStatus(u16),
    /// Carried out at once, and answered so much later.
    DelayResponse(Duration),
    /// The connection is closed when so many bytes of the answer's body are sent.
    TruncateResponse(usize),
}

/// Which keys are meant.
type IsMeant = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// A effect, and the requests that it strikes: all that are about buckets and objects, unless told otherwise.
#[derive(Clone)]
pub struct Fault {
    effect: Effect,
    tokens: bool,
    method: Option<&'static str>,
    key: Option<IsMeant>,
    pass: usize,
    times: usize,
    lasting: Option<Duration>,
}

impl Fault {
    /// Strikes until it is cleared ([`super::GcsServer::clear_faults`]).
    pub fn new(effect: Effect) -> Self {
        Self {
            effect,
            tokens: false,
            method: None,
            key: None,
            pass: 0,
            times: usize::MAX,
            lasting: None,
        }
    }

    /// Only requests by this method, in capitals.
    #[must_use]
    pub fn on_method(self, method: &'static str) -> Self {
        Self {
            method: Some(method),
            ..self
        }
    }

    /// Only requests for tokens, which are spared otherwise.
    #[must_use]
    pub fn on_tokens(self) -> Self {
        Self {
            tokens: true,
            ..self
        }
    }

    /// Only requests for objects whose key is like this.
    #[must_use]
    pub fn where_key(self, is: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self {
            key: Some(Arc::new(is)),
            ..self
        }
    }

    /// Lets so many of them pass first.
    #[must_use]
    pub fn after(self, pass: usize) -> Self {
        Self { pass, ..self }
    }

    /// At most so often.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// Only for so long, from now on.
    #[must_use]
    pub fn lasting(self, time: Duration) -> Self {
        Self {
            lasting: Some(time),
            ..self
        }
    }

    fn is_meant(&self, method: &str, target: &Target) -> bool {
        let key = |is: &IsMeant| target.key().is_some_and(|key| is(key));
        self.tokens == target.is_of_tokens()
            && self.method.is_none_or(|wanted| wanted == method)
            && self.key.as_ref().is_none_or(key)
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fault({:?}, {} times)", self.effect, self.times)
    }
}

/// The faults of a server, in the order in which they were asked for: of several, the first that fits strikes.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<(Fault, Instant)>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push((fault, Instant::now()));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// What happens to this request.
    pub(crate) fn strike(&mut self, method: &str, target: &Target) -> Option<Effect> {
        self.0.retain(|(fault, since)| {
            fault.times > 0 && fault.lasting.is_none_or(|time| since.elapsed() < time)
        });
        for (fault, _) in &mut self.0 {
            if !fault.is_meant(method, target) {
                continue;
            }
            if fault.pass > 0 {
                fault.pass -= 1;
                continue;
            }
            fault.times -= 1;
            return Some(fault.effect);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_strikes_the_requests_that_it_means_and_no_other() {
        let mut faults = Faults::default();
        let fault = Fault::new(Effect::Status(503))
            .on_method("PUT")
            .after(1)
            .times(2);
        faults.add(fault.where_key(|key| key.starts_with("v1/")));
        let mut strike = |method, path| faults.strike(method, &Target::of(path)).is_some();
        assert!(!strike("GET", "/b/v1/a"));
        assert!(!strike("PUT", "/b/other"));
        assert!(!strike("PUT", "/b/v1/a"), "the first one passes");
        assert!(strike("PUT", "/b/v1/a"));
        assert!(strike("PUT", "/b/v1/b"));
        assert!(!strike("PUT", "/b/v1/c"), "it strikes twice");
    }

    #[test]
    fn a_fault_ends_with_its_time() {
        let mut faults = Faults::default();
        let lasting = |time| Fault::new(Effect::BlackHole).lasting(time);
        faults.add(lasting(Duration::ZERO));
        assert_eq!(faults.strike("PUT", &Target::of("/b/k")), None);
        faults.add(lasting(Duration::from_secs(3600)));
        let effect = faults.strike("PUT", &Target::of("/b/k"));
        assert_eq!(effect, Some(Effect::BlackHole));
    }

    #[test]
    fn a_fault_of_tokens_spares_objects_and_the_other_way_round() {
        let mut faults = Faults::default();
        faults.add(Fault::new(Effect::Status(500)).on_tokens());
        faults.add(Fault::new(Effect::Status(503)));
        let token = faults.strike("POST", &Target::Token);
        assert_eq!(token, Some(Effect::Status(500)));
        let object = faults.strike("GET", &Target::of("/b/k"));
        assert_eq!(object, Some(Effect::Status(503)));
    }
}
