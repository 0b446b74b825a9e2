//! What the environment says of traces. Pure.

use crate::up::variables::{Variables, names};

/// What is said of traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing.
    Nothing,
    /// Where they go to.
    Where,
    /// That none are made, or none sent: the variable and its value.
    Never(String),
}

/// What is said, where `collector` takes everything, if there is one.
pub(super) fn of_traces(collector: Option<&str>, variables: &Variables<'_>) -> Told {
    if let Some(said) = variables.disabled() {
        return Told::Never(said);
    }
    let exporter = "OTEL_TRACES_EXPORTER";
    match variables.get(exporter) {
        Some(value) if names(&value, "otlp") => return Told::Where,
        Some(value) => return Told::Never(format!("{exporter}={value}")),
        None => {}
    }
    let own = variables.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    match collector.is_some() || own.is_some() {
        true => Told::Where,
        false => Told::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::up::variables::with;

    #[test]
    fn what_is_said_of_traces_is_heard_in_every_variable_that_says_it() {
        let never = |said: &str| Told::Never(said.into());
        let collector = Some("http://c");
        for (collector, set, expected) in [
            (None, "", Told::Nothing),
            (
                None,
                "OTEL_SDK_DISABLED=false OTEL_TRACES_EXPORTER=",
                Told::Nothing,
            ),
            (
                None,
                "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://m",
                Told::Nothing,
            ),
            (collector, "", Told::Where),
            (
                None,
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://t",
                Told::Where,
            ),
            (None, "OTEL_TRACES_EXPORTER=console,OTLP", Told::Where),
            (
                collector,
                "OTEL_SDK_DISABLED=TRUE",
                never("OTEL_SDK_DISABLED=TRUE"),
            ),
            (
                collector,
                "OTEL_TRACES_EXPORTER=none",
                never("OTEL_TRACES_EXPORTER=none"),
            ),
        ] {
            let told = with(set, |variables| of_traces(collector, variables));
            assert_eq!(told, expected, "{set}");
        }
    }
}
