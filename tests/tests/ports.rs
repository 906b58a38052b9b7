//! One contract for every log under a host: in memory, in files, and on a real nats-server.

use actors::journal::Journal;
use actors::journal::memory::MemoryDisk;
use actors::journal::snapshot::ShardMark;
use actors::ports::{AppendError, Log, Position};
use gateway::host::FileDisk;
use gateway::nats::JetStreamLog;
use messages::frame::{self, FrameHead};
use std::collections::BTreeMap;
use std::time::Duration;
use tests::nats::NatsServer;

const PATIENCE: Duration = Duration::from_secs(20);

/// Where a log is kept, so that it can be opened again.
enum Kept {
    Memory(Option<MemoryDisk>),
    Files(tempfile::TempDir),
    Nats(NatsServer),
}

/// An open log.
enum Opened {
    Memory(Journal<MemoryDisk>),
    Files(Journal<FileDisk>),
    Nats(JetStreamLog),
}

impl Kept {
    fn all() -> Vec<Self> {
        let directory = tempfile::tempdir().expect("a directory can be made");
        vec![Self::Memory(Some(MemoryDisk::default())), Self::Files(directory), Self::Nats(NatsServer::running())]
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Memory(_) => "memory",
            Self::Files(_) => "files",
            Self::Nats(_) => "nats",
        }
    }

    fn open(&mut self) -> Opened {
        match self {
            Self::Memory(disk) => {
                let disk = disk.take().expect("it is open once at a time");
                Opened::Memory(Journal::open(disk).expect("a sound log opens"))
            }
            Self::Files(directory) => {
                let disk = FileDisk::own(directory.path()).expect("nobody else has it");
                Opened::Files(Journal::open(disk).expect("a sound log opens"))
            }
            Self::Nats(server) => Opened::Nats(on(server)),
        }
    }

    fn close(&mut self, opened: Opened) {
        if let (Self::Memory(disk), Opened::Memory(journal)) = (self, opened) {
            *disk = Some(journal.into_disk());
        }
    }
}

impl Opened {
    fn log(&mut self) -> &mut dyn Log {
        match self {
            Self::Memory(log) => log,
            Self::Files(log) => log,
            Self::Nats(log) => log,
        }
    }

    fn mark(&self, shard: u16) -> ShardMark {
        match self {
            Self::Memory(log) => log.mark(shard),
            Self::Files(log) => log.mark(shard),
            Self::Nats(log) => log.mark(shard),
        }
    }

    fn next(&self, shard: u16) -> Vec<u8> {
        next(&self.mark(shard))
    }
}

fn on(server: &NatsServer) -> JetStreamLog {
    JetStreamLog::open(&server.url(), "test", PATIENCE).expect("a sound log opens")
}

/// The next frame of a shard. It has no entries: a log does not look into them.
fn next(mark: &ShardMark) -> Vec<u8> {
    let ShardMark { shard, frames, chain, epoch } = *mark;
    frame::encode(&FrameHead { shard, claim: false, epoch, sequence: frames + 1, previous: chain, count: 0 }, &[])
}

fn read(log: &mut dyn Log, from: u64) -> Vec<(u64, Vec<u8>)> {
    let mut seen = Vec::new();
    let read = log.read(Position(from), &mut |position, bytes| {
        seen.push((position.0, bytes.to_vec()));
        true
    });
    read.expect("a sound log is read");
    seen
}

fn positions(outcomes: Vec<Result<Position, AppendError>>) -> Vec<u64> {
    outcomes.into_iter().map(|outcome| outcome.expect("a frame that continues is appended").0).collect()
}

#[test]
fn what_was_appended_is_read_in_order_and_after_opening_again() {
    for mut kept in Kept::all() {
        let name = kept.name();
        let mut opened = kept.open();
        assert_eq!(opened.log().claim(&[3, 5, 9]), Ok(vec![1, 1, 1]), "{name}");
        let mut written = BTreeMap::new();
        for _ in 0..10 {
            let frames = [3, 5, 9].map(|shard| opened.next(shard));
            let places = positions(opened.log().append(&frames));
            written.extend(places.into_iter().zip(frames));
        }
        assert_eq!(opened.log().position(), Position(33), "{name}");
        let seen = read(opened.log(), 1);
        assert_eq!(seen.iter().map(|(position, _)| *position).collect::<Vec<_>>(), (1..=33).collect::<Vec<_>>());
        assert_eq!(seen[3..].iter().cloned().collect::<BTreeMap<_, _>>(), written, "{name}");
        assert_eq!(read(opened.log(), 30).len(), 4, "{name}");
        assert_eq!(read(opened.log(), 34).len(), 0, "{name}");

        let marks = [3, 5, 9].map(|shard| opened.mark(shard));
        kept.close(opened);
        let mut again = kept.open();
        assert_eq!([3, 5, 9].map(|shard| again.mark(shard)), marks, "{name}");
        assert_eq!(read(again.log(), 1), seen, "{name}");
        assert_eq!(again.log().claim(&[3, 5]), Ok(vec![2, 2]), "{name}");
        let frame = again.next(3);
        assert_eq!(positions(again.log().append(&[frame])), [36], "{name}");
        assert_eq!(again.log().first(), Position(1), "{name}");
    }
}

#[test]
fn a_reader_may_stop() {
    for mut kept in Kept::all() {
        let mut opened = kept.open();
        opened.log().claim(&[1, 2, 3, 4]).expect("a claim is appended");
        let mut seen = 0;
        let stopped = opened.log().read(Position(2), &mut |position, _| {
            seen = position.0;
            seen < 3
        });
        assert_eq!((stopped, seen), (Ok(()), 3), "{}", kept.name());
    }
}

#[test]
fn what_does_not_continue_its_shard_is_refused_alone() {
    for mut kept in Kept::all() {
        let name = kept.name();
        let mut opened = kept.open();
        opened.log().claim(&[3, 5]).expect("a claim is appended");
        let sound = opened.next(5);
        let mut wrong = opened.mark(3);
        wrong.chain[0] ^= 1;
        let outcomes = opened.log().append(&[next(&wrong), sound.clone()]);
        assert!(matches!(outcomes[0], Err(AppendError::Failed(_))), "{name}: {outcomes:?}");
        assert_eq!(outcomes[1], Ok(Position(3)), "{name}");
        let outcomes = opened.log().append(std::slice::from_ref(&sound));
        assert!(matches!(outcomes[0], Err(AppendError::Failed(_))), "{name}: the same again: {outcomes:?}");
        let outcomes = opened.log().append(&[b"not a frame".to_vec()]);
        assert!(matches!(outcomes[0], Err(AppendError::Failed(_))), "{name}: {outcomes:?}");
        let frame = opened.next(3);
        let outcomes = opened.log().append(&[frame.clone(), frame]);
        assert!(outcomes[0].is_ok() && outcomes[1].is_err(), "{name}: one frame of a shard at a time: {outcomes:?}");
        assert_eq!(read(opened.log(), 1).len(), 4, "{name}: what was refused is not there");
    }
}

#[test]
fn a_frame_of_an_older_epoch_is_fenced() {
    for mut kept in Kept::all() {
        let mut opened = kept.open();
        opened.log().claim(&[3]).expect("a claim is appended");
        let stale = opened.next(3);
        opened.log().claim(&[3]).expect("a second claim is appended");
        let outcomes = opened.log().append(&[stale]);
        assert!(matches!(outcomes[0], Err(AppendError::Fenced { shard: 3, .. })), "{}: {outcomes:?}", kept.name());
    }
}

#[test]
fn many_frames_of_many_shards_are_appended_together() {
    for mut kept in Kept::all() {
        let name = kept.name();
        let shards: Vec<u16> = (0..64).collect();
        let mut opened = kept.open();
        assert_eq!(opened.log().claim(&shards).expect("claims are appended"), vec![1; 64], "{name}");
        for _ in 0..8 {
            let frames: Vec<_> = shards.iter().map(|shard| opened.next(*shard)).collect();
            let mut places = positions(opened.log().append(&frames));
            places.sort_unstable();
            places.dedup();
            assert_eq!(places.len(), 64, "{name}: every frame has a place of its own");
        }
        let seen = read(opened.log(), 1);
        assert_eq!(seen.len(), 64 * 9, "{name}");
        let mut marks: BTreeMap<u16, ShardMark> = shards.iter().map(|shard| (*shard, ShardMark::new(*shard))).collect();
        for (position, bytes) in &seen {
            let (head, _) = frame::inspect(bytes).expect("what is read is whole");
            let mark = marks.get_mut(&head.shard).expect("a shard of ours");
            mark.check(bytes).unwrap_or_else(|trouble| panic!("{name} at {position}: {trouble}"));
            mark.pass(&head, bytes);
        }
        assert!(shards.iter().all(|shard| marks[shard] == opened.mark(*shard)), "{name}");
    }
}

#[test]
fn nats_a_second_owner_shuts_out_the_first() {
    let server = NatsServer::running();
    let (mut first, mut second) = (on(&server), on(&server));
    first.claim(&[3, 5]).expect("a claim is appended");
    let frame = next(&first.mark(3));
    assert!(first.append(&[frame])[0].is_ok());
    assert_eq!(first.still_owned(), Ok(()));
    assert_eq!(second.claim(&[3, 5]), Ok(vec![2, 2]), "it catches up with what came since it opened");
    assert!(matches!(first.still_owned(), Err(AppendError::Fenced { .. })), "an idle owner notices");
    let late = next(&first.mark(3));
    let outcomes = first.append(&[late]);
    assert!(matches!(outcomes[0], Err(AppendError::Fenced { shard: 3, .. })), "{outcomes:?}");
    let frame = next(&second.mark(3));
    assert!(second.append(&[frame])[0].is_ok());
    assert_eq!(second.still_owned(), Ok(()));
    assert_eq!(on(&server).mark(3), second.mark(3), "nothing of the first got in");
}

#[test]
fn nats_of_several_who_claim_at_once_one_is_left() {
    let server = NatsServer::running();
    let shards: Vec<u16> = (0..8).collect();
    let mut owners: Vec<_> = (0..4).map(|_| on(&server)).collect();
    let claims: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = owners.iter_mut().map(|owner| scope.spawn(|| owner.claim(&shards))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a claim returns")).collect()
    });
    assert!(claims.iter().any(Result::is_ok), "{claims:?}");
    let mut written = 0;
    for shard in &shards {
        let outcomes: Vec<_> = owners.iter_mut().map(|owner| owner.append(&[next(&owner.mark(*shard))])).collect();
        let winners = outcomes.iter().filter(|outcome| outcome[0].is_ok()).count();
        assert!(winners <= 1, "shard {shard} has one owner: {outcomes:?}");
        written += winners;
    }
    let again = on(&server);
    let frames: u64 = shards.iter().map(|shard| again.mark(*shard).frames).sum();
    assert!(frames >= (shards.len() + written) as u64, "the log opens, whatever order the claims came in");
}

#[test]
fn nats_what_is_under_way_when_the_server_dies_is_written_once() {
    let mut server = NatsServer::running();
    let shards: Vec<u16> = (0..16).collect();
    let mut log = on(&server);
    log.claim(&shards).expect("claims are appended");
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        let mut written = 0;
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            let frames: Vec<_> = (0..16).map(|shard| next(&log.mark(shard))).collect();
            written += positions(log.append(&frames)).len();
        }
        (written, log)
    });
    for _ in 0..4 {
        std::thread::sleep(Duration::from_millis(300));
        server.kill();
        std::thread::sleep(Duration::from_millis(300));
        server.start();
    }
    std::thread::sleep(Duration::from_millis(500));
    stop.send(()).expect("the writer still runs");
    let (written, mut log) = writer.join().expect("the writer was never told of a failure");
    assert!(written >= 16 * 5, "it wrote before, between and after: {written}");
    assert_eq!(log.still_owned(), Ok(()));
    let mut again = on(&server);
    assert_eq!(read(&mut again, 1).len(), 16 + written, "every frame once, and nothing else");
    assert!(shards.iter().all(|shard| again.mark(*shard) == log.mark(*shard)));
}

#[test]
fn nats_a_frame_that_the_server_does_not_take_is_told_with_what_to_do() {
    let mut server = NatsServer::with("max_payload: 4096");
    server.start();
    let mut log = on(&server);
    log.claim(&[1]).expect("a claim is appended");
    assert!(log.frame_bytes_max() < 4_096);
    let outcome = log.append(&[long(&log.mark(1))]);
    let Err(AppendError::Failed(text)) = &outcome[0] else { panic!("{outcome:?}") };
    assert!(text.contains("max_payload"), "{text}");
    let frame = next(&log.mark(1));
    assert!(log.append(&[frame])[0].is_ok(), "and it goes on");
}

/// A frame of 8 kB: what looks like its entries is zeros, which no log looks into.
fn long(mark: &ShardMark) -> Vec<u8> {
    let mut bytes = next(mark);
    bytes.truncate(frame::HEADER_BYTES);
    bytes[frame::HEADER_BYTES - 4..].copy_from_slice(&8_192u32.to_le_bytes());
    bytes.resize(frame::HEADER_BYTES + 8_192, 0);
    let sum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

#[test]
fn nats_what_others_wrote_into_the_stream_is_found_at_opening() {
    let server = NatsServer::running();
    let mut log = on(&server);
    log.claim(&[3]).expect("a claim is appended");
    raw(&server, "PUB orrery.test.log.3 7\r\nrubbish\r\nPING\r\n");
    let error = JetStreamLog::open(&server.url(), "test", PATIENCE).expect_err("damage is never skipped");
    assert!(error.to_string().contains("damaged at position 2"), "{error}");
    let frame = next(&log.mark(3));
    assert!(matches!(log.append(&[frame])[0], Err(AppendError::Fenced { position: Position(2), .. })));
}

#[test]
fn nats_a_stream_that_lets_frames_go_is_refused() {
    let server = NatsServer::running();
    let config = r#"{"name":"orrery-test-log","subjects":["orrery.test.log.*"],"retention":"limits","storage":"file",
        "max_age":3600000000000,"discard":"old","max_msgs":-1,"max_bytes":-1,"num_replicas":1,"max_consumers":-1}"#;
    let length = config.len();
    raw(&server, &format!("PUB $JS.API.STREAM.CREATE.orrery-test-log {length}\r\n{config}\r\nPING\r\n"));
    let error = JetStreamLog::open(&server.url(), "test", PATIENCE).expect_err("a log keeps everything");
    assert!(error.to_string().contains("max_age"), "{error}");
}

/// Speaks to the server as anybody could.
fn raw(server: &NatsServer, text: &str) {
    use std::io::{BufRead, BufReader, Write};
    let address = server.url().trim_start_matches("nats://").to_string();
    let mut stream = std::net::TcpStream::connect(address).expect("the server listens");
    stream.write_all(b"CONNECT {\"verbose\":false}\r\n").expect("it takes a greeting");
    stream.write_all(text.as_bytes()).expect("it takes what is said");
    let lines = BufReader::new(stream).lines();
    assert!(lines.map_while(Result::ok).any(|line| line.starts_with("PONG")), "it answers");
    std::thread::sleep(Duration::from_millis(200));
}

#[test]
fn nats_without_a_server_it_says_what_to_do() {
    let server = NatsServer::new();
    let error = JetStreamLog::open(&server.url(), "test", Duration::from_secs(1)).expect_err("no server runs");
    let text = error.to_string();
    assert!(text.contains(&server.url()) && text.contains("nats-server -js"), "{text}");
}
