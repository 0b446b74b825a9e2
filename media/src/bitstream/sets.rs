//! The active parameter sets, and their changes.

use std::collections::BTreeMap;

use super::{Framing, h264, h265, records, unescape, units};
use crate::video::Codec;

/// Parameter sets by kind and number, as in a decoder.
///
/// A camera's description of its stream may be stale, and its resolution may change while it runs;
/// the sets within the stream are right. Sets are compared byte by byte: any difference needs a new
/// sample entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParameterSets {
    h265: bool,
    sets: BTreeMap<(u8, u32), Vec<u8>>,
}

impl ParameterSets {
    /// The sets of a configuration, in either framing; `None` for codecs without any.
    pub(crate) fn new(codec: Codec, configuration: &[u8]) -> Option<ParameterSets> {
        let h265 = match codec {
            Codec::H264 => false,
            Codec::H265 => true,
            _ => return None,
        };
        let mut sets = ParameterSets {
            h265,
            sets: BTreeMap::new(),
        };
        let list = if h265 {
            h265::sets(configuration)
        } else {
            h264::sets(configuration)
        };
        for set in list {
            sets.insert(set);
        }
        Some(sets)
    }

    /// Stores the sets in a packet; returns true if any of them is new or different.
    pub(crate) fn update(&mut self, packet: &[u8], framing: Framing) -> bool {
        // Every set is stored, so this must not stop at the first that differs.
        units(packet, framing)
            .filter(|unit| self.insert(unit))
            .count()
            > 0
    }

    /// The configuration with all sets, in the given framing; `None` without a sequence and a
    /// picture parameter set.
    pub(crate) fn configuration(&self, framing: Framing) -> Option<Vec<u8>> {
        match framing {
            Framing::StartCodes => {
                let with_code = |set: &Vec<u8>| [&[0, 0, 0, 1], set.as_slice()].concat();
                (!self.sets.is_empty()).then(|| self.sets.values().flat_map(with_code).collect())
            }
            Framing::Lengths(size) if self.h265 => {
                let kinds = h265::SET_KINDS.map(|kind| (kind, self.of_kind(kind)));
                records::hvcc(&kinds, size)
            }
            Framing::Lengths(size) => {
                let [sequence, picture] = h264::SET_KINDS.map(|kind| self.of_kind(kind));
                records::avcc(&sequence, &picture, size)
            }
        }
    }

    fn of_kind(&self, kind: u8) -> Vec<&[u8]> {
        self.sets
            .range((kind, 0)..=(kind, u32::MAX))
            .map(|(_, set)| set.as_slice())
            .collect()
    }

    /// Stores a unit if it is a parameter set; returns true if it is new or different.
    fn insert(&mut self, unit: &[u8]) -> bool {
        let header = unescape(unit, 64);
        let key = if self.h265 {
            h265::set_key(&header)
        } else {
            h264::set_key(&header)
        };
        let Some(key) = key else { return false };
        // Zeros after the last bit are padding of the transport.
        let end = unit
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |last| last + 1);
        let unit = &unit[..end];
        if self.sets.get(&key).is_some_and(|held| held == unit) {
            return false;
        }
        self.sets.insert(key, unit.to_vec());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Baseline, 4:2:0, number 0 and 1.
    const SPS: [u8; 8] = [0x67, 66, 0, 30, 0xda, 0x02, 0x80, 0xf6];
    const PPS: [u8; 4] = [0x68, 0xce, 0x38, 0x80];

    fn annex_b(units: &[&[u8]]) -> Vec<u8> {
        units
            .iter()
            .flat_map(|unit| [&[0, 0, 0, 1], *unit].concat())
            .collect()
    }

    #[test]
    fn repeated_sets_change_nothing() {
        let configuration = annex_b(&[&SPS, &PPS]);
        let mut sets = ParameterSets::new(Codec::H264, &configuration).unwrap();
        assert!(!sets.update(
            &annex_b(&[&[9, 0xf0], &SPS, &PPS, &[0x65, 1, 2, 3]]),
            Framing::StartCodes
        ));
        assert_eq!(
            sets.configuration(Framing::StartCodes).unwrap(),
            configuration
        );
    }

    #[test]
    fn a_different_set_replaces_its_number() {
        let mut sets = ParameterSets::new(Codec::H264, &annex_b(&[&SPS, &PPS])).unwrap();
        let mut larger = SPS;
        larger[3] = 40;
        assert!(sets.update(&annex_b(&[&larger]), Framing::StartCodes));
        assert_eq!(
            sets.configuration(Framing::StartCodes).unwrap(),
            annex_b(&[&larger, &PPS])
        );
    }

    #[test]
    fn records_contain_their_sets() {
        let sets = ParameterSets::new(Codec::H264, &annex_b(&[&SPS, &PPS])).unwrap();
        let record = sets.configuration(Framing::Lengths(4)).unwrap();
        assert_eq!(Framing::from_avcc(&record), Framing::Lengths(4));
        assert_eq!(ParameterSets::new(Codec::H264, &record).unwrap(), sets);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200), h265 in any::<bool>()) {
            let codec = if h265 { Codec::H265 } else { Codec::H264 };
            let mut sets = ParameterSets::new(codec, &bytes).unwrap();
            sets.update(&bytes, Framing::StartCodes);
            let coded = [&[0, 0, 1, if h265 { 66 } else { 0x67 }][..], &bytes].concat();
            sets.update(&coded, Framing::StartCodes);
            sets.configuration(Framing::StartCodes);
            sets.configuration(Framing::Lengths(4));
        }
    }
}
