//! What `crispy up -o jsonl` said: a line for each inspected chunk, and a summary.

use std::collections::BTreeSet;

use serde_json::Value;

/// The fields that each chunk's line is documented to have.
const CHUNK: [&str; 20] = [
    "type",
    "site",
    "camera",
    "run",
    "sequence",
    "object",
    "from",
    "to",
    "duration_s",
    "packets",
    "frames",
    "width",
    "height",
    "channels",
    "codec",
    "size",
    "crc32c",
    "sha256",
    "media_link",
    "agrees",
];

/// Guarantee: every line was a JSON object, chunks' lines with every documented field, and the last one, and only that, is the summary.
#[derive(Debug)]
pub(crate) struct Answers {
    /// As they came, which need not be the order of their sequences.
    pub(crate) chunks: Vec<Value>,
    pub(crate) summary: Value,
}

impl Answers {
    #[track_caller]
    pub(crate) fn of(lines: &[String]) -> Self {
        let parse = |line: &String| -> Value {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
        };
        let mut values: Vec<Value> = lines.iter().map(parse).collect();
        let summary = values.pop().expect("stdout has a summary");
        assert_eq!(summary["type"], "summary", "the last line is {summary}");
        for chunk in &values {
            assert_eq!(chunk["type"], "chunk", "a line before the last is {chunk}");
            for field in CHUNK {
                assert!(!chunk[field].is_null(), "{field} is missing in {chunk}");
            }
        }
        Self {
            chunks: values,
            summary,
        }
    }

    /// The summary's number called `name`.
    #[track_caller]
    pub(crate) fn count(&self, name: &str) -> u64 {
        let value = self.summary[name].as_u64();
        value.unwrap_or_else(|| panic!("no number {name} in {}", self.summary))
    }

    /// A camera's chunks in the order of their sequences.
    pub(crate) fn of_camera(&self, camera: &str) -> Vec<&Value> {
        let mut chunks: Vec<_> = self
            .chunks
            .iter()
            .filter(|chunk| chunk["camera"] == camera)
            .collect();
        chunks.sort_by_key(|chunk| chunk["sequence"].as_u64());
        chunks
    }

    /// The objects that were told of.
    pub(crate) fn objects(&self) -> BTreeSet<String> {
        let objects = self.chunks.iter();
        objects
            .filter_map(|chunk| Some(chunk["object"].as_str()?.to_owned()))
            .collect()
    }
}
