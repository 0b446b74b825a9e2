//! What a decoder must know of a stretch of a stream: the sample description, and when another one is needed.

use std::sync::Arc;

use crate::bitstream::{Framing, ParameterSets};
use crate::codec::Classifier;
use crate::ffi::{LibavError, Packet, Parameters};
use crate::video::VideoFormat;

/// What the pictures are, and what a decoder must know to show them.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// What the pictures are.
    pub(crate) format: Arc<VideoFormat>,
    /// What goes into the container's header.
    pub(crate) parameters: Arc<Parameters>,
}

/// The entry in force, and what is compared with it.
pub(super) struct Entries {
    /// All so far; a sample's number is its place here.
    all: Vec<Entry>,
    /// The parameter sets in force, for codecs that have them.
    sets: Option<ParameterSets>,
    classifier: Classifier,
}

impl Entries {
    /// Begins with what the header says.
    pub(super) fn new(first: Entry) -> Entries {
        let (codec, configuration) = (first.format.codec, first.parameters.extradata());
        let sets = ParameterSets::of(codec, configuration);
        let classifier = Classifier::new(codec, configuration, first.format.has_b_frames);
        Entries {
            all: vec![first],
            sets,
            classifier,
        }
    }

    /// How packets are to be read.
    pub(super) fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// The entry with this number.
    pub(super) fn get(&self, number: u32) -> Option<&Entry> {
        self.all.get(usize::try_from(number).ok()?)
    }

    /// The first entry.
    pub(super) fn first(&self) -> &Entry {
        &self.all[0]
    }

    /// The number of the entry that a key frame needs: a new one if it brings other parameter sets.
    pub(super) fn for_key_frame(&mut self, packet: &Packet) -> Result<u32, LibavError> {
        if let Some(configuration) = self.changed(packet) {
            self.add(configuration)?;
        }
        Ok(u32::try_from(self.all.len() - 1).unwrap_or(u32::MAX))
    }

    /// The number of the entry in force.
    pub(super) fn current(&self) -> u32 {
        u32::try_from(self.all.len() - 1).unwrap_or(u32::MAX)
    }

    /// The configuration that a packet changes to, if it does.
    fn changed(&mut self, packet: &Packet) -> Option<Vec<u8>> {
        let codec = self.first().format.codec;
        let sets = self.sets.as_mut()?;
        if let Some(configuration) = packet.new_configuration() {
            let told = ParameterSets::of(codec, configuration)?;
            if told != *sets {
                *sets = told;
                return Some(configuration.to_vec());
            }
        }
        let framing: Framing = self.classifier.framing();
        if sets.update(packet.data(), framing) {
            sets.configuration(framing)
        } else {
            None
        }
    }

    fn add(&mut self, configuration: Vec<u8>) -> Result<(), LibavError> {
        let last = &self.all[self.all.len() - 1];
        // sets that make no sense change nothing: a decoder will not believe them either
        let Some(set) = last.format.codec.sequence(&configuration) else {
            return Ok(());
        };
        let parameters = last
            .parameters
            .with_configuration(&configuration, (set.width, set.height))?;
        let format = last.format.with_sequence(&set, &parameters);
        self.classifier = Classifier::new(format.codec, &configuration, format.has_b_frames);
        self.all.push(Entry {
            format: Arc::new(format),
            parameters: Arc::new(parameters),
        });
        Ok(())
    }
}
