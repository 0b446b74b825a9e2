//! Corrects the mp4 index for leading pictures, which libav's muxer gets wrong.
//!
//! libav takes the time of the first *stored* picture for the beginning. In a chunk that begins
//! with an open group, earlier pictures are stored after it: an edit list would hide them, and the
//! length would lack them.
//!
//! ```text
//!   libav      edit: nothing for 40 ms, then from the key frame on   length: from the key frame on
//!   corrected  edit: everything from the first shown picture on     length: the chunk's interval
//! ```

use crate::boxes::inside;

/// Moves the beginning to the picture that is shown `lead` ticks before the first stored one.
///
/// `None` if the index is not of the form that libav writes for one track; it may be partly changed
/// then.
pub(super) fn begin_with_leading_pictures(file: &mut [u8], lead: i64) -> Option<()> {
    let lead = i32::try_from(lead).ok()?;
    let track = inside(file, inside(file, 0..file.len(), b"moov")?, b"trak")?;
    let media = inside(file, track.clone(), b"mdia")?;
    let table = inside(file, inside(file, media.clone(), b"minf")?, b"stbl")?;

    let header = inside(file, media, b"mdhd")?;
    let length = add_to_length(file.get_mut(header)?, lead)?;
    shift_compositions(file.get_mut(inside(file, table, b"ctts")?)?, lead)?;
    let edits = inside(file, track, b"edts")?;
    show_everything(file.get_mut(edits)?, length)
}

/// Lengthens the track in its media header; returns the new length in ticks.
fn add_to_length(header: &mut [u8], lead: i32) -> Option<u64> {
    let lead = u64::try_from(lead).ok()?;
    // Version and flags, times of creation and change, timescale; then the length.
    match header[0] {
        0 => {
            let field = header.get_mut(16..)?.first_chunk_mut::<4>()?;
            let length = u64::from(u32::from_be_bytes(*field)) + lead;
            *field = u32::try_from(length).ok()?.to_be_bytes();
            Some(length)
        }
        _ => {
            let field = header.get_mut(24..)?.first_chunk_mut::<8>()?;
            let length = u64::from_be_bytes(*field) + lead;
            *field = length.to_be_bytes();
            Some(length)
        }
    }
}

/// Moves every composition time, so that the first shown picture is at zero.
fn shift_compositions(offsets: &mut [u8], lead: i32) -> Option<()> {
    let entries = offsets.get_mut(8..)?; // After version, flags and count.
    for entry in entries.chunks_exact_mut(8) {
        let field = entry.last_chunk_mut::<4>()?;
        *field = i32::from_be_bytes(*field).checked_add(lead)?.to_be_bytes();
    }
    Some(())
}

/// Replaces libav's empty edit and the edit for the rest by one edit that shows the whole track.
/// The room that is left becomes a free box.
fn show_everything(edits: &mut [u8], length: u64) -> Option<()> {
    let room = edits.len();
    let mut list = Vec::with_capacity(room);
    match u32::try_from(length) {
        Ok(length) => {
            list.extend_from_slice(&28u32.to_be_bytes());
            list.extend_from_slice(b"elst\0\0\0\0\0\0\0\x01");
            list.extend_from_slice(&length.to_be_bytes());
            list.extend_from_slice(&0u32.to_be_bytes());
        }
        Err(_) => {
            list.extend_from_slice(&36u32.to_be_bytes());
            list.extend_from_slice(b"elst\x01\0\0\0\0\0\0\x01");
            list.extend_from_slice(&length.to_be_bytes());
            list.extend_from_slice(&0u64.to_be_bytes());
        }
    }
    list.extend_from_slice(&[0, 1, 0, 0]); // At normal speed.
    match room.checked_sub(list.len())? {
        0 => {}
        left @ 8.. => {
            list.extend_from_slice(&u32::try_from(left).ok()?.to_be_bytes());
            list.extend_from_slice(b"free");
            list.resize(room, 0);
        }
        _ => return None,
    }
    edits.copy_from_slice(&list);
    Some(())
}
