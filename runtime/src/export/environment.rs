//! OpenTelemetry's environment variables. Wrong values are ignored, each with a warning.
//!
//! The specification demands it, and the SDK does the same with the variables that it reads, but
//! without a warning that reaches the log. So those are looked at here too.

use std::{cell::RefCell, ffi::OsString, fmt::Display, ops::RangeInclusive, str::FromStr};

use tracing::warn;

use crate::Redacted;

/// A kind of telemetry that is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
}

impl Signal {
    /// As in `/v1/{}`, and in log lines.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Metrics => "metrics",
        }
    }

    /// The variable of this signal alone: `OTEL_EXPORTER_OTLP_TRACES_{}`.
    pub(super) fn variable(self, name: impl Display) -> String {
        let signal = self.name().to_ascii_uppercase();
        format!("OTEL_EXPORTER_OTLP_{signal}_{name}")
    }
}

/// A variable whose value is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ignored {
    /// Its name.
    pub(super) variable: String,
    /// Its value, without passwords; `None` where all of it may be a secret.
    pub(super) value: Option<String>,
    /// The values that it may have, as an imperative sentence.
    pub(super) hint: String,
}

impl Ignored {
    /// Logs it. Variables are read before there is a log.
    pub(crate) fn log(&self) {
        let Self {
            variable,
            value,
            hint,
        } = self;
        warn!(variable, value, hint, "environment variable ignored");
    }
}

/// A day in milliseconds; a longer time is a slip of the unit.
pub(super) const DAY: u64 = 86_400_000;

/// The environment of the process, or a table of a test.
pub(super) struct Variables<'a> {
    look_up: &'a dyn Fn(&str) -> Option<OsString>,
    ignored: RefCell<Vec<Ignored>>,
}

impl<'a> Variables<'a> {
    pub(super) fn new(look_up: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self {
            look_up,
            ignored: RefCell::default(),
        }
    }

    /// The variables that were ignored so far.
    pub(super) fn into_ignored(self) -> Vec<Ignored> {
        self.ignored.into_inner()
    }

    /// Notes that a value is ignored, once for each variable.
    pub(super) fn ignore(&self, variable: &str, value: &str, hint: impl Display) {
        let ignored = Ignored {
            variable: variable.to_owned(),
            value: (!variable.ends_with("_HEADERS")).then(|| Redacted(value).to_string()),
            hint: hint.to_string(),
        };
        let mut all = self.ignored.borrow_mut();
        if !all.contains(&ignored) {
            all.push(ignored);
        }
    }

    /// A variable's value. An empty one counts as unset, as the specification has it.
    pub(super) fn get(&self, variable: &str) -> Option<String> {
        match (self.look_up)(variable)?.into_string() {
            Ok(value) => Some(value.trim().to_owned()).filter(|value| !value.is_empty()),
            Err(_) => {
                self.ignore(variable, "(not UTF-8)", "write it in UTF-8");
                None
            }
        }
    }

    /// A variable's value as `read` understands it.
    pub(super) fn parse<T>(
        &self,
        variable: &str,
        hint: impl Display,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(variable)?;
        let read = read(&value);
        if read.is_none() {
            self.ignore(variable, &value, hint);
        }
        read
    }

    /// An OTLP variable: the one of the signal, else the one of all signals.
    pub(super) fn otlp<T>(
        &self,
        signal: Signal,
        name: &str,
        hint: impl Display + Copy,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        self.parse(&signal.variable(name), hint, &read)
            .or_else(|| self.parse(&format!("OTEL_EXPORTER_OTLP_{name}"), hint, &read))
    }

    /// `true` or `false`; unset is false.
    pub(super) fn flag(&self, variable: &str) -> bool {
        self.parse(variable, "set it to true or false", flag)
            .unwrap_or_default()
    }

    /// A number within bounds.
    pub(super) fn number<N>(&self, variable: &str, bounds: RangeInclusive<N>) -> Option<N>
    where
        N: FromStr + PartialOrd + Display,
    {
        let hint = format!("use a number from {} to {}", bounds.start(), bounds.end());
        let read = |text: &str| text.parse().ok().filter(|number| bounds.contains(number));
        self.parse(variable, hint, read)
    }

    /// Words with commas between them, each one of `allowed`, in capitals or not. `none` is the
    /// empty list. Unknown words are ignored; a list of nothing else counts as unset.
    pub(super) fn words<const N: usize>(
        &self,
        variable: &str,
        allowed: [&'static str; N],
    ) -> Option<Vec<&'static str>> {
        let value = self.get(variable)?;
        if value.eq_ignore_ascii_case("none") {
            return Some(Vec::new());
        }
        let mut words = Vec::new();
        for word in value.split(',').map(str::trim) {
            let known = allowed
                .into_iter()
                .find(|known| known.eq_ignore_ascii_case(word));
            match known {
                Some(known) if !words.contains(&known) => words.push(known),
                Some(_) => {}
                None => {
                    let hint = format!("use {}, or none alone", allowed.join(", "));
                    self.ignore(variable, word, hint);
                }
            }
        }
        (!words.is_empty()).then_some(words)
    }
}

/// `true` or `false`, in capitals or not.
pub(super) fn flag(text: &str) -> Option<bool> {
    text.to_ascii_lowercase().parse().ok()
}
