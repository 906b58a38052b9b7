//! What the distribution ships, and health by what somebody thinks, as whole systems.

use std::fs;
use tests::System;

#[test]
fn nginx_and_redis_of_the_distribution_run_together() {
    let system = System::new();
    system.up(&["examples/nginx-redis.toml"]);
    system.eventually("both are healthy", |system| system.healthy("web") == 2 && system.healthy("redis") == 1);
    system.eventually("nginx answers", |system| {
        let (status, body) = system.visit("web.test", "/", None);
        status == 200 && body.starts_with("nginx of web/")
    });
    let ticks = |system: &System| system.visit("web.test", "/ticks", None).1.trim().parse::<u64>().unwrap_or(0);
    system.eventually("what it counts in redis grows", |system| ticks(system) > 2);
}

#[test]
fn an_instance_is_as_well_as_somebody_thinks() {
    let system = System::new();
    system.up(&[]);
    let path = system.data().join("judged.toml");
    system.eventually("the node has joined", System::ready);
    let text = "realm = \"r\"\n[job.judged]\nrun = [\"sleep\", \"600\"]\n\
                health = { opinion = true, every = \"500ms\", timeout = \"2s\", failures = 2, grace = \"60s\" }\n\
                restart = { backoff = \"100ms\" }\n";
    fs::write(&path, text).expect("a manifest can be written");
    let applied = system.orrery(&["apply", &path.display().to_string()]);
    assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
    let say = |system: &System, body: &str| system.post("/v1/opinions/judged/0", body);

    system.eventually("it runs", |system| system.workloads().len() == 1);
    assert_eq!(system.healthy("judged"), 0, "nobody has said anything yet");
    system.eventually("somebody finds it well", |system| {
        say(system, "{\"well\":true}");
        system.healthy("judged") == 1
    });
    let before = system.workloads();
    system.eventually("somebody finds it sick, and it is replaced", |system| {
        say(system, "{\"well\":false,\"why\":\"its answers are wrong\"}");
        let now = system.workloads();
        now.len() == 1 && now != before
    });
    let why = system.orrery(&["why", &before[0].instance]);
    let why = String::from_utf8_lossy(&why.stdout).into_owned();
    assert!(why.contains("its answers are wrong"), "{why}");
    assert_eq!(say(&system, "{}").0, 400);
    assert_eq!(system.post("/v1/opinions/nobody/0", "{\"well\":true}").0, 404);
}

#[test]
fn links_are_found_by_variable_and_by_file_and_stay_where_they_are() {
    let system = System::new();
    system.up(&["examples/abc.toml"]);
    system.eventually("all nine instances are healthy", System::whole);
    let found = |system: &System| {
        let workloads = system.workloads();
        let storefront = workloads.iter().find(|workload| workload.label == "a/0").expect("a/0 runs");
        let file = storefront.variable("LINKS_FILE").expect("it is told of a file");
        let links: serde_json::Value =
            serde_json::from_slice(&fs::read(file).expect("the file is there")).expect("it is JSON");
        assert_eq!(links["b"].as_str(), storefront.variable("LINK_B").as_deref());
        links
    };
    let before = found(&system);
    system.kill();
    system.up(&[]);
    system.eventually("the route leads through A to B and C", |system| {
        system.whole() && system.get(Some(tests::TOKEN)).0 == 200
    });
    assert_eq!(found(&system), before);
}
