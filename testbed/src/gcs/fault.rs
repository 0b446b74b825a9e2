//! The faults that a test injects, and the choice of the requests that they strike.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

/// The effect of a [`Fault`] on a request that it strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Not carried out, and answered with this status and Google's message for it. 429 is the rate
    /// limit of one object.
    Status(u16),
    /// The same, with `Retry-After`.
    StatusRetryAfter(u16, Duration),
    /// 403: the bucket's billing account is closed.
    BillingClosed,
    /// Carried out and answered after this time, unless the client has closed the connection.
    DelayRequest(Duration),
    /// Never read and never answered.
    BlackHole,
    /// The connection is reset after so many bytes of the body. A shorter request is answered.
    ResetRequest(usize),
    /// One bit of the body changes before any checksum is verified.
    FlipBit,
    /// Carried out, and the connection closed instead of a response.
    LoseResponse,
    /// Carried out, and answered with this status.
    CommitThenStatus(u16),
    /// Carried out at once, and answered after this time.
    DelayResponse(Duration),
    /// The connection is closed after so many bytes of the response's body.
    TruncateResponse(usize),
}

type KeyFilter = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// An effect and the requests that it strikes: without a filter, all to buckets and objects.
#[derive(Clone)]
pub struct Fault {
    effect: Effect,
    tokens: bool,
    method: Option<&'static str>,
    key: Option<KeyFilter>,
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

    /// Strikes only requests with this method, in capitals.
    #[must_use]
    pub fn on_method(self, method: &'static str) -> Self {
        Self {
            method: Some(method),
            ..self
        }
    }

    /// Strikes only requests for tokens, which other faults spare.
    #[must_use]
    pub fn on_tokens(self) -> Self {
        Self {
            tokens: true,
            ..self
        }
    }

    /// Strikes only requests for objects whose key passes the filter.
    #[must_use]
    pub fn where_key(self, is: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self {
            key: Some(Arc::new(is)),
            ..self
        }
    }

    /// Lets so many matching requests pass first.
    #[must_use]
    pub fn after(self, pass: usize) -> Self {
        Self { pass, ..self }
    }

    /// Strikes at most so often.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// Ends after this time, counted from the injection.
    #[must_use]
    pub fn lasting(self, time: Duration) -> Self {
        Self {
            lasting: Some(time),
            ..self
        }
    }

    fn matches(&self, method: &str, path: &str, key: Option<&str>) -> bool {
        let is_token = path == "/token" || path.starts_with("/computeMetadata/");
        self.tokens == is_token
            && self.method.is_none_or(|wanted| wanted == method)
            && self
                .key
                .as_ref()
                .is_none_or(|filter| key.is_some_and(|key| filter(key)))
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fault({:?}, {} times)", self.effect, self.times)
    }
}

/// The faults of a server, oldest first: of several that match, the first strikes.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<(Fault, Instant)>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push((fault, Instant::now()));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The effect on a request. `key` is the key of the object that it concerns.
    pub(crate) fn strike(&mut self, method: &str, path: &str, key: Option<&str>) -> Option<Effect> {
        self.0.retain(|(fault, since)| {
            fault.times > 0 && fault.lasting.is_none_or(|time| since.elapsed() < time)
        });
        for (fault, _) in &mut self.0 {
            if !fault.matches(method, path, key) {
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
    fn a_fault_strikes_matching_requests_only() {
        let mut faults = Faults::default();
        let fault = Fault::new(Effect::Status(503)).on_method("PUT").after(1);
        faults.add(fault.times(2).where_key(|key| key.starts_with("v1/")));
        let mut strike = |method, key| faults.strike(method, "/b/key", Some(key)).is_some();
        assert!(!strike("GET", "v1/a"));
        assert!(!strike("PUT", "other"));
        assert!(!strike("PUT", "v1/a"), "the first one passes");
        assert!(strike("PUT", "v1/a"));
        assert!(strike("PUT", "v1/b"));
        assert!(!strike("PUT", "v1/c"), "it strikes twice");
    }

    #[test]
    fn a_fault_ends_with_its_time() {
        let mut faults = Faults::default();
        let lasting = |time| Fault::new(Effect::BlackHole).lasting(time);
        faults.add(lasting(Duration::ZERO));
        assert_eq!(faults.strike("PUT", "/b/k", Some("k")), None);
        faults.add(lasting(Duration::from_secs(3600)));
        let effect = faults.strike("PUT", "/b/k", Some("k"));
        assert_eq!(effect, Some(Effect::BlackHole));
    }

    #[test]
    fn faults_of_tokens_spare_objects_and_vice_versa() {
        let mut faults = Faults::default();
        faults.add(Fault::new(Effect::Status(500)).on_tokens());
        faults.add(Fault::new(Effect::Status(503)));
        let token = faults.strike("POST", "/token", None);
        assert_eq!(token, Some(Effect::Status(500)));
        let object = faults.strike("GET", "/b/k", Some("k"));
        assert_eq!(object, Some(Effect::Status(503)));
    }
}
