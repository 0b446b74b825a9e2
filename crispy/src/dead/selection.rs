//! Which dead letters are meant. Pure.

use std::time::Duration;

use crispy_proto::id::Name;
use crispy_queue::{DeadLetterFilter, Stage, StoredDeadLetter};
use jiff::Timestamp;

/// The flags that choose among dead letters; none of them means all.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
#[command(next_help_heading = "Which ones")]
pub(crate) struct Selection {
    /// Given up by this stage: uploader or inspector
    #[arg(long, value_name = "STAGE")]
    stage: Option<Stage>,

    /// Of this site
    #[arg(long, value_name = "NAME")]
    site: Option<Name>,

    /// Of this camera
    #[arg(long, value_name = "NAME")]
    camera: Option<Name>,

    /// With these words in the reason, in any case
    #[arg(long, value_name = "WORDS")]
    reason: Option<String>,

    /// Given up at this time or later: 2026-11-22T19:00:00Z, or 2h for two hours ago
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Timestamp>,

    /// Given up before this time
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Timestamp>,
}

impl Selection {
    /// Whether it leaves nothing out.
    pub(super) fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// What the server can choose by itself.
    pub(super) fn plot(&self) -> DeadLetterFilter {
        DeadLetterFilter {
            stage: self.stage,
            site: self.site.clone(),
            camera: self.camera.clone(),
        }
    }

    /// Whether a letter of [`Self::plot`] is meant.
    pub(super) fn wants(&self, buried: &StoredDeadLetter) -> bool {
        let letter = &buried.letter;
        let words = self.reason.as_ref().map(|words| words.to_lowercase());
        let at = letter.last_failure_us;
        words.is_none_or(|words| letter.reason.to_lowercase().contains(&words))
            && self.since.is_none_or(|since| at >= since.as_microsecond())
            && self.until.is_none_or(|until| at < until.as_microsecond())
    }
}

/// A time, or how long ago it was.
fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let ago: Duration = crispy_runtime::settings::duration(text).map_err(|_| {
        "neither a time (2026-11-22T19:00:00Z) nor a duration (2h: two hours ago)".to_owned()
    })?;
    Timestamp::now()
        .checked_sub(ago)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crispy_proto::v1::DeadLetter;

    fn buried(reason: &str, at_us: i64) -> StoredDeadLetter {
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
    fn each_filter_leaves_out_what_it_does_not_name() {
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
        for (selection, reason, us, wanted) in [
            (&all, "anything", 5, true),
            (&words, "put object: BUCKET is read-only", 5, true),
            (&words, "gone", 5, false),
            (&since, "", 9, false),
            (&since, "", 10, true),
            (&until, "", 9, true),
            (&until, "", 10, false),
        ] {
            let found = selection.wants(&buried(reason, us));
            assert_eq!(found, wanted, "{selection:?} {reason:?} {us}");
        }
        assert!(all.is_all() && !words.is_all() && !until.is_all());
    }

    #[test]
    fn a_time_may_be_said_as_one_or_as_how_long_ago() {
        assert_eq!(moment("1970-01-01T00:00:01Z"), Ok(at(1_000_000).unwrap()));
        let ago = Timestamp::now().duration_since(moment("2h").unwrap());
        assert!((7190..7210).contains(&ago.as_secs()), "{ago}");
        assert!(moment("yesterday").is_err());
    }
}
