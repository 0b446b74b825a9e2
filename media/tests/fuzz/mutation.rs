//! Mutations of valid bytes: flipped bits, truncation, wrong lengths, repeated and nested parts.

/// A deterministic random generator: the number of a case reproduces it.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(case: u64) -> Dice {
        Dice(case)
    }

    /// A number below `sides`; 0 without any. SplitMix64.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides.max(1) as u64) as usize
    }
}

/// Wrong lengths and counts.
const WRONG_LENGTHS: [u32; 10] = [
    0,
    1,
    7,
    8,
    9,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0xffff_fff0,
    0x0100_0000,
];

/// The boxes to corrupt or repeat.
const BOXES: [&[u8; 4]; 12] = [
    b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"stsz", b"stts", b"ctts", b"edts",
    b"mdat", b"free",
];

/// The same bytes with one to four mutations.
pub(crate) fn mutate(seed: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=dice.roll(4) {
        mutate_once(&mut bytes, dice);
    }
    bytes
}

fn mutate_once(bytes: &mut Vec<u8>, dice: &mut Dice) {
    // Every parser reads the front: three of four mutations are there.
    let reach = if dice.roll(4) == 0 {
        bytes.len()
    } else {
        bytes.len().min(2048)
    };
    let at = dice.roll(reach);
    match dice.roll(7) {
        0 => bytes.truncate(at),
        1 => overwrite(
            bytes,
            at,
            &WRONG_LENGTHS[dice.roll(WRONG_LENGTHS.len())].to_be_bytes(),
        ),
        2 => {
            let part = part(bytes, at, dice);
            bytes.splice(at..at, part);
        }
        3 => {
            let end = at + part(bytes, at, dice).len();
            bytes.drain(at..end);
        }
        4 => corrupt_box_length(bytes, dice),
        5 => nest_box(bytes, dice),
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << dice.roll(8);
            }
        }
    }
}

fn part(bytes: &[u8], at: usize, dice: &mut Dice) -> Vec<u8> {
    let end = at + dice.roll((bytes.len() - at).min(512));
    bytes[at..end].to_vec()
}

fn overwrite(bytes: &mut [u8], at: usize, with: &[u8]) {
    for (byte, new) in bytes.iter_mut().skip(at).zip(with) {
        *byte = *new;
    }
}

/// The offset of a box of a random kind, if there is one.
fn some_box(bytes: &[u8], dice: &mut Dice) -> Option<usize> {
    let kind = BOXES[dice.roll(BOXES.len())];
    let letters = bytes.windows(4).position(|four| four == kind)?;
    letters.checked_sub(4)
}

fn corrupt_box_length(bytes: &mut [u8], dice: &mut Dice) {
    if let Some(at) = some_box(bytes, dice) {
        overwrite(
            bytes,
            at,
            &WRONG_LENGTHS[dice.roll(WRONG_LENGTHS.len())].to_be_bytes(),
        );
    }
}

/// Copies a whole box into or behind itself, without updating its parents.
fn nest_box(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let Some(at) = some_box(bytes, dice) else {
        return;
    };
    let length = u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let end = at.saturating_add(length as usize).min(bytes.len());
    let whole = bytes[at..end.max(at)].to_vec();
    let into = if dice.roll(2) == 0 {
        (at + 8).min(bytes.len())
    } else {
        end.max(at)
    };
    bytes.splice(into..into, whole);
}
