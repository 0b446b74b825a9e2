//! Filters of dead letters. Pure.

use std::time::Duration;

use crispy_proto::id::Name;
use crispy_queue::{DeadLetterFilter, Stage, StoredDeadLetter};
use jiff::Timestamp;

/// The filter flags; none of them selects all.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
#[command(next_help_heading = "Filters")]
pub(crate) struct Selection {
    /// Only of this stage: uploader or inspector
    #[arg(long, value_name = "STAGE")]
    stage: Option<Stage>,

    /// Only of this site
    #[arg(long, value_name = "NAME")]
    site: Option<Name>,

    /// Only of this camera
    #[arg(long, value_name = "NAME")]
    camera: Option<Name>,

    /// Only with this text in the reason, in any case
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,

    /// Only from this time on: 2026-11-22T19:00:00Z, or 2h for two hours ago
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<Timestamp>,

    /// Only before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<Timestamp>,
}

impl Selection {
    /// Whether it selects all.
    pub(super) fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// The part of the filter that the server applies.
    pub(super) fn filter(&self) -> DeadLetterFilter {
        DeadLetterFilter {
            stage: self.stage,
            site: self.site.clone(),
            camera: self.camera.clone(),
        }
    }

    /// Whether a letter of [`Self::filter`] is selected.
    pub(super) fn matches(&self, stored: &StoredDeadLetter) -> bool {
        let letter = &stored.letter;
        let text = self.reason.as_ref().map(|text| text.to_lowercase());
        let at = letter.last_failure_us;
        text.is_none_or(|text| letter.reason.to_lowercase().contains(&text))
            && self.since.is_none_or(|since| at >= since.as_microsecond())
            && self.until.is_none_or(|until| at < until.as_microsecond())
    }
}

/// Parses a time or an age.
fn parse_time(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let ago: Duration = crispy_runtime::settings::duration(text).map_err(|_| {
        "expected a time (2026-11-22T19:00:00Z) or an age (2h: two hours ago)".to_owned()
    })?;
    Timestamp::now()
        .checked_sub(ago)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crispy_proto::v1::DeadLetter;

    fn stored(reason: &str, at_us: i64) -> StoredDeadLetter {
        StoredDeadLetter {
            sequence: 1,
            stage: Stage::Uploader,
            camera: "demo/front".parse().unwrap(),
            stored: Timestamp::UNIX_EPOCH,
            letter: DeadLetter {
                reason: reason.into(),
                last_failure_us: at_us,
                ..DeadLetter::default()
            },
        }
    }

    fn at(us: i64) -> Option<Timestamp> {
        Some(Timestamp::from_microsecond(us).unwrap())
    }

    #[test]
    fn each_filter_selects_its_matches() {
        let all = Selection::default();
        let words = Selection {
            reason: Some("Bucket".into()),
            ..all.clone()
        };
        let since = Selection {
            since: at(10),
            ..all.clone()
        };
        let until = Selection {
            until: at(10),
            ..all.clone()
        };
        for (selection, reason, us, expected) in [
            (&all, "anything", 5, true),
            (&words, "put object: BUCKET is read-only", 5, true),
            (&words, "gone", 5, false),
            (&since, "", 9, false),
            (&since, "", 10, true),
            (&until, "", 9, true),
            (&until, "", 10, false),
        ] {
            let found = selection.matches(&stored(reason, us));
            assert_eq!(found, expected, "{selection:?} {reason:?} {us}");
        }
        assert!(all.is_all() && !words.is_all() && !until.is_all());
    }

    #[test]
    fn a_time_is_given_as_such_or_as_an_age() {
        assert_eq!(
            parse_time("1970-01-01T00:00:01Z"),
            Ok(at(1_000_000).unwrap())
        );
        let ago = Timestamp::now().duration_since(parse_time("2h").unwrap());
        assert!((7190..7210).contains(&ago.as_secs()), "{ago}");
        assert!(parse_time("yesterday").is_err());
    }
}
