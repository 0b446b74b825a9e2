//! Settings of cutting: `--window 3s --audio keep --container mkv`.
//!
//! All of them are part of the names of a file's runs: a file cut in another way is another
//! recording.

use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::settings;

/// The flags about cutting, alike in every program.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub struct CutFlags {
    /// Length of a chunk, 100ms to 1h; cuts fall on the first key frame at or after each multiple
    /// of it
    #[arg(long, env = "CRISPY_WINDOW", value_name = "DURATION", default_value = "3s", value_parser = window)]
    pub window: Duration,

    /// What becomes of the sound
    #[arg(
        long,
        env = "CRISPY_AUDIO",
        value_name = "CHOICE",
        default_value = "drop"
    )]
    pub audio: Audio,

    /// What kind of file a chunk is; a source whose video it cannot hold is refused
    #[arg(
        long,
        env = "CRISPY_CONTAINER",
        value_name = "CHOICE",
        default_value = "auto"
    )]
    pub container: Container,
}

/// The treatment of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Audio {
    /// Chunks are silent
    Drop,
    /// The sound that belongs to the video is copied into its chunks
    Keep,
}

/// The kind of file of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Container {
    /// What suits video and sound: mp4 for what players expect in it, Matroska for the rest
    Auto,
    /// ISO base media, the index first
    Mp4,
    /// Matroska, which holds everything
    Mkv,
    /// MPEG transport stream
    Ts,
}

impl CutFlags {
    /// The same settings for a child process, in its environment.
    pub fn environment(&self) -> [(&'static str, String); 3] {
        [
            ("CRISPY_WINDOW", format!("{}us", self.window.as_micros())),
            ("CRISPY_AUDIO", word(self.audio)),
            ("CRISPY_CONTAINER", word(self.container)),
        ]
    }
}

/// A choice as the command line takes it.
fn word(choice: impl ValueEnum) -> String {
    let value = choice.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

/// From one frame of slow video to a large object.
fn window(text: &str) -> Result<Duration, String> {
    let window = settings::duration(text).map_err(|error| error.to_string())?;
    let allowed = Duration::from_millis(100)..=Duration::from_secs(3600);
    allowed
        .contains(&window)
        .then_some(window)
        .ok_or_else(|| "a window lasts from 100ms to 1h".into())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        cut: CutFlags,
    }

    fn parse(arguments: &[&str]) -> Result<CutFlags, clap::Error> {
        let words = ["program"].iter().chain(arguments);
        Program::try_parse_from(words).map(|program| program.cut)
    }

    #[test]
    fn chunks_are_silent_and_of_a_suitable_kind_by_default() {
        let cut = parse(&[]).unwrap();
        assert_eq!(
            (cut.window, cut.audio, cut.container),
            (Duration::from_secs(3), Audio::Drop, Container::Auto)
        );
    }

    #[test]
    fn a_child_gets_every_setting() {
        let arguments = ["--window=1500ms", "--audio=keep", "--container=ts"];
        let cut = parse(&arguments).unwrap();
        let flags = cut.environment().map(|(name, value)| {
            let flag = name.strip_prefix("CRISPY_").expect("as all of ours");
            format!("--{}={value}", flag.to_lowercase())
        });
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        assert_eq!(parse(&flags).unwrap(), cut);
    }

    #[test]
    fn an_unknown_choice_is_refused_with_the_known_ones() {
        let message = parse(&["--container=avi"]).unwrap_err().to_string();
        assert!(message.contains("auto, mp4, mkv, ts"), "{message}");
        assert!(parse(&["--window=1ms"]).is_err());
    }
}
