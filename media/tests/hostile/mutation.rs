//! Real bytes made hostile: bits turned over, ends cut off, lengths that lie, parts that are there twice or inside themselves.

/// Numbers that look random and are the same each time: the number of a case is all it takes to have it again.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(case: u64) -> Dice {
        Dice(case)
    }

    /// From 0 to one less than `sides`; 0 where there are none. SplitMix64.
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % sides.max(1) as u64) as usize
    }
}

/// What lengths and counts are told to be where they lie.
const LIES: [u32; 10] = [
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

/// The boxes whose lengths are worth lying about, and which are worth having twice.
const BOXES: [&[u8; 4]; 12] = [
    b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"stsz", b"stts", b"ctts", b"edts",
    b"mdat", b"free",
];

/// The same bytes, harmed in one to four places.
pub(crate) fn harmed(seed: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=dice.roll(4) {
        harm(&mut bytes, dice);
    }
    bytes
}

fn harm(bytes: &mut Vec<u8>, dice: &mut Dice) {
    // what is in front is looked at by everybody: three of four harms are there
    let reach = if dice.roll(4) == 0 {
        bytes.len()
    } else {
        bytes.len().min(2048)
    };
    let at = dice.roll(reach);
    match dice.roll(7) {
        0 => bytes.truncate(at),
        1 => overwrite(bytes, at, &LIES[dice.roll(LIES.len())].to_be_bytes()),
        2 => {
            let part = part(bytes, at, dice);
            bytes.splice(at..at, part);
        }
        3 => {
            let end = at + part(bytes, at, dice).len();
            bytes.drain(at..end);
        }
        4 => lie_about_a_box(bytes, dice),
        5 => nest_a_box(bytes, dice),
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

/// Where a box of a random kind begins, if there is one.
fn some_box(bytes: &[u8], dice: &mut Dice) -> Option<usize> {
    let kind = BOXES[dice.roll(BOXES.len())];
    let letters = bytes.windows(4).position(|four| four == kind)?;
    letters.checked_sub(4)
}

fn lie_about_a_box(bytes: &mut [u8], dice: &mut Dice) {
    if let Some(at) = some_box(bytes, dice) {
        overwrite(bytes, at, &LIES[dice.roll(LIES.len())].to_be_bytes());
    }
}

/// Puts a box into itself, or behind itself, whole: its parents know nothing of it.
fn nest_a_box(bytes: &mut Vec<u8>, dice: &mut Dice) {
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
