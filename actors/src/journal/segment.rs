//! The bytes of a segment file: a header, then batches of frames, each behind a header that vouches for all before it.
//!
//! A batch is begun only when the one before is synced, so a whole batch header proves that everything in front of it
//! was durable once. Damage there is damage, and refused; behind the last header it is a torn tail, and cut off.
//!
//! Segment header, 24 bytes: `ORJ1`, version (u32), position of the first frame (u64), CRC-32C (u32), zero (u32).
//! Batch header, 28 bytes: `ORB1`, position of its first frame (u64), its own offset (u64), number of frames (u32),
//! CRC-32C (u32). All little-endian.

use messages::frame;

/// The length of a segment header in bytes.
pub const SEGMENT_HEADER_BYTES: usize = 24;
/// The length of a batch header in bytes.
pub const BATCH_HEADER_BYTES: usize = 28;
const SEGMENT_MAGIC: [u8; 4] = *b"ORJ1";
const BATCH_MAGIC: [u8; 4] = *b"ORB1";
const VERSION: u32 = 1;

/// The name of the segment whose first frame has this position.
pub fn name(first: u64) -> String {
    format!("journal-{first:016x}.log")
}

/// The first position of the segment of this name, if it is one.
pub fn first_of(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_prefix("journal-")?.strip_suffix(".log")?, 16).ok()
}

/// The header of a segment.
pub fn segment_header(first: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(SEGMENT_HEADER_BYTES);
    out.extend_from_slice(&SEGMENT_MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&first.to_le_bytes());
    seal(&mut out);
    out.extend_from_slice(&[0; 4]);
    out
}

/// Whether the bytes begin with the header of the segment of this first position.
pub fn is_segment(bytes: &[u8], first: u64) -> bool {
    bytes.get(..SEGMENT_HEADER_BYTES).is_some_and(|header| header == segment_header(first))
}

/// A batch: its header and its frames. `offset` is where in the segment it is going to lie.
pub fn batch<F: AsRef<[u8]>>(first: u64, offset: u64, frames: &[F]) -> Vec<u8> {
    let mut out = batch_header(first, offset, u32::try_from(frames.len()).unwrap_or(u32::MAX));
    out.reserve(frames.iter().map(|frame| frame.as_ref().len()).sum());
    for frame in frames {
        out.extend_from_slice(frame.as_ref());
    }
    out
}

fn batch_header(first: u64, offset: u64, count: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(BATCH_HEADER_BYTES);
    out.extend_from_slice(&BATCH_MAGIC);
    out.extend_from_slice(&first.to_le_bytes());
    out.extend_from_slice(&offset.to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
    seal(&mut out);
    out
}

fn seal(out: &mut Vec<u8>) {
    let sum = crc32c::crc32c(out);
    out.extend_from_slice(&sum.to_le_bytes());
}

/// What a walk over a segment's batches found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Where the sound part ends.
    pub sound: usize,
    /// Where the last whole batch ends: a torn tail is cut off here, since a batch is durable as a whole or not at all.
    pub whole: usize,
    /// Where the last whole batch begins, for which nothing vouches.
    pub last: usize,
    /// How many frames are in the sound part.
    pub frames: u64,
    /// What is wrong with what follows, if anything follows.
    pub trouble: Option<String>,
}

/// Walks over the batches of a segment whose first frame has position `first`, and shows every frame.
pub fn walk(bytes: &[u8], first: u64, mut show: impl FnMut(u64, &[u8]) -> Result<(), String>) -> Walked {
    let begin = SEGMENT_HEADER_BYTES.min(bytes.len());
    let mut walked = Walked { sound: begin, whole: begin, last: begin, ..Walked::default() };
    if !is_segment(bytes, first) {
        (walked.sound, walked.whole) = (0, 0);
        walked.trouble = Some("the segment's header is damaged or cut short".into());
        return walked;
    }
    while walked.sound < bytes.len() {
        let at = walked.sound;
        walked.whole = at;
        let Some(count) = batch_at(bytes, at, first + walked.frames) else {
            walked.trouble = Some("no whole batch header is here".into());
            return walked;
        };
        let mut here = at + BATCH_HEADER_BYTES;
        walked.sound = here;
        for _ in 0..count {
            let seen = frame::inspect(&bytes[here..]).map_err(|error| error.to_string());
            let shown = seen.and_then(|(_, length)| {
                show(first + walked.frames, &bytes[here..here + length])?;
                Ok(length)
            });
            match shown {
                Ok(length) => here += length,
                Err(trouble) => {
                    walked.trouble = Some(trouble);
                    return walked;
                }
            }
            walked.frames += 1;
            walked.sound = here;
        }
        walked.last = at;
    }
    walked.whole = walked.sound;
    walked
}

fn batch_at(bytes: &[u8], at: usize, first: u64) -> Option<u32> {
    let header = bytes.get(at..at + BATCH_HEADER_BYTES)?;
    let count = u32::from_le_bytes(header[20..24].try_into().ok()?);
    (header == batch_header(first, at as u64, count)).then_some(count)
}

/// Whether a whole batch header of the segment that begins with position `first` lies anywhere behind `from`: then what
/// is in front of it was durable once. A crash may leave pages of an older segment, whose headers vouch for nothing.
pub fn vouched(bytes: &[u8], from: usize, first: u64) -> Option<usize> {
    let end = bytes.len().checked_sub(BATCH_HEADER_BYTES)?;
    (from..=end).find(|at| {
        let header = &bytes[*at..*at + BATCH_HEADER_BYTES];
        let position = header[4..12].try_into().ok().map(u64::from_le_bytes);
        let offset = header[12..20].try_into().ok().map(u64::from_le_bytes);
        header[..4] == BATCH_MAGIC
            && position >= Some(first)
            && offset == Some(*at as u64)
            && header[24..].try_into().ok().map(u32::from_le_bytes) == Some(crc32c::crc32c(&header[..24]))
    })
}
