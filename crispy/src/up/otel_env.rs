//! OpenTelemetry's variables, which all children inherit, as the children will read them. Pure.

use std::env;

/// A lookup of variables.
pub(super) struct Variables<'a>(&'a dyn Fn(&str) -> Option<String>);

/// The configuration of traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TraceExport {
    /// Not configured.
    Unset,
    /// Traces are exported over OTLP.
    Otlp,
    /// No traces are made or exported: the variable that says so, with its value.
    Disabled(String),
}

impl Variables<'_> {
    /// The variables of this process, and so of its children.
    pub(super) const OURS: Variables<'static> = Variables(&|name| env::var(name).ok());

    /// The value of one; an empty one counts as unset.
    fn get(&self, name: &str) -> Option<String> {
        let value = (self.0)(name)?.trim().to_owned();
        (!value.is_empty()).then_some(value)
    }

    /// The variable that disables all telemetry, with its value.
    fn disabled(&self) -> Option<String> {
        let name = "OTEL_SDK_DISABLED";
        let value = self.get(name)?;
        let disabled = value.eq_ignore_ascii_case("true");
        disabled.then(|| format!("{name}={value}"))
    }

    /// The configuration of traces, with a `collector` of all signals if there is one.
    pub(super) fn trace_export(&self, collector: Option<&str>) -> TraceExport {
        if let Some(variable) = self.disabled() {
            return TraceExport::Disabled(variable);
        }
        let exporter = "OTEL_TRACES_EXPORTER";
        let own = self.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
        match self.get(exporter) {
            Some(value) if value.eq_ignore_ascii_case("none") => {
                TraceExport::Disabled(format!("{exporter}={value}"))
            }
            Some(value) if contains(&value, "otlp") => TraceExport::Otlp,
            // Unknown exporters count as unset.
            _ if collector.is_some() || own.is_some() => TraceExport::Otlp,
            _ => TraceExport::Unset,
        }
    }
}

/// Whether a list of exporters, `zipkin,otlp`, contains this one.
fn contains(list: &str, exporter: &str) -> bool {
    let mut names = list.split(',').map(str::trim);
    names.any(|name| name.eq_ignore_ascii_case(exporter))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `test` with the variables of `NAME=value NAME=value`.
    fn with<T>(set: &str, test: impl Fn(&Variables<'_>) -> T) -> T {
        let get = |name: &str| {
            let mut pairs = set.split(' ').filter_map(|pair| pair.split_once('='));
            Some(pairs.find(|(variable, _)| *variable == name)?.1.to_owned())
        };
        test(&Variables(&get))
    }

    #[test]
    fn trace_export_follows_every_variable() {
        let collector = Some("http://c");
        let traces_alone = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://t";
        let disabled = "OTEL_SDK_DISABLED=TRUE";
        let no_exporter = "OTEL_TRACES_EXPORTER=none";
        for (collector, set, expected) in [
            (None, "", TraceExport::Unset),
            (
                None,
                "OTEL_SDK_DISABLED=false OTEL_TRACES_EXPORTER=",
                TraceExport::Unset,
            ),
            (
                None,
                "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://m",
                TraceExport::Unset,
            ),
            (collector, "", TraceExport::Otlp),
            (None, traces_alone, TraceExport::Otlp),
            (None, "OTEL_TRACES_EXPORTER=zipkin,OTLP", TraceExport::Otlp),
            (None, "OTEL_TRACES_EXPORTER=zipkin", TraceExport::Unset),
            (collector, disabled, TraceExport::Disabled(disabled.into())),
            (
                collector,
                no_exporter,
                TraceExport::Disabled(no_exporter.into()),
            ),
        ] {
            let found = with(set, |variables| variables.trace_export(collector));
            assert_eq!(found, expected, "{set}");
        }
    }
}
