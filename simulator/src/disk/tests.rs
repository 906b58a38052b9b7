//! The disk's stories, and the real journal engine on it.

use super::*;
use actors::journal::snapshot::Snapshot;
use actors::journal::{Journal, JournalError};
use actors::ports::Position;
use messages::frame::{self, FrameHead};

const SEGMENT_BYTES: u64 = 4_096;

fn written() -> SimDisk {
    let mut disk = SimDisk::default();
    disk.create("log").expect("a new file");
    disk.sync_directory().expect("a sync");
    disk.append("log", &[7; 10_000]).expect("room");
    disk.sync("log").expect("a sync");
    disk.append("log", &[9; 10_000]).expect("room");
    disk
}

fn frame_for(journal: &Journal<SimDisk>, shard: u16) -> Vec<u8> {
    let mark = journal.mark(shard);
    let (epoch, sequence) = (mark.epoch, mark.frames + 1);
    frame::encode(&FrameHead { shard, claim: false, epoch, sequence, previous: mark.chain, count: 0 }, &[])
}

/// A journal with so many batches of frames of two shards, all of them acknowledged.
fn journal(batches: usize) -> Journal<SimDisk> {
    let mut journal = Journal::open_with(SimDisk::default(), SEGMENT_BYTES).expect("an empty disk opens");
    journal.claim_all(&[3, 5]).expect("a claim is appended");
    journal.sync().expect("it syncs");
    (0..batches).for_each(|_| append(&mut journal).expect("a sound disk takes a batch"));
    journal
}

fn append(journal: &mut Journal<SimDisk>) -> Result<(), JournalError> {
    let frames = [frame_for(journal, 3), frame_for(journal, 5)];
    journal.append(&frames)?;
    journal.sync()
}

fn reopened(disk: SimDisk) -> Journal<SimDisk> {
    Journal::open_with(disk, SEGMENT_BYTES).expect("it opens again")
}

#[test]
fn a_crash_keeps_every_synced_byte_and_some_of_the_rest() {
    let mut lost = 0;
    for seed in 0..200 {
        let mut disk = written();
        disk.create("new").expect("a new file");
        lost += disk.crash(Random::new(seed)).lost;
        let bytes = disk.read("log", 0, 20_000).expect("it was synced");
        assert!(bytes.len() >= 10_000);
        assert!(bytes[..10_000].iter().all(|byte| *byte == 7));
    }
    assert!(lost > 200 * 1_000, "only {lost} bytes were lost in 200 crashes");
}

#[test]
fn each_fate_of_unsynced_pages_comes_about_and_no_other() {
    let of = |fates: Fates| {
        let mut sum = Losses::default();
        for seed in 0..100 {
            let mut disk = written();
            disk.arm(Some(PowerCut { during: During::Sync, fates }));
            assert!(disk.sync("log").is_err());
            assert!(disk.is_dark() && disk.list().is_err());
            let losses = disk.crash(Random::new(seed));
            (sum.torn, sum.holes, sum.garbled) =
                (sum.torn + losses.torn, sum.holes + losses.holes, sum.garbled + losses.garbled);
        }
        (sum.torn > 50, sum.holes > 50, sum.garbled > 50)
    };
    assert_eq!(of(Fates::Torn), (true, false, false));
    assert_eq!(of(Fates::PagesLost), (false, true, false));
    assert_eq!(of(Fates::PagesGarbled), (false, false, true));
}

#[test]
fn a_name_that_was_not_synced_may_vanish_alone() {
    let vanished = (0..100).filter(|seed| {
        let mut disk = written();
        disk.create("one").expect("a new file");
        disk.create("two").expect("a new file");
        disk.arm(Some(PowerCut { during: During::SyncNames, fates: Fates::NamesLost }));
        assert!(disk.sync_directory().is_err());
        disk.crash(Random::new(*seed));
        let names = disk.list().expect("a list");
        names.contains(&"two".to_string()) && !names.contains(&"one".to_string())
    });
    assert!((10..40).contains(&vanished.count()));
}

#[test]
fn a_failed_sync_makes_nothing_durable() {
    let mut disk = written();
    disk.fail_syncs(1, false);
    assert!(disk.sync("log").is_err());
    assert!(disk.is_dirty());
    disk.sync("log").expect("the error came once");
    assert!(!disk.is_dirty());
    disk.fall_ill(Ill::SyncsFail);
    assert!((0..9).all(|_| disk.sync("log").is_err()));
    disk.recover(Ill::SyncsFail);
    disk.sync("log").expect("it is over");
}

#[test]
fn pages_that_a_failed_sync_dropped_are_seen_until_the_power_goes() {
    let mut disk = written();
    disk.fail_syncs(1, true);
    assert!(disk.sync("log").is_err());
    disk.sync("log").expect("the next sync says that all is well");
    assert_eq!(disk.read("log", 0, 20_000).expect("the cache has it")[10_000..], [9; 10_000]);
    assert_eq!(disk.crash(Random::new(1)).dropped, 10_000);
    assert!(disk.read("log", 10_000, 10_000).expect("it is there").iter().all(|byte| *byte == 0));
}

#[test]
fn a_full_disk_a_cut_write_and_a_read_only_disk_say_so() {
    let mut disk = written();
    let kind = |result: io::Result<()>| result.err().map(|error| error.kind());
    disk.fall_ill(Ill::Full);
    assert_eq!(kind(disk.append("log", &[1; 100])), Some(io::ErrorKind::StorageFull));
    disk.recover(Ill::Full);
    disk.cut_a_write();
    assert_eq!(kind(disk.append("log", &[1; 100])), Some(io::ErrorKind::WriteZero));
    disk.append("log", &[1; 100]).expect("only one write was cut");
    disk.fall_ill(Ill::ReadOnly);
    assert_eq!(kind(disk.truncate("log", 1)), Some(io::ErrorKind::ReadOnlyFilesystem));
    assert_eq!(kind(disk.create("new")), Some(io::ErrorKind::ReadOnlyFilesystem));
    assert_eq!(disk.take_bites(), ["disk-full", "short-write", "read-only-disk", "read-only-disk"]);
}

#[test]
fn the_journal_reads_on_where_a_read_was_short() {
    let mut disk = journal(40).into_disk();
    disk.fall_ill(Ill::ShortReads);
    let mut journal = reopened(disk);
    assert_eq!(journal.position(), Position(82));
    assert!(journal.torn().is_none(), "a short read is no torn tail");
    assert!(journal.disk_mut().take_bites().contains(&"short-read"));
}

#[test]
fn the_journal_survives_a_failed_sync_whose_pages_are_dropped() {
    for seed in 0..20 {
        let mut journal = journal(5);
        journal.disk_mut().fail_syncs(1, true);
        append(&mut journal).expect_err("the sync fails");
        let mut journal = reopened(journal.into_disk());
        assert_eq!(journal.position(), Position(14), "the cache has it");
        if seed % 2 == 0 {
            append(&mut journal).expect("the next sync says that all is well");
        }
        let position = journal.position();
        let mut disk = journal.into_disk();
        disk.crash(Random::new(seed));
        assert_eq!(reopened(disk).position(), position, "what was believed is there");
    }
}

#[test]
fn the_journal_keeps_what_was_acknowledged_wherever_the_power_goes() {
    for seed in 0..200 {
        let (random, mut journal) = (Random::new(seed), journal(20));
        let cuts = [
            (During::Write, Fates::Torn),
            (During::Sync, Fates::PagesLost),
            (During::Sync, Fates::PagesGarbled),
            (During::SyncNames, Fates::NamesLost),
        ];
        let (during, fates) = cuts[seed as usize % cuts.len()];
        let quiet = random.between(Domain::Choice, &[seed], 0, 9);
        let (mut acknowledged, mut died) = (journal.position(), false);
        for step in 0..200 {
            if step == quiet {
                journal.disk_mut().arm(Some(PowerCut { during, fates }));
            }
            let kept = if step % 3 == 2 { journal.keep_snapshot(Snapshot::default()) } else { append(&mut journal) };
            if kept.is_err() {
                died = true;
                break;
            }
            acknowledged = journal.position();
        }
        assert!(died, "the power goes in the middle of {during:?}");
        let mut disk = journal.into_disk();
        disk.crash(random);
        let mut journal = reopened(disk);
        assert!(journal.position() >= acknowledged, "seed {seed}: {during:?} {fates:?}");
        append(&mut journal).expect("and it goes on");
        journal.base().expect("it has its beginning");
    }
}

#[test]
fn damage_in_what_is_vouched_for_is_refused_by_name_and_changes_nothing() {
    let damages = [Damage::Unreadable, Damage::Flip, Damage::Misdirected, Damage::Phantom];
    let mut hit = 0;
    for seed in 0..200 {
        let mut journal = journal(40);
        if seed % 2 == 0 {
            for _ in 0..4 {
                journal.keep_snapshot(Snapshot::default()).expect("a snapshot is kept");
                append(&mut journal).expect("it goes on");
            }
        }
        let position = journal.position();
        let mut disk = journal.into_disk();
        disk.crash(Random::new(seed));
        disk.keep_copy();
        let Some(place) = disk.damage(damages[seed as usize / 2 % 4], Random::new(seed), seed) else { continue };
        hit += 1;
        let before = disk.clone();
        let text = Journal::open_with(&mut disk, SEGMENT_BYTES).expect_err("damage is refused").to_string();
        assert!(text.contains(&place.file) && text.contains("restore"), "seed {seed}, {place:?}: {text}");
        assert!(disk.holds_the_same(&before), "a refusal changes nothing");
        assert!(disk.restore_copy());
        assert_eq!(reopened(disk).position(), position);
    }
    assert!(hit > 150, "only {hit} of 200 damaged something");
}
