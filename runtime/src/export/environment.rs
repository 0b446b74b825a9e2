//! OpenTelemetry's environment variables, read one by one. What is wrong is an error that names the variable: the SDK passes over it.

use std::{ffi::OsString, fmt, ops::RangeInclusive, str::FromStr, time::Duration};

use thiserror::Error;

use crate::Redacted;

/// A variable that cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{variable}{value}: {reason}")]
pub struct WrongVariable {
    /// Its name.
    pub variable: String,
    /// ` is …`, what it holds; empty where that may be a secret.
    pub value: String,
    /// What it may hold.
    pub reason: String,
}

/// Where variables are looked up: the process's own, or a table that a test made.
pub(super) struct Environment<'a>(pub(super) &'a dyn Fn(&str) -> Option<OsString>);

impl Environment<'_> {
    /// A variable's value. An empty one counts as unset, as the specification has it.
    pub(super) fn get(&self, variable: &str) -> Result<Option<String>, WrongVariable> {
        let Some(value) = (self.0)(variable) else {
            return Ok(None);
        };
        match value.into_string() {
            Ok(value) => Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty())),
            Err(_) => Err(secret(variable, "it is not UTF-8")),
        }
    }

    /// The first of two variables that is set, and its name: what is said of one signal goes over what is said of all.
    pub(super) fn either<'v>(
        &self,
        signal: &'v str,
        general: &'v str,
    ) -> Result<Option<(&'v str, String)>, WrongVariable> {
        for variable in [signal, general] {
            if let Some(value) = self.get(variable)? {
                return Ok(Some((variable, value)));
            }
        }
        Ok(None)
    }

    /// `true` or `false`; unset is false.
    pub(super) fn flag(&self, variable: &str) -> Result<bool, WrongVariable> {
        match self.get(variable)? {
            None => Ok(false),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
            Some(value) => Err(wrong(variable, &value, "it is true or false")),
        }
    }

    /// A number within bounds.
    pub(super) fn number<N>(
        &self,
        variable: &str,
        bounds: RangeInclusive<N>,
    ) -> Result<Option<N>, WrongVariable>
    where
        N: FromStr + PartialOrd + fmt::Display,
    {
        let Some(value) = self.get(variable)? else {
            return Ok(None);
        };
        let number = value.parse().ok().filter(|number| bounds.contains(number));
        let (least, most) = bounds.into_inner();
        number.map(Some).ok_or_else(|| {
            wrong(
                variable,
                &value,
                format!("it is a number from {least} to {most}"),
            )
        })
    }

    /// A time in whole milliseconds.
    pub(super) fn milliseconds(&self, variable: &str) -> Result<Option<Duration>, WrongVariable> {
        // A day: more is a slip of the unit.
        let milliseconds = self.number(variable, 1..=86_400_000)?;
        Ok(milliseconds.map(Duration::from_millis))
    }

    /// Words with commas between them, each one of `allowed`, in capitals or not. `none` stands alone, and for nothing.
    pub(super) fn words<const N: usize>(
        &self,
        variable: &str,
        allowed: [&'static str; N],
    ) -> Result<Option<Vec<&'static str>>, WrongVariable> {
        let Some(value) = self.get(variable)? else {
            return Ok(None);
        };
        if value.eq_ignore_ascii_case("none") {
            return Ok(Some(Vec::new()));
        }
        let mut words = Vec::new();
        for word in value.split(',').map(str::trim) {
            let known = allowed
                .into_iter()
                .find(|known| known.eq_ignore_ascii_case(word));
            let Some(known) = known else {
                let reason = format!("use {}, or none", allowed.join(", "));
                return Err(wrong(variable, &value, reason));
            };
            if !words.contains(&known) {
                words.push(known);
            }
        }
        Ok(Some(words))
    }
}

/// A value that may be shown; passwords of an address are not.
pub(super) fn wrong(variable: &str, value: &str, reason: impl Into<String>) -> WrongVariable {
    WrongVariable {
        variable: variable.to_owned(),
        value: format!(" is {:?}", Redacted(value)),
        reason: reason.into(),
    }
}

/// A value that may not be shown.
pub(super) fn secret(variable: &str, reason: &str) -> WrongVariable {
    WrongVariable {
        variable: variable.to_owned(),
        value: String::new(),
        reason: reason.to_owned(),
    }
}
