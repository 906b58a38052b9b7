//! The journal's stories: torn tails are cut, damage is refused, snapshots let the log go.

use super::memory::MemoryDisk;
use super::snapshot::Snapshot;
use super::{Journal, JournalError, segment};
use crate::ports::{Disk, Position};
use messages::frame::{self, FrameHead};
use proptest::prelude::*;

fn frame_for(journal: &Journal<MemoryDisk>, shard: u16) -> Vec<u8> {
    let mark = journal.mark(shard);
    let head =
        FrameHead { shard, claim: false, epoch: mark.epoch, sequence: mark.frames + 1, previous: mark.chain, count: 0 };
    frame::encode(&head, &[])
}

fn filled(batches: usize, segment_bytes: u64) -> Journal<MemoryDisk> {
    let mut journal = Journal::open_with(MemoryDisk::default(), segment_bytes).expect("an empty disk opens");
    journal.claim_all(&[3, 5]).expect("a claim is appended");
    journal.sync().expect("memory syncs");
    for _ in 0..batches {
        let frames = [frame_for(&journal, 3), frame_for(&journal, 5)];
        journal.append(&frames).expect("frames that continue are appended");
        journal.sync().expect("memory syncs");
    }
    journal
}

fn positions(journal: &mut Journal<MemoryDisk>, from: u64) -> Vec<u64> {
    let mut seen = Vec::new();
    journal
        .read(Position(from), |position, _| {
            seen.push(position.0);
            true
        })
        .expect("a sound journal reads");
    seen
}

#[test]
fn what_was_appended_is_read_again_over_many_segments() {
    let journal = filled(20, 500);
    let marks = (journal.mark(3), journal.mark(5));
    let mut again = Journal::open_with(journal.into_disk(), 500).expect("it opens again");
    assert_eq!(positions(&mut again, 1), (1..=42).collect::<Vec<_>>());
    assert_eq!(positions(&mut again, 40), vec![40, 41, 42]);
    assert_eq!((again.mark(3), again.mark(5)), marks);
    assert!(again.torn().is_none());
}

#[test]
fn a_frame_of_an_older_owner_is_refused() {
    let mut journal = filled(1, 1 << 20);
    let stale = frame_for(&journal, 3);
    assert_eq!(journal.claim(3).expect("a rival claims"), 2);
    journal.sync().expect("memory syncs");
    assert!(matches!(journal.append(&[stale]), Err(JournalError::Chain { shard: 3, .. })));
}

#[test]
fn a_torn_tail_is_cut_off_at_every_byte() {
    let whole = filled(2, 1 << 20);
    let name = segment::name(1);
    let before = {
        let mut disk = filled(1, 1 << 20).into_disk();
        disk.length(&name).expect("the segment is there")
    };
    let mut disk = whole.into_disk();
    let full = disk.length(&name).expect("the segment is there");
    for length in before..full {
        let mut torn = disk.clone();
        torn.truncate(&name, length).expect("memory truncates");
        let mut journal = Journal::open(torn).expect("a torn tail does not keep it from opening");
        assert!(positions(&mut journal, 1).len() >= 4, "what was synced is kept");
        journal.append(&[frame_for(&journal.clone(), 3)]).expect("and it goes on");
    }
}

#[test]
fn damage_in_the_synced_part_is_refused_at_every_byte() {
    let mut journal = filled(2, 1 << 20);
    journal.vouch().expect("memory syncs");
    let mut disk = journal.into_disk();
    let name = segment::name(1);
    let end = disk.length(&name).expect("the segment is there") as usize - segment::BATCH_HEADER_BYTES;
    for at in 0..end {
        let mut damaged = disk.clone();
        damaged.bytes(&name).expect("the segment is there")[at] ^= 0x10;
        let padding = (20..segment::SEGMENT_HEADER_BYTES).contains(&at);
        let opened = Journal::open(damaged);
        assert!(matches!(opened, Err(JournalError::Damaged { .. })) || padding, "byte {at} was not refused");
    }
}

#[test]
fn a_missing_segment_is_named() {
    let mut disk = filled(20, 500).into_disk();
    let names = disk.list().expect("memory lists");
    disk.remove(&names[1]).expect("memory removes");
    assert!(matches!(Journal::open(disk), Err(JournalError::Missing { .. })));
}

#[test]
fn snapshots_let_the_log_before_them_go() {
    let mut journal = filled(3, 500);
    for _ in 0..4 {
        journal.keep_snapshot(Snapshot::default()).expect("a snapshot is kept");
        journal.append(&[frame_for(&journal.clone(), 3)]).expect("it goes on");
        journal.sync().expect("memory syncs");
    }
    let last = journal.position();
    let mut again = Journal::open_with(journal.into_disk(), 500).expect("it opens from its base");
    assert!(again.first().0 > 1);
    assert_eq!(again.position(), last);
    let base = again.base().expect("the base is sound").expect("there is a base");
    assert_eq!(base.position.0 + 1, again.first().0);
}

#[test]
fn a_snapshot_is_kept_however_full_the_segment_is() {
    for segment_bytes in 1..600 {
        let mut journal = filled(3, segment_bytes);
        for _ in 0..3 {
            journal.keep_snapshot(Snapshot::default()).expect("there is room for a snapshot");
            let frame = frame_for(&journal, 3);
            journal.append(&[frame]).expect("a frame that continues is appended");
            journal.sync().expect("memory syncs");
        }
        let mark = journal.mark(3);
        let again = Journal::open_with(journal.into_disk(), segment_bytes).expect("it opens again");
        assert_eq!(again.mark(3), mark, "with segments of {segment_bytes} bytes");
    }
}

proptest! {
    // The first written batch has two headers behind it that vouch for it. Damage to both of them and to it leaves no
    // proof that it was ever durable; any two places of damage are told.
    #[test]
    fn any_damage_is_refused_or_only_costs_an_unvouched_tail(flips in proptest::collection::vec((0usize..2000, 1u8..), 1..3)) {
        let mut disk = filled(3, 1 << 20).into_disk();
        let bytes = disk.bytes(&segment::name(1)).expect("the segment is there");
        for (at, mask) in flips {
            let at = at % bytes.len();
            bytes[at] ^= mask;
        }
        if let Ok(journal) = Journal::open(disk) {
            prop_assert!(journal.position().0 >= 4);
        }
    }
}

fn with_snapshots(count: usize) -> Journal<MemoryDisk> {
    let mut journal = filled(3, 500);
    for _ in 0..count {
        journal.keep_snapshot(Snapshot::default()).expect("a snapshot is kept");
        for _ in 0..6 {
            journal.append(&[frame_for(&journal.clone(), 3)]).expect("it goes on");
            journal.sync().expect("memory syncs");
        }
    }
    journal
}

#[test]
fn the_log_before_a_snapshot_may_be_left_in_pieces() {
    let journal = with_snapshots(2);
    let last = journal.position();
    let disk = journal.into_disk();
    let names = disk.clone().list().expect("memory lists");
    let base = names.iter().filter_map(|name| Snapshot::position_of(name)).min().expect("a snapshot");
    let pieces: Vec<_> =
        names.iter().filter(|name| segment::first_of(name).is_some_and(|first| first <= base)).collect();
    assert!(pieces.len() >= 2);
    for gone in 1..1_u32 << pieces.len() {
        let mut left = disk.clone();
        for (_, name) in pieces.iter().enumerate().filter(|(index, _)| gone & (1 << index) != 0) {
            left.remove(name).expect("memory removes");
        }
        let journal = Journal::open_with(left, 500).expect("a crash may leave any of them");
        assert_eq!(journal.position(), last);
        assert!(journal.first().0 > 1);
    }
}

#[test]
fn the_log_is_not_let_go_before_a_snapshot_that_is_damaged() {
    let mut journal = with_snapshots(2);
    let names = journal.disk_mut().list().expect("memory lists");
    let newest = names.iter().rfind(|name| Snapshot::position_of(name).is_some()).expect("a snapshot");
    journal.disk_mut().bytes(newest).expect("it is there")[50] ^= 1;
    journal.keep_snapshot(Snapshot::default()).expect("a snapshot is kept");
    let last = journal.position();
    let mut again = Journal::open_with(journal.into_disk(), 500).expect("the log from before is still there");
    assert_eq!(again.position(), last);
    again.base().expect("it has its beginning");
}

#[test]
fn a_page_of_an_older_segment_vouches_for_nothing() {
    let journal = filled(20, 500);
    let mut disk = journal.into_disk();
    let names = disk.list().expect("memory lists");
    let old = disk.bytes(&names[0]).expect("the first segment").clone();
    let newest = names.last().expect("a segment");
    let torn = disk.bytes(newest).expect("the last segment");
    torn.truncate(segment::SEGMENT_HEADER_BYTES + segment::BATCH_HEADER_BYTES + 5);
    torn.extend_from_slice(&old[torn.len()..]);
    let journal = Journal::open_with(disk, 500).expect("it is a torn tail");
    assert!(journal.torn().is_some());
}
