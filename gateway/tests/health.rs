//! Stories of health: real probes against real listeners and real commands.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use gateway::driver::health::{Change, Check, Health, Monitor, Probe, Surroundings};
use tokio::sync::mpsc;

fn check(probe: Probe) -> Check {
    let every = Duration::from_millis(20);
    Check { probe, every, timeout: Duration::from_secs(10), after_failures: 2, grace: Duration::ZERO }
}

async fn next(changes: &mut mpsc::Receiver<Change>) -> Health {
    tokio::time::timeout(Duration::from_secs(30), changes.recv())
        .await
        .expect("a change comes")
        .expect("it is watched")
        .health
}

fn begin(check: Check, surroundings: Surroundings) -> (Monitor, mpsc::Receiver<Change>) {
    let (sender, changes) = mpsc::channel(8);
    (Monitor::begin("a", check, surroundings, sender), changes)
}

/// Answers every request with the status it is set to.
fn serve() -> (u16, Arc<AtomicU16>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let status = Arc::new(AtomicU16::new(204));
    let answered = status.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 1024];
            let _request = stream.read(&mut request);
            let status = answered.load(Ordering::SeqCst);
            let body = if status == 204 { "" } else { "the database is away" };
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let _gone = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    (port, status)
}

#[tokio::test]
async fn http_says_well_then_why_not_then_well_again() {
    let (port, status) = serve();
    let probe = Probe::Http { port, path: "/healthz".to_owned() };
    let (_monitor, mut changes) = begin(check(probe), Surroundings::default());
    assert_eq!(next(&mut changes).await, Health::Starting);
    assert_eq!(next(&mut changes).await, Health::Healthy);
    status.store(503, Ordering::SeqCst);
    let Health::Unhealthy { why, evidence } = next(&mut changes).await else { panic!("it is sick") };
    assert!(why.contains("/healthz answered 503") && why.ends_with("the database is away"), "{why}");
    assert_eq!(evidence.len(), 2, "both failures that led to it");
    status.store(302, Ordering::SeqCst);
    assert_eq!(next(&mut changes).await, Health::Healthy);
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_sick() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let (_monitor, mut changes) = begin(check(Probe::Tcp { port }), Surroundings::default());
    assert_eq!(next(&mut changes).await, Health::Starting);
    assert_eq!(next(&mut changes).await, Health::Healthy);
    drop(listener);
    assert!(matches!(next(&mut changes).await, Health::Unhealthy { why, .. } if why.contains("refused")));
}

#[tokio::test]
async fn a_command_runs_in_the_surroundings_of_the_instance() {
    let directory = tempfile::tempdir().expect("a directory");
    let surroundings = Surroundings {
        environment: [("PATH", "/usr/bin:/bin"), ("WELL", "well")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        directory: directory.path().to_owned(),
        ..Surroundings::default()
    };
    let run = ["sh", "-c", "test -e ${WELL} || { echo no $WELL here >&2; exit 3; }"].map(str::to_owned).to_vec();
    let (_monitor, mut changes) = begin(check(Probe::Command { run }), surroundings);
    assert_eq!(next(&mut changes).await, Health::Starting);
    assert!(matches!(next(&mut changes).await, Health::Unhealthy { why, .. } if why.ends_with("no well here")));
    std::fs::write(directory.path().join("well"), "").expect("written");
    assert_eq!(next(&mut changes).await, Health::Healthy);
}

#[tokio::test]
async fn a_command_that_hangs_is_ended_and_counts_as_a_failure() {
    let run = ["/bin/sh", "-c", "sleep 1000 & wait"].map(str::to_owned).to_vec();
    let hanging = Check { timeout: Duration::from_millis(50), ..check(Probe::Command { run }) };
    let (_monitor, mut changes) = begin(hanging, Surroundings { directory: "/".into(), ..Surroundings::default() });
    assert_eq!(next(&mut changes).await, Health::Starting);
    assert!(
        matches!(next(&mut changes).await, Health::Unhealthy { why, .. } if why.ends_with("did not answer within 50 ms"))
    );
}

#[tokio::test]
async fn an_opinion_from_outside_counts_and_so_does_silence() {
    let patient = Check { every: Duration::from_secs(20), after_failures: 1, ..check(Probe::Opinion) };
    let (monitor, mut changes) = begin(patient, Surroundings::default());
    assert_eq!(next(&mut changes).await, Health::Starting);
    monitor.opine(Ok(()));
    assert_eq!(next(&mut changes).await, Health::Healthy);
    monitor.opine(Err("slow since noon".to_owned()));
    assert!(matches!(next(&mut changes).await, Health::Unhealthy { why, .. } if why == "slow since noon"));

    let every = Duration::from_millis(10);
    let (_silent, mut changes) =
        begin(Check { every, timeout: every, ..check(Probe::Opinion) }, Surroundings::default());
    assert_eq!(next(&mut changes).await, Health::Starting);
    assert!(matches!(next(&mut changes).await, Health::Unhealthy { why, .. } if why.contains("no opinion")));
}
