//! The upgrade gate: logs of real sessions of every release, which this build must decide the same, byte for byte.
//!
//! A release adds its own: `cargo nextest run -p tests --test golden --run-ignored only` writes them to
//! `simulator/golden/vVERSION`, and what is there of other releases stays for ever.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tests::{System, orrery, root};

/// A golden log may be so long, in bytes; sessions are kept short rather than compressed.
const BYTES_MAX: u64 = 300_000;

fn golden() -> PathBuf {
    root().join("simulator/golden")
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("the directory is there");
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

/// Whether a directory holds logs that must come out the same.
fn is_release(path: &Path) -> bool {
    path.is_dir() && path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with('v'))
}

#[test]
fn every_log_of_every_release_comes_out_the_same() {
    let releases: Vec<PathBuf> = files(&golden()).into_iter().filter(|path| is_release(path)).collect();
    let this = golden().join(format!("v{}", env!("CARGO_PKG_VERSION")));
    assert!(releases.contains(&this), "this release has no golden logs yet: see the head of this file");
    for log in releases.iter().flat_map(|release| files(release)) {
        let output = Command::new(orrery()).args(["sim", "replay", "--verify"]).arg(&log).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}: {said}{}",
            log.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(said.starts_with("same: "), "{said}");
        let length = std::fs::metadata(&log).expect("it is there").len();
        assert!((10_000..=BYTES_MAX).contains(&length), "{} has {length} bytes", log.display());
    }
}

fn record(name: &str, session: impl FnOnce(&System)) {
    let mut system = System::new();
    system.open_shop();
    session(&system);
    let directory = golden().join(format!("v{}", env!("CARGO_PKG_VERSION")));
    std::fs::create_dir_all(&directory).expect("the directory can be made");
    let (to, data) = (directory.join(format!("{name}.orx")), system.data());
    let (to, data) = (to.display().to_string(), data.display().to_string());
    let exported = system.orrery(&["log", "--export", &to, "--data", &data]);
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
}

#[test]
#[ignore = "writes the golden logs of this release"]
fn a_session_with_kills_is_recorded() {
    record("kills", |system| {
        system.kill_one();
        system.kill_and_come_back();
    });
}

#[test]
#[ignore = "writes the golden logs of this release"]
fn a_session_with_a_good_revision_is_recorded() {
    record("rolled", System::roll_and_scale);
}

#[test]
#[ignore = "writes the golden logs of this release"]
fn a_session_with_a_bad_revision_is_recorded() {
    record("reverted", System::roll_out_badly);
}

#[test]
#[ignore = "writes the golden logs of this release"]
fn a_session_with_a_drain_is_recorded() {
    record("drain", |system| {
        system.drain();
        // So that something is left of what the guide to logs changes ten seconds in.
        std::thread::sleep(Duration::from_secs(15));
        system.kill_one();
    });
}
