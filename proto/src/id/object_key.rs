//! Object keys: the names of chunks in the bucket.

use std::{error::Error, fmt, str::FromStr};

use super::{CameraId, ChunkId, ChunkIdError, NameError, Run, chunk::parse_sequence};
use crate::v1;

/// First part of every key. Another layout would have another one, and both could share a bucket.
const VERSION: &str = "v1";

/// The last millisecond with 13 digits, 2286-11-20: later keys would not sort.
const MAX_START_MS: u64 = 9_999_999_999_999;

/// The key of a chunk's object: `v1/{site}/{camera}/{YYYY}/{MM}/{DD}/{HH}/{start unix
/// ms:013}-{duration in us}-{run}-{sequence:010}.{mp4|mkv|ts}`, in UTC.
///
/// * A pure function of the committed descriptor, so that one chunk has one object, for every
///   uploader and every attempt.
/// * Access rules, lifecycle and listing work by prefix; an hour of a camera lists in the order of
///   time.
/// * Start and duration are part of it, so that a timeline needs no more than the listing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectKey {
    /// The chunk.
    pub chunk: ChunkId,
    /// Its start on the wall clock, in Unix milliseconds, rounded down; at most 13 digits.
    pub start_ms: u64,
    /// Its duration, in microseconds.
    pub duration_us: u64,
    /// Its container; never unspecified.
    pub container: v1::Container,
}

impl ObjectKey {
    /// The key of a committed chunk.
    pub fn from_descriptor(chunk: &v1::ChunkReady) -> Result<Self, KeyError> {
        let start_us = chunk.wall.as_ref().ok_or(KeyError::NoWallClock)?.start_us;
        let start_ms = u64::try_from(start_us.div_euclid(1000)).ok();
        let container = chunk.container();
        if container == v1::Container::Unspecified {
            return Err(KeyError::Container(chunk.container.to_string()));
        }
        Ok(Self {
            chunk: ChunkId::from_wire(chunk.id.as_ref())?,
            start_ms: start_ms
                .filter(|&ms| ms <= MAX_START_MS)
                .ok_or(KeyError::Start(start_us))?,
            duration_us: u64::try_from(chunk.duration_us)
                .map_err(|_| KeyError::Duration(chunk.duration_us))?,
            container,
        })
    }
}

/// The key of a run's state: `v1/{site}/{camera}/runs/{run}-{next sequence:010}.json`.
pub fn run_state_key(state: &v1::RunState) -> Result<String, KeyError> {
    let next = ChunkId {
        camera: CameraId::from_wire(&state.site, &state.camera).map_err(ChunkIdError::from)?,
        run: state.run.parse().map_err(ChunkIdError::from)?,
        sequence: state.next_sequence,
    };
    Ok(format!(
        "{VERSION}/{}/runs/{}-{:010}.json",
        next.camera, next.run, next.sequence
    ))
}

fn extension(container: v1::Container) -> &'static str {
    match container {
        v1::Container::Mkv => "mkv",
        v1::Container::MpegTs => "ts",
        v1::Container::Mp4 | v1::Container::Unspecified => "mp4",
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ChunkId {
            camera,
            run,
            sequence,
        } = &self.chunk;
        let (hour, start, duration) = (
            Hour::from_unix_ms(self.start_ms),
            self.start_ms,
            self.duration_us,
        );
        let extension = extension(self.container);
        write!(
            f,
            "{VERSION}/{camera}/{hour}/{start:013}-{duration}-{run}-{sequence:010}.{extension}"
        )
    }
}

impl FromStr for ObjectKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let key = parse(text).ok_or_else(|| KeyError::Form(text.chars().take(300).collect()))??;
        // The folders repeat the hour, and numbers have more than one spelling: only the printed
        // form is a key.
        if key.to_string() == text {
            Ok(key)
        } else {
            Err(KeyError::Form(text.to_owned()))
        }
    }
}

/// `None` for another form; an error inside for a name or run that is refused.
fn parse(text: &str) -> Option<Result<ObjectKey, KeyError>> {
    let parts: Vec<&str> = text.split('/').collect();
    let [VERSION, site, camera, _year, _month, _day, _hour, file] = parts[..] else {
        return None;
    };
    let (stem, extension) = file.rsplit_once('.')?;
    let container = match extension {
        "mp4" => v1::Container::Mp4,
        "mkv" => v1::Container::Mkv,
        "ts" => v1::Container::MpegTs,
        _ => return None,
    };
    let fields: Vec<&str> = stem.split('-').collect();
    let [start, duration, run, sequence] = fields[..] else {
        return None;
    };
    let (start_ms, duration_us) = (start.parse().ok()?, duration.parse().ok()?);
    let chunk = || -> Result<ChunkId, ChunkIdError> {
        let camera = CameraId::from_wire(site, camera)?;
        let run: Run = run.parse()?;
        Ok(ChunkId {
            camera,
            run,
            sequence: parse_sequence(sequence)?,
        })
    };
    Some(chunk().map_err(KeyError::from).map(|chunk| ObjectKey {
        chunk,
        start_ms,
        duration_us,
        container,
    }))
}

/// `YYYY/MM/DD/HH` in UTC.
struct Hour {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
}

impl Hour {
    /// Howard Hinnant's `civil_from_days` (<https://howardhinnant.github.io/date_algorithms.html>)
    /// for days from 1970 on. Years begin in March, so that the leap day is the last of a year and
    /// one formula gives the lengths of all months.
    fn from_unix_ms(unix_ms: u64) -> Self {
        const DAYS_FROM_MARCH_OF_YEAR_ZERO: u64 = 719_468;
        const DAYS_PER_ERA: u64 = 146_097; // 400 years
        let hours = unix_ms / 3_600_000;
        let days = hours / 24 + DAYS_FROM_MARCH_OF_YEAR_ZERO;
        let (era, day_of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let month = if march_month < 10 {
            march_month + 3
        } else {
            march_month - 9
        };
        Self {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * march_month + 2) / 5 + 1,
            hour: hours % 24,
        }
    }
}

impl fmt::Display for Hour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04}/{:02}/{:02}/{:02}",
            self.year, self.month, self.day, self.hour
        )
    }
}

/// A descriptor without a key, or text that is not a key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// The text has another form.
    Form(String),
    /// The chunk id is not valid.
    Chunk(ChunkIdError),
    /// The descriptor has no wall-clock time.
    NoWallClock,
    /// The start is before 1970 or after 2286; microseconds.
    Start(i64),
    /// The duration is negative; microseconds.
    Duration(i64),
    /// A container that this version does not know.
    Container(String),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(text) => write!(f, "{text:?} is not the key of a chunk"),
            Self::Chunk(_) => f.write_str("object key"),
            Self::NoWallClock => f.write_str("the descriptor has no wall-clock time"),
            Self::Start(us) => write!(
                f,
                "a chunk cannot start at {us} us: keys reach from 1970 to 2286"
            ),
            Self::Duration(us) => write!(f, "a chunk cannot last {us} us"),
            Self::Container(number) => write!(f, "container {number} is not known to this version"),
        }
    }
}

impl Error for KeyError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Chunk(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ChunkIdError> for KeyError {
    fn from(error: ChunkIdError) -> Self {
        Self::Chunk(error)
    }
}

impl From<NameError> for KeyError {
    fn from(error: NameError) -> Self {
        Self::Chunk(error.into())
    }
}
