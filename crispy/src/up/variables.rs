//! OpenTelemetry's variables, which all children inherit, as they will understand them. Pure.

use std::env;

/// The variables, however they are looked up.
pub(super) struct Variables<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Variables<'_> {
    /// Those of this process, and so of its children.
    pub(super) const OURS: Variables<'static> = Variables(&|name| env::var(name).ok());

    /// The value of one; an empty one says nothing.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let value = (self.0)(name)?.trim().to_owned();
        (!value.is_empty()).then_some(value)
    }

    /// What forbids all telemetry, if it is forbidden.
    pub(super) fn disabled(&self) -> Option<String> {
        let name = "OTEL_SDK_DISABLED";
        let value = self.get(name)?;
        let disabled = value.eq_ignore_ascii_case("true");
        disabled.then(|| format!("{name}={value}"))
    }
}

/// Whether a list of exporters, `console,otlp`, names this one.
pub(super) fn names(list: &str, exporter: &str) -> bool {
    let mut named = list.split(',').map(str::trim);
    named.any(|name| name.eq_ignore_ascii_case(exporter))
}

/// Has `test` look at variables that are set as `NAME=value NAME=value` says.
#[cfg(test)]
pub(super) fn with<T>(set: &str, test: impl Fn(&Variables<'_>) -> T) -> T {
    let look = |name: &str| {
        let mut pairs = set.split(' ').filter_map(|pair| pair.split_once('='));
        Some(pairs.find(|(variable, _)| *variable == name)?.1.to_owned())
    };
    test(&Variables(&look))
}
