//! The wire format of entries and envelopes: bincode in a versioned, checksummed envelope. The only file that names bincode.
//!
//! A record is `b'O'`, the kind (u8), the version of the kind's schema (u16), the payload's length (u32), a CRC-32C of
//! kind, version, length and payload (u32), then the payload, all little-endian. bincode is not self-describing: a
//! schema that changes gets a new version and an upcaster from the old one ([`crate::upcast`]), and enums grow only at
//! the end.

use crate::entry::Entry;
use crate::envelope::Envelope;
use crate::id::{ActorId, Kind};
use crate::upcast;
use serde::{Serialize, de::DeserializeOwned};

/// The first byte of a record.
const MAGIC: u8 = b'O';
/// Bytes before the payload.
pub const HEADER_BYTES: usize = 12;
/// The longest payload, in bytes. A longer one is refused on both sides.
pub const PAYLOAD_BYTES_MAX: usize = 16 << 20;
/// The kind number of an [`Envelope`]; entries have the number of their actor's [`Kind`].
pub const ENVELOPE: u8 = 100;

/// Why bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// There are fewer bytes than the header announces.
    #[error("record is cut short: {have} bytes of {need}")]
    Short {
        /// Bytes at hand.
        have: usize,
        /// Bytes needed.
        need: usize,
    },
    /// It does not begin like a record.
    #[error("not a record: begins with byte {0:#04x}")]
    Magic(u8),
    /// The checksum is wrong: the bytes were damaged.
    #[error("record is damaged: its checksum does not match")]
    Checksum,
    /// It is longer than any record may be.
    #[error("record of {0} bytes is longer than the limit of {PAYLOAD_BYTES_MAX}")]
    Long(usize),
    /// A kind or version this build does not know.
    #[error("record of kind {kind} and version {version} is not known to this build; use a newer one")]
    Unknown {
        /// The kind's number.
        kind: u8,
        /// The version.
        version: u16,
    },
    /// The payload does not decode.
    #[error("record of kind {kind} and version {version} does not decode: {cause}")]
    Payload {
        /// The kind's number.
        kind: u8,
        /// The version.
        version: u16,
        /// What the decoder said.
        cause: String,
    },
}

fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<PAYLOAD_BYTES_MAX>()
}

/// The bytes of any value, without a header.
///
/// # Panics
/// Never for the types of this crate: they contain nothing that bincode cannot write.
pub fn encode_bare<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    append_bare(value, &mut out);
    out
}

fn append_bare<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    bincode::serde::encode_into_writer(value, Appending(out), bincode::config::standard())
        .unwrap_or_else(|error| panic!("a value of ours could not be written: {error}"));
}

/// Writes to the end of bytes there are.
struct Appending<'a>(&'a mut Vec<u8>);

impl bincode::enc::write::Writer for Appending<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// A value from bytes without a header; every byte must be used.
///
/// # Errors
/// A sentence, when the bytes are not exactly such a value.
pub fn decode_bare<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match bincode::serde::borrow_decode_from_slice(bytes, config()) {
        Ok((value, used)) if used == bytes.len() => Ok(value),
        Ok((_, used)) => Err(format!("{} bytes are left over", bytes.len() - used)),
        Err(error) => Err(error.to_string()),
    }
}

/// The value that bytes without a header begin with, and what follows it.
///
/// # Errors
/// A sentence, when the bytes do not begin with such a value.
pub fn decode_first<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, &[u8]), String> {
    match bincode::serde::borrow_decode_from_slice(bytes, config()) {
        Ok((value, used)) => Ok((value, &bytes[used..])),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether bytes are exactly those of a value, without writing it down.
pub fn is_encoded<T: Serialize>(value: &T, bytes: &[u8]) -> bool {
    let mut left = Comparing(bytes);
    let same = bincode::serde::encode_into_writer(value, &mut left, bincode::config::standard());
    same.is_ok() && left.0.is_empty()
}

/// Compares what is written with what there is, and stops at the first difference.
struct Comparing<'a>(&'a [u8]);

impl bincode::enc::write::Writer for Comparing<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
        match self.0.strip_prefix(bytes) {
            Some(left) => self.0 = left,
            None => return Err(bincode::error::EncodeError::UnexpectedEnd),
        }
        Ok(())
    }
}

/// As [`decode_bare`], for what is checked by other means and may be longer than a record.
///
/// # Errors
/// As [`decode_bare`].
pub fn decode_bare_long<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match bincode::serde::borrow_decode_from_slice(bytes, bincode::config::standard()) {
        Ok((value, used)) if used == bytes.len() => Ok(value),
        Ok((_, used)) => Err(format!("{} bytes are left over", bytes.len() - used)),
        Err(error) => Err(error.to_string()),
    }
}

/// The version of a kind's schema that this build writes.
pub const fn version(kind: Kind) -> u16 {
    match kind {
        Kind::Job | Kind::Node | Kind::Scheduler | Kind::Route | Kind::Rollout | Kind::Policy => 1,
    }
}

/// Appends a record whose payload `write` appends.
fn seal(kind: u8, version: u16, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.push(MAGIC);
    out.push(kind);
    out.extend_from_slice(&version.to_le_bytes());
    out.extend_from_slice(&[0; 8]);
    write(out);
    let length = u32::try_from(out.len() - start - HEADER_BYTES).unwrap_or(u32::MAX);
    let (header, payload) = out[start..].split_at_mut(HEADER_BYTES);
    header[4..8].copy_from_slice(&length.to_le_bytes());
    let sum = crc32c::crc32c_append(crc32c::crc32c(&header[1..8]), payload);
    header[8..].copy_from_slice(&sum.to_le_bytes());
}

/// Kind, version, payload, and what follows the record.
type Opened<'a> = (u8, u16, &'a [u8], &'a [u8]);

fn open(bytes: &[u8]) -> Result<Opened<'_>, CodecError> {
    let short = |need| CodecError::Short { have: bytes.len(), need };
    let header = bytes.first_chunk::<HEADER_BYTES>().ok_or(short(HEADER_BYTES))?;
    let [magic, kind, v0, v1, l0, l1, l2, l3, s0, s1, s2, s3] = *header;
    if magic != MAGIC {
        return Err(CodecError::Magic(magic));
    }
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if length > PAYLOAD_BYTES_MAX {
        return Err(CodecError::Long(length));
    }
    let rest = &bytes[HEADER_BYTES..];
    let (payload, after) = rest.split_at_checked(length).ok_or(short(HEADER_BYTES + length))?;
    let sum = crc32c::crc32c_append(crc32c::crc32c(&header[1..8]), payload);
    if sum != u32::from_le_bytes([s0, s1, s2, s3]) {
        return Err(CodecError::Checksum);
    }
    Ok((kind, u16::from_le_bytes([v0, v1]), payload, after))
}

/// Appends the record of an entry.
pub fn encode_entry(entry: &Entry, out: &mut Vec<u8>) {
    seal(entry.kind() as u8, version(entry.kind()), out, |out| match entry {
        Entry::Job(record) => append_bare(record, out),
        Entry::Node(record) => append_bare(record, out),
        Entry::Scheduler(record) => append_bare(record, out),
        Entry::Route(record) => append_bare(record, out),
        Entry::Rollout(record) => append_bare(record, out),
        Entry::Policy(record) => append_bare(record, out),
    });
}

/// The entry at the head of `bytes`, and what follows it.
///
/// # Errors
/// When the bytes are cut short, damaged, or of a kind or version this build does not know.
pub fn decode_entry(bytes: &[u8]) -> Result<(Entry, &[u8]), CodecError> {
    let (number, version, payload, rest) = open(bytes)?;
    let upcast = Kind::from_number(number).and_then(|kind| upcast::of_entry(kind, version));
    let upcast = upcast.ok_or(CodecError::Unknown { kind: number, version })?;
    let entry = upcast(payload).map_err(|cause| CodecError::Payload { kind: number, version, cause })?;
    Ok((entry, rest))
}

/// What the record of an entry says of itself, without the whole of it being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryLabel {
    /// Whose entry.
    pub actor: ActorId,
    /// The version of its kind's schema.
    pub version: u16,
    /// The length of the record, in bytes.
    pub length: usize,
}

/// The label of the entry at the head of `bytes`. Checks the checksum.
///
/// # Errors
/// As [`decode_entry`].
pub fn label_entry(bytes: &[u8]) -> Result<EntryLabel, CodecError> {
    let (number, version, payload, rest) = open(bytes)?;
    let length = bytes.len() - rest.len();
    let known = Kind::from_number(number).filter(|kind| version <= self::version(*kind));
    known.ok_or(CodecError::Unknown { kind: number, version })?;
    // Every version so far begins with whose entry it is.
    let fail = |error: bincode::error::DecodeError| error.to_string();
    let read = bincode::serde::borrow_decode_from_slice::<ActorId, _>(payload, config()).map_err(fail);
    let (actor, _) = read.map_err(|cause| CodecError::Payload { kind: number, version, cause })?;
    Ok(EntryLabel { actor, version, length })
}

/// The version of [`Envelope`] that this build writes.
pub const ENVELOPE_VERSION: u16 = 2;

/// The record of an envelope, for a bus.
pub fn encode_envelope(envelope: &Envelope) -> Vec<u8> {
    let mut out = Vec::new();
    seal(ENVELOPE, ENVELOPE_VERSION, &mut out, |out| append_bare(envelope, out));
    out
}

/// The envelope that `bytes` are, exactly.
///
/// # Errors
/// As [`decode_entry`]; also when anything follows it.
pub fn decode_envelope(bytes: &[u8]) -> Result<Envelope, CodecError> {
    let (kind, version, payload, rest) = open(bytes)?;
    let upcast = upcast::of_envelope(version).filter(|_| kind == ENVELOPE);
    let upcast = upcast.ok_or(CodecError::Unknown { kind, version })?;
    let fail = |cause| CodecError::Payload { kind, version, cause };
    if !rest.is_empty() {
        return Err(fail(format!("{} bytes follow it", rest.len())));
    }
    upcast(payload).map_err(fail)
}
