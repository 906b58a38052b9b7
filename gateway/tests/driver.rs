//! Stories of the driver with real processes: how workloads start, end, are stopped, limited, and survive their agent.

#[path = "driver/world.rs"]
mod world;

#[path = "driver/crashes.rs"]
mod crashes;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use gateway::driver::{Driver, Event, ExitReason, LogLimits, Resources, StartError, Status, Stream, boot_us};
use world::{World, alive, carriers, eventually, launch, limited, next, options, shell};

#[test]
fn the_ways_to_end_are_told_apart() {
    let world = World::new();
    assert_eq!(world.run(&shell("exit 0")), ExitReason::Code { code: 0 });
    assert_eq!(world.run(&shell("exit 7")), ExitReason::Code { code: 7 });
    assert_eq!(world.run(&shell("kill -SEGV $$")), ExitReason::Signal { signal: libc::SIGSEGV });
}

#[test]
fn what_cannot_start_says_what_is_missing() {
    let world = World::new();
    let text = world.directory.path().join("plain.txt");
    std::fs::write(&text, "no program").expect("a file");
    let stories = [
        (vec!["./no-such-program"], "there is no program /./no-such-program; build or install it"),
        (vec!["no-such-program"], "is not in PATH"),
        (vec![text.to_str().expect("plain text")], "chmod +x"),
        (vec!["/bin/sh", "${PORT_HTTP}"], "run[1] uses ${PORT_HTTP}, which is not defined"),
        (vec!["/"], "is a directory"),
    ];
    for (run, expected) in stories {
        let error = world.driver.start(launch(&run)).expect_err("it cannot start");
        assert!(error.to_string().contains(expected), "{error}");
    }
    let mut elsewhere = shell("true");
    elsewhere.directory = Some("/no/such/directory".into());
    let error = world.driver.start(elsewhere.clone()).expect_err("there is no such directory");
    assert!(
        matches!(&error, StartError::CouldNotStart(why) if why.contains("there is no directory /no/such/directory")),
        "{error}"
    );
    assert!(matches!(world.end_of(&elsewhere.instance), ExitReason::CouldNotStart { .. }), "and it is on record");
}

#[test]
fn an_instance_beyond_its_memory_is_out_of_memory() {
    let directory = tempfile::tempdir().expect("a directory");
    let (driver, notices) = Driver::open(directory.path(), options()).expect("a driver");
    let world = World { directory, driver };
    if !limited(&notices, "memory") {
        return;
    }
    let mut hog = shell("head -c 200M /dev/zero | tail");
    hog.resources.memory_bytes = Some(32 << 20);
    assert_eq!(world.run(&hog), ExitReason::OutOfMemory);

    let mut half = shell("head -c 200M /dev/zero | tail; sleep 1000");
    half.resources.memory_bytes = Some(32 << 20);
    assert_eq!(world.run(&half), ExitReason::OutOfMemory, "it does not go on without one of its processes");
}

#[test]
fn a_stop_is_gentle_first_and_certain_in_the_end() {
    let world = World::new();
    let gentle = shell("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done");
    world.start(&gentle);
    world.says(&gentle.instance, "up");
    world.driver.stop(&gentle.instance, Duration::from_secs(20)).expect("asked");
    assert_eq!(world.end_of(&gentle.instance), ExitReason::Stopped { forced: false });
    assert!(world.output(&gentle.instance).contains("bye"), "it had time to say so");

    let deaf = shell("trap '' TERM; echo up; while :; do sleep 0.05; done");
    world.start(&deaf);
    world.says(&deaf.instance, "up");
    world.driver.stop(&deaf.instance, Duration::from_millis(200)).expect("asked");
    assert_eq!(world.end_of(&deaf.instance), ExitReason::Stopped { forced: true });
}

#[test]
fn a_second_stop_may_shorten_the_grace() {
    let world = World::new();
    let deaf = shell("trap '' TERM; echo up; while :; do sleep 0.05; done");
    world.start(&deaf);
    world.says(&deaf.instance, "up");
    world.driver.stop(&deaf.instance, Duration::from_secs(3600)).expect("asked");
    world.driver.stop(&deaf.instance, Duration::from_millis(50)).expect("asked again");
    assert_eq!(world.end_of(&deaf.instance), ExitReason::Stopped { forced: true });
}

#[test]
fn nothing_a_workload_started_outlives_it() {
    let world = World::new();
    let parent = shell("setsid sleep 1000 & (setsid sh -c 'sleep 1000 & sleep 1000' &) ; sleep 0.2; echo up; exit 3");
    assert_eq!(world.run(&parent), ExitReason::Code { code: 3 });
    assert_eq!(carriers(&parent.instance), 0, "all of them are gone when it is said to have ended");
}

#[test]
fn started_twice_it_runs_once() {
    let world = World::new();
    let other = world::open(world.directory.path());
    let sleeper = launch(&["sleep", "1000"]);
    let starts: Vec<i32> = std::thread::scope(|scope| {
        let drivers = [&world.driver, &other, &world.driver, &other];
        let threads = drivers.map(|driver| scope.spawn(|| driver.start(sleeper.clone()).expect("it starts").pid));
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(starts.iter().collect::<BTreeSet<_>>().len(), 1, "{starts:?}");
    assert_eq!(carriers(&sleeper.instance), 1);
    world.driver.stop(&sleeper.instance, Duration::ZERO).expect("asked");
    world.end_of(&sleeper.instance);
    let again = world.driver.start(sleeper).expect_err("an instance runs once");
    assert!(matches!(again, StartError::Ended { .. }), "{again}");
}

#[test]
fn an_exclusive_instance_dies_with_the_lease() {
    let world = World::new();
    let mut only = launch(&["sleep", "1000"]);
    only.exclusive = true;
    let refused = world.driver.start(only.clone()).expect_err("no lease yet");
    assert!(matches!(refused, StartError::NoLease(_)), "{refused}");

    world.driver.renew_lease(boot_us() + 60_000_000).expect("renewed");
    let pid = world.start(&only).pid;
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(world.running_pid(&only.instance), Some(pid), "the lease is held");
    let shared = launch(&["sleep", "1000"]);
    world.start(&shared);

    world.driver.renew_lease(boot_us() + 100_000).expect("the last renewal");
    assert_eq!(world.end_of(&only.instance), ExitReason::LeaseExpired);
    assert!(!alive(pid));
    assert!(world.running_pid(&shared.instance).is_some(), "what may run twice goes on");
}

#[test]
fn output_is_kept_in_rotating_files() {
    let world = World::new();
    let mut talker =
        shell("i=0; while [ $i -lt 2000 ]; do echo line-$i; i=$((i+1)); sleep 0.0002; done; echo oops >&2");
    talker.log = LogLimits { max_bytes: 2_000, files: 3 };
    assert_eq!(world.run(&talker), ExitReason::Code { code: 0 });
    let live = world.driver.log_path(&talker.instance, Stream::Out).expect("known");
    assert!(std::fs::read_to_string(&live).expect("the live file").ends_with("line-1999\n"));
    let rotated = |number: u32| format!("{}.{number}", live.display());
    assert!(std::fs::metadata(rotated(1)).is_ok() && std::fs::metadata(rotated(2)).is_ok());
    assert!(std::fs::metadata(rotated(3)).is_err(), "three files, the live one included");
    let errors = world.driver.log_path(&talker.instance, Stream::Err).expect("known");
    assert_eq!(std::fs::read_to_string(errors).expect("the other stream"), "oops\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_can_be_followed_to_its_end() {
    let world = World::new();
    let mut talker = shell("for i in 1 2 3 4 5 6 7 8; do echo out-$i; echo err-$i >&2; sleep 0.05; done; printf last");
    talker.log = LogLimits { max_bytes: 16, files: 9 };
    world.start(&talker);
    let reader =
        world.driver.logs(&talker.instance, &[Stream::Out, Stream::Err], None).expect("readable").expect("known");
    let (sender, mut lines) = tokio::sync::mpsc::channel(4);
    let (driver, instance) = (world.driver.clone(), talker.instance.clone());
    let over = move || matches!(driver.status(&instance), Ok(Status::Ended { .. }));
    let following = tokio::spawn(async move { reader.follow(over, sender).await });
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(line) = lines.recv().await {
        let text = String::from_utf8(line.text).expect("plain text");
        if line.stream == Stream::Out { out.push(text) } else { err.push(text) }
    }
    following.await.expect("no panic").expect("no error");
    let expected = |name: &str| (1..=8).map(|number| format!("{name}-{number}")).collect::<Vec<_>>();
    assert_eq!(out, [expected("out"), vec!["last".to_owned()]].concat());
    assert_eq!(err, expected("err"));
}

#[test]
fn a_processor_quota_bites() {
    let directory = tempfile::tempdir().expect("a directory");
    let (driver, notices) = Driver::open(directory.path(), options()).expect("a driver");
    let world = World { directory, driver };
    if !limited(&notices, "cpu") {
        return;
    }
    let mut spinner = shell("while :; do :; done");
    spinner.resources = Resources { cpu_milli: Some(250), ..Resources::default() };
    world.start(&spinner);
    let (before, began) = (world.driver.usage(&spinner.instance).expect("known").cpu_us, Instant::now());
    std::thread::sleep(Duration::from_secs(2));
    let used = world.driver.usage(&spinner.instance).expect("known").cpu_us - before;
    let elapsed = u64::try_from(began.elapsed().as_micros()).expect("short");
    assert!(used * 10 < elapsed * 6, "{used} of {elapsed} us with a quota of a quarter");
    assert!(used > 0, "it is counted");
}

#[test]
fn use_of_disk_is_measured() {
    let world = World::new();
    let writer = shell("head -c 300000 /dev/zero > file; echo up; sleep 1000");
    world.start(&writer);
    world.says(&writer.instance, "up");
    assert!(world.driver.usage(&writer.instance).expect("known").disk_bytes >= 300_000);
}

#[test]
fn ports_are_distinct_known_to_the_workload_and_given_back() {
    let world = World::new();
    let mut seen = BTreeSet::new();
    let mut last = None;
    for _ in 0..3 {
        let mut server = shell("echo ${PORT_HTTP} $ADMIN; sleep 1000");
        server.ports = vec!["http".to_owned(), "admin".to_owned()];
        server.environment.insert("ADMIN".to_owned(), "localhost:${PORT_ADMIN}".to_owned());
        let ports = world.start(&server).ports;
        world.says(&server.instance, &format!("{} localhost:{}\n", ports["http"], ports["admin"]));
        assert!(seen.insert(ports["http"]) && seen.insert(ports["admin"]), "{ports:?} were given out before");
        last = Some(server.instance);
    }
    let instance = last.expect("three were started");
    assert!(world.driver.forget(&instance).is_err(), "it runs");
    world.driver.stop(&instance, Duration::ZERO).expect("asked");
    world.end_of(&instance);
    world.driver.forget(&instance).expect("it has ended");
    assert_eq!(world.driver.status(&instance).expect("readable"), Status::Unknown);
    let claims = std::fs::read_dir(world.directory.path().join("ports")).expect("the record").count();
    assert_eq!(claims, 4, "two instances are left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_is_noticed_at_once() {
    let world = World::new();
    let mut events = world.driver.events().expect("the first to ask");
    let sleeper = launch(&["sleep", "1000"]);
    let pid = world.start(&sleeper).pid;
    let killed = Instant::now();
    world::kill(pid);
    assert_eq!(next(&mut events).await, Event::Gone { instance: sleeper.instance.clone() });
    let gone = killed.elapsed();
    let Event::Ended { reason, .. } = next(&mut events).await else { panic!("the end follows") };
    println!("kill to gone: {gone:?}, to ended: {:?}", killed.elapsed());
    assert_eq!(reason, ExitReason::Signal { signal: libc::SIGKILL });
    eventually("the supervisor is gone", || !alive(world.shim_pid(&sleeper.instance)));
}
