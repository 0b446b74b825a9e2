//! Sample entries: the decoder parameters of a stretch of a stream, and their changes.

use std::sync::Arc;

use crate::bitstream::{Field, FieldReader, Framing, ParameterSets};
use crate::codec::Classifier;
use crate::ffi::{LibavError, Packet, Parameters};
use crate::video::{Codec, VideoFormat};

/// The format of the pictures, and the decoder's parameters.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Format of the pictures.
    pub(crate) format: Arc<VideoFormat>,
    /// Parameters for the container's header.
    pub(crate) parameters: Arc<Parameters>,
}

/// The sample entries of a source, and the state to detect changes.
pub(super) struct Entries {
    /// All so far; a sample's number is its index here.
    all: Vec<Entry>,
    /// The parameter sets in force, for codecs that have them.
    sets: Option<ParameterSets>,
    classifier: Classifier,
    /// For streams whose pictures may come as two fields.
    fields: Option<FieldReader>,
    /// The previous packet, if it was the first field of a frame.
    first_field: Option<Field>,
}

impl Entries {
    /// Begins with the header's entry.
    pub(super) fn new(first: Entry) -> Entries {
        let (codec, configuration) = (first.format.codec, first.parameters.extradata());
        let sets = ParameterSets::new(codec, configuration);
        let classifier = Classifier::new(codec, configuration, first.format.has_b_frames);
        let fields = field_reader(codec, configuration);
        Entries {
            all: vec![first],
            sets,
            classifier,
            fields,
            first_field: None,
        }
    }

    /// The classifier of packets.
    pub(super) fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// Returns true if a packet is the second field of the frame that the previous packet began.
    pub(super) fn completes_frame(&mut self, packet: &Packet) -> bool {
        let field = self.fields.and_then(|fields| fields.read(packet.data()));
        let completes = field
            .zip(self.first_field)
            .is_some_and(|(field, first)| field.completes(first));
        self.first_field = field.filter(|_| !completes);
        completes
    }

    /// The entry with this number.
    pub(super) fn get(&self, number: u32) -> Option<&Entry> {
        self.all.get(usize::try_from(number).ok()?)
    }

    /// The first entry.
    pub(super) fn first(&self) -> &Entry {
        &self.all[0]
    }

    /// The number of a key frame's entry: a new one if it brings other parameter sets.
    pub(super) fn for_key_frame(&mut self, packet: &Packet) -> Result<u32, LibavError> {
        if let Some(configuration) = self.changed(packet) {
            self.add(configuration)?;
        }
        Ok(self.current())
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
            let new = ParameterSets::new(codec, configuration)?;
            if new != *sets {
                *sets = new;
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
        // Invalid sets change nothing: a decoder ignores them too.
        let Some(set) = last.format.codec.sequence(&configuration) else {
            return Ok(());
        };
        let parameters = last
            .parameters
            .with_configuration(&configuration, (set.width, set.height))?;
        let format = last.format.with_sequence(&set, &parameters);
        self.classifier = Classifier::new(format.codec, &configuration, format.has_b_frames);
        self.fields = field_reader(format.codec, &configuration);
        self.all.push(Entry {
            format: Arc::new(format),
            parameters: Arc::new(parameters),
        });
        Ok(())
    }
}

fn field_reader(codec: Codec, configuration: &[u8]) -> Option<FieldReader> {
    if codec == Codec::H264 {
        FieldReader::new(configuration)
    } else {
        None
    }
}
