//! Golden bytes: what every version of every kind looks like on the wire, for ever.
//!
//! `golden/NAME.VERSION.hex` has one record a line, one for each variant of what the kind hears and records. A line that
//! changes means that old logs would be misread: give the kind a new version and an upcaster instead. Until the first
//! release, `ORRERY_BLESS=1 cargo nextest run -p messages` rewrites the files; commit only what you understand.

#![expect(clippy::disallowed_methods, reason = "a test may read its golden files, and rewrite them when told to")]

mod specimen;

use messages::api::LogEntry;
use messages::codec::{self, decode_entry, decode_envelope, encode_entry, encode_envelope};
use messages::entry::{Entry, Head, Record};
use messages::envelope::{Body, Envelope};
use messages::frame::{self, FrameHead};
use messages::id::Kind;
use messages::time::Timestamp;
use messages::upcast::{ENTRIES, ENVELOPES, v1};
use messages::{agent, job, node, policy, rollout, route, scheduler};
use serde::de::DeserializeOwned;
use specimen::{specimen, variant, variants};
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.hex"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(line: &str) -> Vec<u8> {
    let digit = |letter: u8| char::from(letter).to_digit(16).expect("golden files have hex digits") as u8;
    line.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// The records of a golden file, which must be these.
fn golden(name: &str, records: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let text: String = records.iter().map(|record| hex(record) + "\n").collect();
    if std::env::var_os("ORRERY_BLESS").is_some() {
        fs::write(path(name), &text).expect("golden files can be written");
    }
    let golden = fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("golden/{name}.hex: {error}"));
    for (index, (now, then)) in text.lines().zip(golden.lines()).enumerate() {
        assert_eq!(now, then, "record {index} of {name} is written differently from before");
    }
    assert_eq!(text.lines().count(), golden.lines().count(), "{name} has more or fewer records than before");
    golden.lines().map(unhex).collect()
}

/// No shorter record may pass, and none with a byte that is not what it was.
fn fragile<T: Debug, E: Debug>(bytes: &[u8], decode: impl Fn(&[u8]) -> Result<T, E>) {
    for length in 0..bytes.len() {
        assert!(decode(&bytes[..length]).is_err(), "{length} bytes of {} pass for the whole", bytes.len());
    }
    for index in 0..bytes.len() {
        for bits in [0x01, 0x80, 0xff] {
            let mut flipped = bytes.to_vec();
            flipped[index] ^= bits;
            assert!(decode(&flipped).is_err(), "byte {index} may be {:#04x} and nobody notices", flipped[index]);
        }
    }
}

/// One entry for each variant of what an actor hears and records, whichever is more.
fn entries<M: DeserializeOwned, E: DeserializeOwned>(kind: Kind, wrap: fn(Record<M, E>) -> Entry) -> Vec<Entry> {
    let (heard, recorded) = (variants::<M>(), variants::<E>());
    let record = |index: usize| {
        let mut head: Head = specimen(index);
        head.actor.kind = kind;
        let noted = (index % 2 == 1).then(|| variant((index + 1) % heard)).into_iter().collect();
        Record { head, noted, input: variant(index % heard), events: vec![variant(index % recorded)] }
    };
    (0..heard.max(recorded)).map(|index| wrap(record(index))).collect()
}

fn samples(kind: Kind) -> Vec<Entry> {
    match kind {
        Kind::Job => entries::<job::Message, job::Event>(kind, Entry::Job),
        Kind::Node => entries::<node::Message, node::Event>(kind, Entry::Node),
        Kind::Scheduler => entries::<scheduler::Message, scheduler::Event>(kind, Entry::Scheduler),
        Kind::Route => entries::<route::Message, route::Event>(kind, Entry::Route),
        Kind::Rollout => entries::<rollout::Message, rollout::Event>(kind, Entry::Rollout),
        Kind::Policy => entries::<policy::Message, policy::Event>(kind, Entry::Policy),
    }
}

/// One envelope for each kind of body, and one for each thing an agent is told.
fn envelopes() -> Vec<Envelope> {
    let bodies = (0..variants::<Body>()).map(variant::<Body>);
    let orders = (0..variants::<agent::Order>()).map(|index| Body::Agent(variant(index)));
    bodies.chain(orders).enumerate().map(|(index, body)| Envelope { body, ..specimen(index) }).collect()
}

/// A record as the first build wrote it, by hand.
fn sealed(kind: u8, version: u16, payload: &[u8]) -> Vec<u8> {
    let mut covered = vec![kind];
    covered.extend_from_slice(&version.to_le_bytes());
    covered.extend_from_slice(&u32::try_from(payload.len()).expect("specimens are short").to_le_bytes());
    let sum = crc32c::crc32c_append(crc32c::crc32c(&covered), payload);
    [&b"O"[..], &covered, &sum.to_le_bytes(), payload].concat()
}

#[test]
fn entries_of_today_are_written_and_read_as_ever() {
    for kind in Kind::ALL {
        let samples = samples(kind);
        let record = |entry: &Entry| {
            let mut out = Vec::new();
            encode_entry(entry, &mut out);
            out
        };
        let records: Vec<Vec<u8>> = samples.iter().map(record).collect();
        let name = format!("{}.{}", kind.name(), codec::version(kind));
        for (bytes, sample) in golden(&name, &records).iter().zip(&samples) {
            let (entry, rest) = decode_entry(bytes).expect("golden bytes can be read");
            assert_eq!((&entry, rest.len()), (sample, 0));
            fragile(bytes, |bytes| decode_entry(bytes).map(|(entry, _)| entry));
        }
    }
}

#[test]
fn envelopes_of_today_are_written_and_read_as_ever() {
    let samples = envelopes();
    let records: Vec<Vec<u8>> = samples.iter().map(encode_envelope).collect();
    for (bytes, sample) in golden(&format!("envelope.{}", codec::ENVELOPE_VERSION), &records).iter().zip(&samples) {
        assert_eq!(decode_envelope(bytes).as_ref(), Ok(sample));
        fragile(bytes, decode_envelope);
    }
}

#[test]
fn an_envelope_from_before_times_were_sent_is_read_as_sent_at_the_beginning_of_time() {
    let old: Vec<v1::Envelope> =
        (0..variants::<Body>()).map(|index| v1::Envelope { body: variant(index), ..specimen(index) }).collect();
    let record = |old: &v1::Envelope| sealed(codec::ENVELOPE, 1, &codec::encode_bare(old));
    let records: Vec<Vec<u8>> = old.iter().map(record).collect();
    for (bytes, old) in golden("envelope.1", &records).iter().zip(&old) {
        let today = decode_envelope(bytes).expect("an old envelope can be read");
        assert_eq!(today.at, Timestamp(0));
        assert_eq!((today.id, &today.body), (old.id, &old.body));
        assert_eq!(today, Envelope::from(old.clone()));
        fragile(bytes, decode_envelope);
    }
}

#[test]
fn every_entry_can_be_shown_as_json_and_read_back() {
    for entry in Kind::ALL.into_iter().flat_map(samples) {
        let shown = LogEntry::of(&entry, 5, None);
        let text = serde_json::to_string(&shown).expect("an entry of the log is plain data");
        assert!(!text.contains("cannot be shown"), "{text}");
        assert_eq!(serde_json::from_str::<LogEntry>(&text).expect("what was shown can be read"), shown);
    }
}

#[test]
fn frames_are_written_and_read_as_ever() {
    let mut chain = [0; 32];
    let mut records = Vec::new();
    let mut samples = Vec::new();
    for (sequence, count) in [(0, 0u32), (1, 1), (2, 3)] {
        let claim = sequence == 0;
        let entries: Vec<Entry> = samples_of_all().into_iter().take(count as usize).collect();
        let previous = if claim { [0; 32] } else { chain };
        let head = FrameHead { shard: 13, claim, epoch: 7, sequence, previous, count };
        let bytes = frame::encode(&head, &entries);
        chain = frame::chain(&chain, &bytes);
        records.push(bytes);
        samples.push((head, entries));
    }
    for (bytes, sample) in golden("frame.1", &records).iter().zip(&samples) {
        assert_eq!(frame::decode(bytes).as_ref(), Ok(sample));
        fragile(bytes, frame::decode);
    }
}

fn samples_of_all() -> Vec<Entry> {
    Kind::ALL.into_iter().filter_map(|kind| samples(kind).into_iter().next()).collect()
}

#[test]
fn every_version_that_can_be_read_has_golden_bytes() {
    for (kind, version, _) in ENTRIES {
        assert!(path(&format!("{}.{version}", kind.name())).exists(), "{} version {version}", kind.name());
    }
    for (version, _) in ENVELOPES {
        assert!(path(&format!("envelope.{version}")).exists(), "envelope version {version}");
    }
}
