//! What an operator is told to do about an export that failed. Pure.

use super::endpoint::{METRICS, Signal};

/// What to do about an export that failed. The SDK tells of it in words only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Advice {
    /// It does not take this signal. Jaeger answers so, which keeps traces and nothing else.
    Elsewhere,
    /// It does not know who asks.
    Credentials,
    /// It does not answer, or not well.
    Look,
}

impl Advice {
    pub(super) fn on(error: &str) -> Self {
        let has = |signs: &[&str]| signs.iter().any(|sign| error.contains(sign));
        if has(&["Unimplemented", "status code: 404"]) {
            return Self::Elsewhere;
        }
        let refused = [
            "Unauthenticated",
            "PermissionDenied",
            "status code: 401",
            "status code: 403",
        ];
        match has(&refused) {
            true => Self::Credentials,
            false => Self::Look,
        }
    }

    pub(super) fn text(self, signal: Signal) -> String {
        match self {
            Self::Elsewhere if signal == METRICS => {
                "it does not take them: send them elsewhere, or set OTEL_METRICS_EXPORTER=prometheus, for the admin pages alone".into()
            }
            Self::Elsewhere => format!(
                "it does not take them: set OTEL_{}_EXPORTER=none, or send them elsewhere",
                signal.variable
            ),
            Self::Credentials => {
                "it refuses the credentials: check OTEL_EXPORTER_OTLP_HEADERS".into()
            }
            Self::Look => {
                "check the collector, OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_PROTOCOL"
                    .into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_do_depends_on_what_the_collector_said() {
        for (error, advice_has) in [
            (
                "failed with gRPC code: Unimplemented",
                "OTEL_METRICS_EXPORTER=prometheus",
            ),
            (
                "HTTP export failed with status code: 404",
                "OTEL_METRICS_EXPORTER=prometheus",
            ),
            (
                "failed with gRPC code: Unauthenticated",
                "OTEL_EXPORTER_OTLP_HEADERS",
            ),
            (
                "HTTP export failed: network error",
                "OTEL_EXPORTER_OTLP_ENDPOINT",
            ),
        ] {
            let advice = Advice::on(error).text(METRICS);
            assert!(advice.contains(advice_has), "{error}");
        }
    }
}
