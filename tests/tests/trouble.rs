//! Bad input and trouble from the world: a clear word, the right exit code, and nothing lost.

use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use tests::{System, free_port, orrery, root};

const SLEEPER: &str = "realm = \"r\"\n[job.s]\nrun = [\"sleep\", \"600\"]\nresources = { memory = \"16MiB\" }\n";

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(orrery());
    command.current_dir(root()).args(arguments).stdin(Stdio::null()).output().expect("orrery runs")
}

/// `orrery up` that is expected to end by itself.
fn up(data: &str, more: &[&str]) -> Output {
    let (api, ingress) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
    let own = ["up", "--data", data, "--listen", &api, "--ingress", &ingress];
    run(&[&own[..], more].concat())
}

fn written(directory: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    fs::write(&path, text).expect("a file can be written");
    path.display().to_string()
}

/// What `orrery doctor --json` finds bad.
fn doctor_finds(data: &str, more: &[&str]) -> (Option<i32>, String) {
    let output = run(&[&["doctor", "--json", "--api", "http://127.0.0.1:9", "--data", data][..], more].concat());
    let looks: Value = serde_json::from_slice(&output.stdout).expect("the doctor answers in JSON");
    let bad = looks.as_array().into_iter().flatten().filter(|look| look["finding"] == "bad");
    (output.status.code(), bad.map(Value::to_string).collect())
}

#[test]
fn a_faulty_manifest_is_told_with_the_place_before_anything_starts() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let data = directory.path().join("data").display().to_string();
    for (text, place, word) in [
        ("realm = \"r\"\n[job.a]\nrun = [\"true\"]\ninstnces = 2\n", "m.toml:4:1", "did you mean \"instances\"?"),
        (
            "realm = \"r\"\n[job.a]\nrun = [\"true\"]\nresources = { cpu = \"2q\" }\n",
            "m.toml:4:21",
            "unknown unit \"q\"",
        ),
        ("realm = \"r\"\n[job.a]\nrun = 5\n", "m.toml:3:7", "job.a.run"),
        ("realm = \n", "m.toml:1:", ""),
        (
            "realm = \"r\"\n[job.a]\nrun = [\"a\"]\nplace = { near = { job = \"b\", within = \"rack\" } }\n\
             [job.b]\nrun = [\"b\"]\nplace = { near = { job = \"a\", within = \"rack\" } }\n",
            "m.toml:4:",
            "in a circle",
        ),
    ] {
        let manifest = written(&directory, "m.toml", text);
        let output = up(&data, &["--apply", &manifest]);
        assert_eq!(output.status.code(), Some(1), "{text}: {}", said(&output));
        assert!(said(&output).contains(place) && said(&output).contains(word), "{place} {word}: {}", said(&output));
        assert!(!directory.path().join("data").exists(), "nothing was started for {text}");
    }
}

#[test]
fn a_refused_manifest_ends_up_with_the_nearest_miss_and_the_smallest_change() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let data = directory.path().join("data").display().to_string();
    let text =
        "realm = \"r\"\n[job.a]\nrun = [\"sleep\", \"9\"]\n[job.b]\nrun = [\"true\"]\nresources = { cpu = \"64\" }\n";
    let manifest = written(&directory, "m.toml", text);
    let output = up(&data, &["--apply", &manifest, "--name", "n1", "--cpu", "2"]);
    assert_eq!(output.status.code(), Some(1));
    for word in ["no-cpu", "nearest: node n1 has 2000m of cpu", "change: reduce job.b.resources.cpu", "orrery trace"] {
        assert!(said(&output).contains(word), "{word}: {}", said(&output));
    }
    let instances = fs::read_dir(directory.path().join("data/instances")).expect("there is such a directory");
    assert_eq!(instances.count(), 0, "nothing was half applied: a does not run");
}

#[test]
fn a_port_in_use_is_named() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let data = directory.path().join("data").display().to_string();
    let taken = TcpListener::bind("127.0.0.1:0").expect("some port is free");
    let address = taken.local_addr().expect("it has an address").to_string();
    let output = run(&["up", "--data", &data, "--listen", &address]);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains(&address) && said(&output).contains("--listen"), "{}", said(&output));
    let (code, bad) = doctor_finds(&data, &["--ingress", &address]);
    assert!(code == Some(1) && bad.contains(&address), "{code:?} {bad}");
}

#[test]
fn a_data_directory_that_cannot_be_is_named() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let data = format!("{}/data", written(&directory, "file", "no directory"));
    let output = up(&data, &[]);
    assert_eq!(output.status.code(), Some(3));
    assert!(said(&output).contains(&data) && said(&output).contains("--data"), "{}", said(&output));
    let (code, bad) = doctor_finds(&data, &[]);
    assert!(code == Some(1) && bad.contains("data directory"), "{code:?} {bad}");
}

#[test]
fn a_journal_damaged_in_its_synced_part_is_refused_and_never_skipped() {
    let system = System::new();
    system.up(&[]);
    system.eventually("the node has joined", System::ready);
    system.kill();
    let data = system.data();
    let (code, bad) = doctor_finds(&data.display().to_string(), &[]);
    assert_eq!((code, bad.as_str()), (Some(0), ""), "a sound journal is sound");
    let journal = fs::read_dir(data.join("journal")).expect("there is a journal").flatten();
    let segment = journal.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|ending| ending == "log"));
    let segment = segment.expect("the journal has a segment");
    let middle = fs::metadata(&segment).expect("it is there").len() / 2;
    let mut file = OpenOptions::new().write(true).open(&segment).expect("it can be damaged");
    file.seek(SeekFrom::Start(middle)).and_then(|_| file.write_all(b"\xff\x00\xff\x00")).expect("it can be damaged");
    let data = data.display().to_string();
    for output in [up(&data, &[]), run(&["replay", "--verify", "--api", "http://127.0.0.1:9", "--data", &data])] {
        assert_eq!(output.status.code(), Some(3));
        assert!(said(&output).contains("is damaged at byte") && said(&output).contains("backup"), "{}", said(&output));
    }
    let (code, bad) = doctor_finds(&data, &[]);
    assert!(code == Some(1) && bad.contains("damaged"), "{code:?} {bad}");
}

/// A file system of 400 KiB, gone when this is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Needs the right to mount; none where that is not given.
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().expect("a directory can be made");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=400k", "tmpfs"]).arg(directory.path()).status();
        mounted.is_ok_and(|status| status.success()).then_some(Self(directory))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_stops_the_control_plane_and_loses_nothing() {
    let Some(disk) = SmallDisk::mount() else { return eprintln!("skipped: mounting is not allowed here") };
    let system = System::at(disk.0.path().join("data"));
    system.up(&[]);
    system.eventually("the node has joined", System::ready);
    let directory = tempfile::tempdir().expect("a directory can be made");
    let manifest = written(&directory, "s.toml", SLEEPER);
    assert!(system.orrery(&["apply", &manifest]).status.success());
    system.eventually("it runs", |system| system.healthy("s") == 1);
    let filler = disk.0.path().join("filler");
    let _until_full = fs::write(&filler, vec![0; 400 << 10]);
    let first = system.workloads()[0].clone();

    // The last page of the journal still has some room.
    let mut scaled = (0..60).map(|turn: u32| system.orrery(&["job", "scale", "s", &(turn % 4 + 1).to_string()]));
    let failed = scaled.find(|scaled| !scaled.status.success()).expect("the disk is full at some time");
    assert_eq!(failed.status.code(), Some(3), "{}", said(&failed));
    assert_eq!(system.ended(), Some(3), "{}", system.said());
    assert!(system.said().contains("No space left on device"), "{}", system.said());
    assert!(system.workloads().contains(&first), "workloads go on");
    let (code, bad) = doctor_finds(&system.data().display().to_string(), &[]);
    assert!(code == Some(1) && bad.contains("disk"), "{code:?} {bad}");

    fs::remove_file(filler).expect("room can be made");
    system.up(&[]);
    system.eventually("it is taken over", |system| system.healthy("s") >= 1);
    assert!(system.workloads().contains(&first), "nothing was started again");
    assert!(system.orrery(&["job", "scale", "s", "3"]).status.success());
    system.eventually("it goes on", |system| system.healthy("s") == 3);
    let verified = system.json(&["replay", "--verify"]).expect("verification answers");
    assert_eq!(verified["mismatches"].as_array().map(Vec::len), Some(0), "{verified}");
}
