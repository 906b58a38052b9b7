//! The frame: a group commit of one shard. Atomic, checksummed, and chained by hash to the frame before it.
//!
//! The same bytes lie in local files, in a JetStream stream and on the simulator's disk:
//!
//! | bytes | what |
//! |---|---|
//! | 4 | `ORF1` |
//! | 2 | shard |
//! | 2 | flags: 1 = a claim, which has no entries |
//! | 8 | epoch of the writer |
//! | 8 | sequence within the shard, from 1; zero in a claim |
//! | 32 | the shard's chain before this frame; zero in a claim |
//! | 4 | number of entries |
//! | 4 | length of what follows |
//! | n | the entries' records |
//! | 4 | CRC-32C of everything before |
//!
//! The chain of a shard begins with zeros; each frame turns it into the SHA-256 of the chain before and the frame's
//! bytes. A claim is written without knowing what came last, so it names no chain itself, but it takes part in the
//! chain, and the next frame of entries seals it.

use crate::codec::{CodecError, EntryLabel, decode_entry, encode_entry, label_entry};
use crate::entry::Entry;
use sha2::{Digest, Sha256};

const MAGIC: [u8; 4] = *b"ORF1";
/// Bytes before the entries.
pub const HEADER_BYTES: usize = 64;
/// Bytes after the entries.
pub const TRAILER_BYTES: usize = 4;
/// The longest run of entries in one frame, in bytes.
pub const ENTRIES_BYTES_MAX: usize = 32 << 20;
const CLAIM: u16 = 1;

/// The running hash of all frames of a shard.
pub type Hash = [u8; 32];

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// The shard.
    pub shard: u16,
    /// Whether it is a claim: the first frame of an owner.
    pub claim: bool,
    /// The epoch of the writer.
    pub epoch: u64,
    /// Its place in the shard, claims counted, from 1; zero in a claim.
    pub sequence: u64,
    /// The chain before it; zero in a claim.
    pub previous: Hash,
    /// How many entries.
    pub count: u32,
}

/// Why bytes are not a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// There are fewer bytes than the header announces.
    #[error("frame is cut short: {have} bytes of {need}")]
    Short {
        /// Bytes at hand.
        have: usize,
        /// Bytes needed.
        need: usize,
    },
    /// It does not begin like a frame.
    #[error("not a frame: the magic bytes are missing")]
    Magic,
    /// It announces more than any frame may have.
    #[error("frame of {0} bytes is longer than the limit of {ENTRIES_BYTES_MAX}")]
    Long(usize),
    /// The checksum is wrong.
    #[error("frame is damaged: its checksum does not match")]
    Checksum,
    /// An entry in it does not decode.
    #[error("entry {index} of the frame: {cause}")]
    Entry {
        /// Which entry, from 0.
        index: u32,
        /// What is wrong with it.
        cause: CodecError,
    },
    /// The number of entries is not what the header says.
    #[error("frame has bytes left over after its {0} entries")]
    LeftOver(u32),
}

/// The bytes of a frame.
pub fn encode(head: &FrameHead, entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES + entries.len() * 256);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&head.shard.to_le_bytes());
    out.extend_from_slice(&(if head.claim { CLAIM } else { 0 }).to_le_bytes());
    out.extend_from_slice(&head.epoch.to_le_bytes());
    out.extend_from_slice(&head.sequence.to_le_bytes());
    out.extend_from_slice(&head.previous);
    out.extend_from_slice(&u32::try_from(entries.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    for entry in entries {
        encode_entry(entry, &mut out);
    }
    let length = u32::try_from(out.len() - HEADER_BYTES).unwrap_or(u32::MAX);
    out[HEADER_BYTES - 4..HEADER_BYTES].copy_from_slice(&length.to_le_bytes());
    let sum = crc32c::crc32c(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

/// The chain after a frame.
pub fn chain(previous: &Hash, frame: &[u8]) -> Hash {
    Sha256::new().chain_update(previous).chain_update(frame).finalize().into()
}

fn word<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut word = [0; N];
    word.copy_from_slice(&bytes[at..at + N]);
    word
}

/// The head of the frame that begins `bytes`, and how long the frame is, in bytes. Checks the checksum.
///
/// # Errors
/// When the bytes are cut short, not a frame, or damaged.
pub fn inspect(bytes: &[u8]) -> Result<(FrameHead, usize), FrameError> {
    let short = |need| FrameError::Short { have: bytes.len(), need };
    if bytes.len() < HEADER_BYTES {
        return Err(short(HEADER_BYTES + TRAILER_BYTES));
    }
    if bytes[..4] != MAGIC {
        return Err(FrameError::Magic);
    }
    let length = u32::from_le_bytes(word(bytes, 60)) as usize;
    if length > ENTRIES_BYTES_MAX {
        return Err(FrameError::Long(length));
    }
    let end = HEADER_BYTES + length;
    if bytes.len() < end + TRAILER_BYTES {
        return Err(short(end + TRAILER_BYTES));
    }
    if crc32c::crc32c(&bytes[..end]) != u32::from_le_bytes(word(bytes, end)) {
        return Err(FrameError::Checksum);
    }
    let head = FrameHead {
        shard: u16::from_le_bytes(word(bytes, 4)),
        claim: u16::from_le_bytes(word(bytes, 6)) & CLAIM != 0,
        epoch: u64::from_le_bytes(word(bytes, 8)),
        sequence: u64::from_le_bytes(word(bytes, 16)),
        previous: word(bytes, 24),
        count: u32::from_le_bytes(word(bytes, 56)),
    };
    Ok((head, end + TRAILER_BYTES))
}

/// The head and the entries of the frame that `bytes` are, exactly.
///
/// # Errors
/// As [`inspect`]; also when an entry does not decode or the count is wrong.
pub fn decode(bytes: &[u8]) -> Result<(FrameHead, Vec<Entry>), FrameError> {
    let (head, length) = inspect(bytes)?;
    let mut rest = &bytes[HEADER_BYTES..length - TRAILER_BYTES];
    let mut entries = Vec::new();
    for index in 0..head.count {
        let (entry, after) = decode_entry(rest).map_err(|cause| FrameError::Entry { index, cause })?;
        entries.push(entry);
        rest = after;
    }
    if rest.is_empty() && length == bytes.len() { Ok((head, entries)) } else { Err(FrameError::LeftOver(head.count)) }
}

/// Where the entries of the frame that `bytes` are lie in it: the record of each, labelled. Checks every checksum.
///
/// # Errors
/// As [`decode`].
pub fn labels(bytes: &[u8]) -> Result<(FrameHead, Vec<(usize, EntryLabel)>), FrameError> {
    let (head, length) = inspect(bytes)?;
    let (mut at, end) = (HEADER_BYTES, length - TRAILER_BYTES);
    let mut labels = Vec::new();
    for index in 0..head.count {
        let label = label_entry(&bytes[at..end]).map_err(|cause| FrameError::Entry { index, cause })?;
        labels.push((at, label));
        at += label.length;
    }
    if at == end && length == bytes.len() { Ok((head, labels)) } else { Err(FrameError::LeftOver(head.count)) }
}
