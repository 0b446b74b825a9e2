//! Subjects: the only place that builds and parses them.

use std::fmt;

use crispy_proto::id::CameraId;

use crate::{Prefix, Stage, Stream};

/// A subject of ours, and the stream that must capture it.
///
/// Only [`Subjects`] makes one, from checked names, so that it is always legal and exactly one
/// stream captures it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    text: String,
    stream: Stream,
}

impl Subject {
    /// Its text on the server.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The stream that captures it.
    pub fn stream(&self) -> Stream {
        self.stream
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The topic of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Topic {
    /// Committed chunks.
    Chunks,
    /// Run states.
    Runs,
    /// Upload events.
    Uploaded,
    /// Inspections.
    Inspected,
    /// Events of a camera.
    Events,
    /// Dead letters of a stage.
    Dead(Stage),
}

/// The subjects under one prefix: `{prefix}.{topic}.{site}.{camera}`.
#[derive(Clone, Debug)]
pub struct Subjects {
    prefix: Prefix,
}

impl Subjects {
    /// The subjects that begin with `prefix`.
    pub fn new(prefix: &Prefix) -> Self {
        Self {
            prefix: prefix.clone(),
        }
    }

    /// The subject of a camera's committed chunks.
    pub fn chunks(&self, camera: &CameraId) -> Subject {
        self.build("chunks", camera, Stream::Chunks)
    }

    /// The subject of a camera's run states.
    pub fn runs(&self, camera: &CameraId) -> Subject {
        self.build("runs", camera, Stream::Chunks)
    }

    /// The subject of a camera's upload events.
    pub fn uploaded(&self, camera: &CameraId) -> Subject {
        self.build("uploaded", camera, Stream::Uploaded)
    }

    /// The subject of a camera's inspections.
    pub fn inspected(&self, camera: &CameraId) -> Subject {
        self.build("inspected", camera, Stream::Inspected)
    }

    /// The subject of a camera's events.
    pub fn events(&self, camera: &CameraId) -> Subject {
        self.build("events", camera, Stream::Events)
    }

    /// The subject of `stage`'s dead letters about a camera.
    pub fn dead(&self, stage: Stage, camera: &CameraId) -> Subject {
        self.build(&format!("dead.{stage}"), camera, Stream::Dead)
    }

    /// The subject of operators' decisions about a camera's dead letters: in the same stream, after
    /// the dead letters themselves.
    pub fn decisions(&self, camera: &CameraId) -> Subject {
        self.build("dead.operator", camera, Stream::Dead)
    }

    /// Parses `subject`; `None` where it is not one of ours.
    pub fn parse(&self, subject: &str) -> Option<(Topic, CameraId)> {
        let rest = subject.strip_prefix(self.prefix.as_str())?;
        let tokens: Vec<&str> = rest.strip_prefix('.')?.split('.').collect();
        let (topic, site, camera) = match tokens[..] {
            ["chunks", site, camera] => (Topic::Chunks, site, camera),
            ["runs", site, camera] => (Topic::Runs, site, camera),
            ["uploaded", site, camera] => (Topic::Uploaded, site, camera),
            ["inspected", site, camera] => (Topic::Inspected, site, camera),
            ["events", site, camera] => (Topic::Events, site, camera),
            ["dead", stage, site, camera] => (Topic::Dead(stage.parse().ok()?), site, camera),
            _ => return None,
        };
        Some((topic, CameraId::from_wire(site, camera).ok()?))
    }

    fn build(&self, topic: &str, camera: &CameraId, stream: Stream) -> Subject {
        Subject {
            text: format!("{}.{topic}.{}.{}", self.prefix, camera.site, camera.camera),
            stream,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn building_and_parsing_are_inverse(
            prefix in "[a-z0-9][a-z0-9_-]{0,31}",
            site in "[a-z0-9][a-z0-9_-]{0,62}",
            camera in "[a-z0-9][a-z0-9_-]{0,62}",
        ) {
            let subjects = Subjects::new(&prefix.parse().unwrap());
            let camera = CameraId::from_wire(&site, &camera).unwrap();
            let dead = |stage| (subjects.dead(stage, &camera), Topic::Dead(stage));
            for (subject, topic) in [
                (subjects.chunks(&camera), Topic::Chunks),
                (subjects.runs(&camera), Topic::Runs),
                (subjects.uploaded(&camera), Topic::Uploaded),
                (subjects.inspected(&camera), Topic::Inspected),
                (subjects.events(&camera), Topic::Events),
                dead(Stage::Uploader),
                dead(Stage::Inspector),
            ] {
                prop_assert_eq!(subjects.parse(subject.as_str()), Some((topic, camera.clone())));
            }
        }

        #[test]
        fn the_parser_never_panics(text in ".{0,80}") {
            let _ = Subjects::new(&Prefix::default()).parse(&text);
        }

        #[test]
        fn exactly_its_own_stream_captures_each_subject(
            site in "[a-z0-9][a-z0-9_-]{0,62}",
            camera in "[a-z0-9][a-z0-9_-]{0,62}",
        ) {
            let prefix = Prefix::default();
            let subjects = Subjects::new(&prefix);
            let camera = CameraId::from_wire(&site, &camera).unwrap();
            for subject in [
                subjects.chunks(&camera),
                subjects.runs(&camera),
                subjects.uploaded(&camera),
                subjects.inspected(&camera),
                subjects.events(&camera),
                subjects.dead(Stage::Uploader, &camera),
                subjects.decisions(&camera),
            ] {
                let capturing: Vec<_> = Stream::ALL
                    .into_iter()
                    .filter(|stream| stream.subjects(&prefix).iter().any(|filter| captures(filter, subject.as_str())))
                    .collect();
                prop_assert_eq!(capturing, vec![subject.stream()]);
            }
        }
    }

    #[test]
    fn foreign_subjects_are_not_parsed() {
        let subjects = Subjects::new(&Prefix::default());
        for text in [
            "",
            "crispy",
            "crispy.",
            "crispy.chunks",
            "crispy.chunks.demo",
            "crispy.chunks.demo.front.more",
            "crispy.chunks.DEMO.front",
            "crispy.dead.demo.front",
            "crispy.dead.painter.demo.front",
            "other.chunks.demo.front",
            "crispyx.chunks.demo.front",
        ] {
            assert_eq!(subjects.parse(text), None, "{text:?}");
        }
    }

    /// The server's own rule for `*`.
    fn captures(filter: &str, subject: &str) -> bool {
        let (filter, subject): (Vec<_>, Vec<_>) =
            (filter.split('.').collect(), subject.split('.').collect());
        filter.len() == subject.len()
            && filter
                .iter()
                .zip(&subject)
                .all(|(pattern, token)| *pattern == "*" || pattern == token)
    }
}
