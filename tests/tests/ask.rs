//! Ask before you act: what is planned is what comes, in quiet; in a race it is refused, with the difference. How much fits,
//! what a loss would come to, and suggestions that are followed. And the page on it is true.

use serde_json::Value;
use std::process::Output;
use tests::{System, Terminal, page};

/// The page, whose every command is run here.
const PAGE: &str = "docs/scheduling.md";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn array(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

fn write(system: &System, name: &str, text: &str) -> String {
    std::fs::create_dir_all(system.data()).expect("a directory can be made");
    let path = system.data().join(name);
    std::fs::write(&path, text).expect("a manifest can be written");
    path.display().to_string()
}

/// A job of sleepers.
fn sleepers(name: &str, instances: u32, cpu: &str, more: &str) -> String {
    format!(
        "realm = \"shop\"\n[job.{name}]\nrun = [\"sleep\", \"3600\"]\ninstances = {instances}\n\
         resources = {{ cpu = \"{cpu}\", memory = \"64MiB\" }}\n{more}\n"
    )
}

/// A system of two nodes in two racks.
fn two_nodes() -> System {
    let mut system = System::new();
    system.up_as(&["--name", "n1", "--rack", "r1"], &[]);
    system.eventually("the command line is answered", |system| system.json(&["status"]).is_some());
    system.join_as("n2", &["--rack", "r2"]);
    system.eventually("both nodes are there", |system| system.nodes_ready() == 2);
    system
}

fn plan(system: &System, file: &str) -> Value {
    system.json(&["plan", file]).unwrap_or_else(|| panic!("{file} is planned: {}", system.said()))
}

/// Where instances are: label and node.
fn present(system: &System) -> Vec<(String, String)> {
    let status = system.json(&["status"]).unwrap_or_default();
    let instances = array(&status["jobs"]).into_iter().flat_map(|job| array(&job["instances"]));
    let mut present: Vec<(String, String)> = instances
        .filter_map(|one| Some((one["label"].as_str()?.to_owned(), one["node"].as_str()?.to_owned())))
        .collect();
    present.sort();
    present
}

fn planned(plan: &Value) -> Vec<(String, String)> {
    let one = |one: &Value| {
        let job = one["job"].as_str().and_then(|job| job.split_once('/')).map_or("", |(_, name)| name);
        (format!("{job}/{}", one["slot"]), one["node"].as_str().unwrap_or_default().to_owned())
    };
    let mut planned: Vec<(String, String)> = array(&plan["placements"]).iter().map(one).collect();
    planned.sort();
    planned
}

fn applied(system: &System, file: &str, plan: &Value) -> Output {
    system.orrery(&["apply", file, "--plan", plan["id"].as_str().expect("a plan has a name")])
}

#[test]
fn what_is_planned_is_what_comes_and_in_a_race_it_is_refused() {
    let system = two_nodes();
    let file = write(&system, "shop.toml", &(sleepers("web", 3, "1", "") + &sleepers("db", 2, "500m", "")[15..]));
    let before = system.json(&["status"]).expect("it answers")["position"].clone();
    let wanted = plan(&system, &file);
    assert_eq!(planned(&wanted).len(), 5, "{wanted}");
    assert_eq!(system.json(&["status"]).expect("it answers")["position"], before, "a plan leaves no trace");
    let done = applied(&system, &file, &wanted);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    system.eventually("all run", |system| system.healthy("web") == 3 && system.healthy("db") == 2);
    assert_eq!(present(&system), planned(&wanted));

    // Planned again, it changes nothing; and the same plan again comes to something else now.
    assert!(planned(&plan(&system, &file)).is_empty());
    let again = applied(&system, &file, &wanted);
    assert_eq!(again.status.code(), Some(1), "{}", text(&again.stdout));

    // Somebody else comes first.
    let more = write(&system, "more.toml", &sleepers("web", 5, "1", ""));
    let wanted = plan(&system, &more);
    let rival = write(&system, "rival.toml", &sleepers("rival", 2, "1500m", ""));
    assert!(system.orrery(&["apply", &rival]).status.success());
    system.eventually("the rival runs", |system| system.healthy("rival") == 2);
    let late = applied(&system, &more, &wanted);
    let said = text(&late.stderr);
    assert_eq!(late.status.code(), Some(1), "{said}");
    assert!(said.contains("(stale)") && said.contains("- shop/web/") && said.contains("+ refused"), "{said}");
    assert_eq!(system.healthy("web"), 3, "nothing of it was applied");
    let failure = system.json(&["apply", &more, "--plan", wanted["id"].as_str().unwrap_or_default()]);
    let failure = failure.expect("it answers");
    assert_eq!(failure["reason"], "stale");
    assert!(!array(&failure["difference"]).is_empty(), "{failure}");

    // A node that closes changes what comes of it, too.
    let small = write(&system, "small.toml", &sleepers("small", 1, "100m", ""));
    let wanted = plan(&system, &small);
    let node = planned(&wanted)[0].1.clone();
    assert!(system.orrery(&["node", "cordon", &node]).status.success());
    assert_eq!(applied(&system, &small, &wanted).status.code(), Some(1));
    assert!(system.orrery(&["node", "uncordon", &node]).status.success());
    let done = applied(&system, &small, &wanted);
    assert_eq!(done.status.code(), Some(0), "it is as it was planned again: {}", text(&done.stderr));

    let verified = system.json(&["replay", "--verify"]).expect("it answers");
    assert_eq!(array(&verified["mismatches"]).len(), 0, "{verified}");
    for (arguments, code) in [
        (&["apply", &small, "--plan", "nonsense"][..], 1),
        (&["apply", &small, &more, "--plan", "1-0123456789abcdef"], 2),
        (&["plan", "/nowhere.toml"], 3),
    ] {
        assert_eq!(system.orrery(arguments).status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn a_refused_plan_says_so_and_so_many_fit_as_capacity_says() {
    let system = two_nodes();
    let file = write(&system, "web.toml", &sleepers("web", 2, "1", ""));
    assert!(system.orrery(&["apply", &file]).status.success());
    system.eventually("they run", |system| system.healthy("web") == 2);
    let capacity = system.json(&["capacity", "web"]).expect("it answers");
    let room = &capacity["jobs"][0];
    assert_eq!((&room["present"], &room["fit"], &room["reason"]), (&2.into(), &6.into(), &"no-cpu".into()), "{room}");
    assert_eq!(capacity["survives"], false, "a whole site cannot be lost: {capacity}");
    let nodes = array(&capacity["losses"]).into_iter().filter(|loss| loss["level"] == "node");
    assert!(nodes.into_iter().all(|loss| array(&loss["stranded"]).is_empty()), "each node can: {capacity}");

    let too_many = write(&system, "nine.toml", &sleepers("web", 9, "1", ""));
    let refused = system.orrery(&["plan", &too_many]);
    let said = text(&refused.stdout);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("would refuse it") && said.contains("change: have 1000m more cpu on n1"), "{said}");
    let all = write(&system, "eight.toml", &sleepers("web", 8, "1", ""));
    assert!(system.orrery(&["plan", &all]).status.success());
    assert!(system.orrery(&["apply", &all]).status.success());
    system.eventually("all eight run", |system| system.healthy("web") == 8);
    let of_file = system.json(&["capacity", &too_many]).expect("it answers");
    assert_eq!(of_file["jobs"][0]["fit"], 0, "{of_file}");
}

/// The change that a refused command is told to make.
fn change(system: &System, file: &str) -> (String, String) {
    let refused = system.json(&["apply", file]).expect("it answers");
    let part = |name: &str| refused[name].as_str().unwrap_or_else(|| panic!("{name}: {refused}")).to_owned();
    (part("reason"), part("change"))
}

#[test]
fn whoever_follows_a_suggestion_sees_it_placed() {
    let mut system = two_nodes();
    let file = |system: &System, more: &str, cpu: &str| write(system, "job.toml", &sleepers("job", 2, cpu, more));
    let done = |system: &System| {
        let applied = system.orrery(&["apply", &system.data().join("job.toml").display().to_string()]);
        assert!(applied.status.success(), "{}", text(&applied.stderr));
        system.eventually("it is placed", |system| system.healthy("job") == 2);
        assert!(system.orrery(&["job", "stop", "job"]).status.success());
        system.eventually("it is gone", |system| present(system).iter().all(|(label, _)| !label.starts_with("job/")));
    };

    // Too big for every node, and too big for what is left.
    let told = change(&system, &file(&system, "", "5"));
    assert_eq!(told, ("no-cpu".into(), "reduce job.job.resources.cpu to 4000m, or have 1000m more cpu on n1".into()));
    file(&system, "", "4000m");
    done(&system);

    // A tag that no node has.
    let gpu = "place = { require = [\"gpu\"] }";
    let (reason, told) = change(&system, &file(&system, gpu, "100m"));
    assert_eq!(
        (reason.as_str(), told.as_str()),
        ("tag-mismatch", "tag node n1 with gpu, or drop gpu from job.job.place.require")
    );
    system.join_as("n3", &["--tag", "gpu=yes", "--rack", "r3"]);
    system.eventually("it is there", |system| system.nodes_ready() == 3);
    done(&system);

    // Apart from itself on every node, and one too many.
    let apart = "place = { apart = { job = \"job\", within = \"node\", hard = true } }";
    let many = write(&system, "job.toml", &sleepers("job", 4, "100m", apart));
    let (reason, told) = change(&system, &many);
    assert_eq!(reason, "not-apart");
    assert!(
        told.contains("add a node with 100m of cpu") && told.contains("drop job job from job.job.place.apart"),
        "{told}"
    );
    file(&system, "", "100m");
    done(&system);

    // As many on each node as allowed.
    let many = write(&system, "job.toml", &sleepers("job", 4, "100m", "place = { per_node_max = 1 }"));
    let (reason, told) = change(&system, &many);
    assert_eq!(reason, "per-node-max");
    assert!(told.starts_with("raise job.job.place.per_node_max to 2"), "{told}");
    file(&system, "place = { per_node_max = 2 }", "100m");
    done(&system);

    // More than the quota.
    assert!(system.orrery(&["policy", "quota", "--instances", "1", "--realm", "shop"]).status.success());
    let (reason, told) = change(&system, &file(&system, "", "100m"));
    assert_eq!(
        (reason.as_str(), told.as_str()),
        ("quota-exceeded", "raise the quota of instances to 2, or ask for less")
    );
    assert!(system.orrery(&["policy", "quota", "--instances", "2", "--realm", "shop"]).status.success());
    done(&system);
}

#[test]
fn what_waits_is_placed_when_the_node_is_opened_that_it_is_told_of() {
    let system = two_nodes();
    for node in ["n1", "n2"] {
        assert!(system.orrery(&["node", "cordon", node]).status.success());
    }
    system.eventually("both are closed", |system| system.nodes_ready() == 0);
    let file = write(&system, "job.toml", &sleepers("job", 1, "100m", ""));
    assert!(system.orrery(&["apply", &file]).status.success());
    system
        .eventually("it waits", |system| system.orrery(&["status"]).stdout.windows(8).any(|part| part == b"cordoned"));
    let why = system.json(&["why", "job/0"]).expect("it answers");
    let unplaceable = &why["decision"]["unplaceable"];
    assert_eq!(
        (&unplaceable["reason"], &unplaceable["change"]),
        (&"cordoned".into(), &"uncordon node n1".into()),
        "{why}"
    );
    let why_not = system.json(&["why-not", "job", "n1"]).expect("it answers");
    assert_eq!(why_not["against"][0]["change"], "uncordon node n1", "{why_not}");
    assert!(system.orrery(&["node", "uncordon", "n1"]).status.success());
    system.eventually("it is placed", |system| system.healthy("job") == 1);
    let why = system.json(&["why", "job/0"]).expect("it answers");
    assert!(why["summary"].as_str().is_some_and(|summary| summary.contains("n1")), "{why}");
}

#[test]
fn top_is_drawn_on_a_terminal_and_printed_once() {
    let system = two_nodes();
    let file = write(&system, "web.toml", &sleepers("web", 4, "1", ""));
    assert!(system.orrery(&["apply", &file]).status.success());
    system.eventually("they run", |system| system.healthy("web") == 4);
    let once = system.orrery(&["top", "--once"]);
    let said = text(&once.stdout);
    assert_eq!(once.status.code(), Some(0), "{said}");
    assert!(said.contains("2 of 2 nodes take work") && said.contains("50%  4000m of 8000m"), "{said}");
    assert!(said.contains("local/on-premise/r1") && said.contains("nothing waits"), "{said}");
    assert_eq!(system.orrery(&["top"]).status.code(), Some(2), "it is no terminal");

    let api = system.url();
    let mut terminal = Terminal::run(&system.data(), &["top", "--api", &api], 100, 24);
    terminal.until("it draws", |shown| shown.contains("2 of 2 nodes take work") && shown.contains("q leave"));
    assert!(system.orrery(&["node", "cordon", "n2"]).status.success());
    terminal.until("it draws anew", |shown| shown.contains("1 of 2 nodes take work"));
    terminal.type_in("q");
    assert_eq!(terminal.ended(), Some(0));
    assert!(terminal.is_as_it_was(), "{}", terminal.shows());
}

#[test]
fn every_command_of_the_page_does_what_the_page_says() {
    let system = two_nodes();
    assert!(page::run(&system, PAGE) >= 5, "the page shows commands");
}
