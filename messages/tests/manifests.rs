//! Manifests, good and bad: the examples read as meant, every bad one is told exactly what is wrong with it.
//!
//! Each `bad_manifests/NAME.toml` (or .yaml, .json) has its errors beside it in `NAME.toml.txt`.
//! `ORRERY_BLESS=1 cargo nextest run -p messages` rewrites them; commit only what you understand.

#![expect(clippy::disallowed_methods, reason = "a test may read and rewrite the files beside it; the library may not")]

use messages::manifest::{
    Affinity, Check, Fault, Format, Level, Manifest, Options, Spread, Step, Tag, read, read_with,
};
use messages::resources::Resources;
use messages::time::Span;
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bad_manifests")
}

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
    fs::read_to_string(path).expect("the examples are part of the repository")
}

fn told(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("{fault}\n")).collect()
}

fn good(text: &str) -> Manifest {
    read(text, "good.toml", Format::Toml).unwrap_or_else(|faults| panic!("{}", told(&faults)))
}

#[test]
fn every_bad_manifest_is_told_what_is_wrong() {
    let bless = std::env::var_os("ORRERY_BLESS").is_some();
    let mut paths: Vec<PathBuf> = fs::read_dir(directory())
        .expect("the directory of bad manifests is part of the repository")
        .map(|entry| entry.expect("a directory entry can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension != "txt"))
        .collect();
    paths.sort();
    assert!(paths.len() >= 25, "only {} bad manifests are left", paths.len());
    let mut different = Vec::new();
    for path in paths {
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a bad manifest is still text");
        let faults = read(&text, &name, Format::of_file(&name)).expect_err("a bad manifest is refused");
        let expected = path.with_file_name(format!("{name}.txt"));
        if bless {
            fs::write(&expected, told(&faults)).expect("the expected errors can be written");
        } else if fs::read_to_string(&expected).unwrap_or_default() != told(&faults) {
            different.push(format!("{name} is now told:\n{}", told(&faults)));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn the_examples_are_read_as_they_are_meant() {
    let options = Options { base_directory: "/home/ann/examples".into() };
    let text = example("abc.toml");
    let shop =
        read_with(&text, "abc.toml", Format::Toml, &options).unwrap_or_else(|faults| panic!("{}", told(&faults)));
    assert_eq!(shop.realm, "shop");
    assert_eq!(shop.build[0].run[0], "cargo");
    let a = &shop.jobs["a"];
    assert_eq!(a.instances, 4);
    assert_eq!(a.workload.base_directory, "/home/ann/examples");
    assert_eq!(a.workload.ports, ["http"]);
    let resources =
        Resources { cpu_milli: 250, memory_bytes: 64 << 20, disk_bytes: 100 << 20, ports: 1, ..Resources::default() };
    assert_eq!(a.workload.resources, resources);
    assert_eq!(a.workload.links["b"].latency_p99, Some(Span::milliseconds(5)));
    assert_eq!(a.workload.links["b"].bandwidth_bits, Some(10_000_000));
    assert_eq!(a.place.require, [Tag { key: "site".into(), value: Some("on-premise".into()), negated: false }]);
    assert_eq!(a.place.near, [Affinity { job: "b".into(), within: Level::Rack, hard: false }]);
    let health = a.workload.health.as_ref().expect("a has a health check");
    assert_eq!(health.check, Check::Http { port: None, path: "/healthz".into() });
    assert_eq!(shop.jobs["b"].rollout.steps[0], Step { weight: 10, hold: Span::seconds(5) });
    let route = &shop.routes["a.shop.test"];
    assert_eq!((route.host.as_str(), route.path.as_str(), route.to.as_str()), ("a.shop.test", "/", "a"));
    assert_eq!(route.permit, ["group:staff"]);
    for name in ["abc-bad-b.toml", "nginx-redis.toml"] {
        good(&example(name));
    }
}

#[test]
fn everything_that_can_be_written_is_read() {
    let manifest = good(
        r#"
realm = "shop"
[job.db]
run = ["./db", "--peer", "${PORT_PEER}", "--also", "${PORT_HTTP_ADMIN}"]
directory = "data"
environment = { LISTEN = "0.0.0.0:${PORT_SQL}" }
resources = { cpu = 1.5, memory = "2GiB", network = "10Mbps" }
health = { command = ["./check"], every = "5s", timeout = "2s", failures = 5, grace = "30s" }
exclusive = true
restart = { backoff = "1s", backoff_max = "1m30s", forget_after = "5m" }
rollout = { steps = [10, 50, { weight = 100, hold = "1s" }], hold = "20s", min_healthy = 1, failures = 2, deadline = "5m" }
stop_grace = "1m"
[job.db.place]
require = ["ssd", "!gpu"]
prefer = ["zone=a", { tag = "zone=b", weight = 7 }]
near = { job = "web", hard = true }
apart = [{ job = "db", within = "rack" }]
spread = ["site", { over = "rack", skew_max = 1 }]
per_node_max = 1
tolerate = ["dedicated=ml", "closed"]
[job.web]
run = ["./web"]
ports = ["http", "admin"]
links = { db = { port = "sql" } }
health = { tcp = "admin" }
instances = 0
[route."SHOP.test/api/"]
to = "web"
port = "admin"
[route."shop.test"]
to = "web"
path = "/pages"
"#,
    );
    let db = &manifest.jobs["db"];
    assert_eq!(db.workload.ports, ["peer", "http-admin", "sql"]);
    assert_eq!(db.workload.base_directory, "data");
    assert_eq!(db.workload.resources.cpu_milli, 1_500);
    assert_eq!(
        db.place.prefer.iter().map(|(tag, weight)| format!("{tag} {weight}")).collect::<Vec<_>>(),
        ["zone=a 50", "zone=b 7"]
    );
    assert_eq!(db.place.near, [Affinity { job: "web".into(), within: Level::Node, hard: true }]);
    assert_eq!(db.place.tolerate, [Tag::of_taint("dedicated", "ml"), Tag::of_taint("closed", "")]);
    let tolerated = [("dedicated", "ml"), ("dedicated", "db"), ("dedicated", ""), ("closed", ""), ("closed", "today")];
    assert_eq!(tolerated.map(|(taint, value)| db.place.tolerates(taint, value)), [true, false, false, true, true]);
    assert_eq!(
        db.place.spread,
        [Spread { over: Level::Site, skew_max: None }, Spread { over: Level::Rack, skew_max: Some(1) }]
    );
    assert_eq!(db.rollout.steps.iter().map(|step| step.hold.0 / 1_000_000).collect::<Vec<_>>(), [20, 20, 1]);
    let web = &manifest.jobs["web"].workload;
    assert_eq!(web.health.as_ref().map(|health| health.check.clone()), Some(Check::Tcp { port: Some("admin".into()) }));
    assert_eq!(manifest.routes["SHOP.test/api/"].host, "shop.test");
    assert_eq!(manifest.routes["SHOP.test/api/"].path, "/api");
    assert_eq!(manifest.routes["shop.test"].path, "/pages");
}

#[test]
fn resources_are_read_by_their_names() {
    let manifest = good(
        r#"
realm = "shop"
[job.model]
run = ["./model"]
resources = { gpus = 0.25, gpu_model = ["A100", "H100"], disk_io = "100MiB/s", "license.x" = 2, fpga.small = 1 }
[job.train]
run = ["./train"]
resources = { gpus = 2, gpu_model = "A100" }
"#,
    );
    let model = &manifest.jobs["model"].workload;
    assert_eq!(model.resources.to_string(), "disk_io 100MiB/s, gpus 0.25, fpga.small 1, license.x 2");
    assert!(model.takes_gpus_of("h100") && !model.takes_gpus_of("T4"));
    assert_eq!(manifest.jobs["train"].workload.resources.gpu_milli, 2_000);
}

#[test]
fn yaml_and_json_say_the_same_as_toml() {
    let toml = good(
        "realm = \"r\"\n[job.a]\nrun = [\"./a\", \"${PORT_HTTP}\"]\ninstances = 2\nlinks = { b = {} }\n[job.b]\nrun = [\"./b\", \"${PORT_X}\"]\nresources = { cpu = 1.5 }\n",
    );
    let yaml = "realm: r\njob:\n  a:\n    run: [./a, '${PORT_HTTP}']\n    instances: 2\n    links: { b: }\n  b:\n    run:\n      - ./b\n      - ${PORT_X}\n    resources: { cpu: 1.5 }\n";
    let json = r#"{"realm": "r", "job": {"a": {"run": ["./a", "${PORT_HTTP}"], "instances": 2, "links": {"b": {}}},
        "b": {"run": ["./b", "\u0024{PORT_X}"], "resources": {"cpu": 1.5}}}}"#;
    assert_eq!(read(yaml, "a.yaml", Format::Yaml), Ok(toml.clone()));
    assert_eq!(read(json, "a.json", Format::Json), Ok(toml.clone()));
    let sent = serde_json::to_string(&toml).expect("a manifest can be sent as JSON");
    assert_eq!(serde_json::from_str::<Manifest>(&sent).expect("and read back"), toml);
}

/// Depth, width and repetition that would cost a careless reader its stack, its memory or its afternoon.
#[test]
fn no_manifest_is_too_nasty() {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let below = level - 1;
        let items = vec![format!("*a{below}"); 9].join(", ");
        laughs += &format!("a{level}: &a{level} [{items}]\n");
    }
    let jobs = |near: fn(usize) -> [usize; 2]| -> String {
        let job = |index: usize| {
            let [one, two] = near(index);
            format!(
                "[job.a{index}]\nrun = [\"x\"]\nplace = {{ near = [{{ job = \"a{one}\" }}, {{ job = \"a{two}\" }}] }}\n"
            )
        };
        (0..3_000).map(job).collect()
    };
    let circle = format!("realm = \"r\"\n{}", jobs(|index| [(index + 1) % 3_000, (index + 7) % 3_000]));
    for (text, format) in [
        ("[".repeat(200_000), Format::Json),
        ("[".repeat(200_000), Format::Yaml),
        (format!("a = {}", "[".repeat(200_000)), Format::Toml),
        (format!("a = {}", "{a=".repeat(100_000)), Format::Toml),
        (format!("[{}x]\n", "a.".repeat(100_000)), Format::Toml),
        (laughs, Format::Yaml),
        (circle, Format::Toml),
        ("#".repeat(2 << 20), Format::Toml),
    ] {
        let faults = read(&text, "nasty", format).expect_err("this is refused");
        assert!(faults.len() <= 100, "{} faults", faults.len());
        assert!(told(&faults).len() < 100_000, "nobody reads {} bytes of errors", told(&faults).len());
    }
    let chain = format!("realm = \"r\"\n{}", jobs(|index| [(index + 1).min(2_999), (index + 2).min(2_999)]));
    good(&chain);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_panics(cut in 0usize..4_000, at in 0usize..4_000, put in "[\\[\\]{}=\"',.:$ \\n\\PC]{0,6}") {
        for name in ["abc.toml", "nginx-redis.toml"] {
            let text = example(name);
            let letters: Vec<char> = text.chars().collect();
            let kept = cut.min(letters.len());
            let at = at.min(kept);
            let mutated: String =
                letters[..at].iter().copied().chain(put.chars()).chain(letters[at..kept].iter().copied()).collect();
            for format in [Format::Toml, Format::Yaml, Format::Json] {
                if let Err(faults) = read(&mutated, name, format) {
                    prop_assert!(!told(&faults).is_empty());
                }
            }
        }
    }
}
