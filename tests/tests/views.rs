//! Runs to look at: the page in a real browser where one is installed, and the walk through a run on a real terminal.

use rustix::process::Signal;
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use tests::{Terminal, orrery};

/// What browsers are called.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

fn sim(directory: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(orrery()).current_dir(directory).arg("sim").args(arguments).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn browser() -> Option<&'static str> {
    let answers =
        |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    BROWSERS.into_iter().find(answers)
}

/// The page as a browser has it when its script has run.
fn opened(browser: &str, directory: &Path, file: &str) -> String {
    let mut command = Command::new(browser);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000", "--dump-dom"]);
    command.arg(format!("--user-data-dir={}", directory.join("profile").display()));
    let output = command.arg(format!("file://{}", directory.join(file).display())).output().expect("it starts");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Every element that is opened is closed, in order, but for those that may stay open.
fn check_nesting(page: &str) {
    const OPEN: [&str; 9] = ["meta", "input", "br", "th", "td", "!doctype", "path", "rect", "use"];
    let mut open: Vec<&str> = Vec::new();
    let page = page.split_once("<script>").map_or(page, |(page, _)| page);
    for tag in page.split('<').skip(1).filter(|tag| !tag.split('>').next().is_some_and(|tag| tag.ends_with('/'))) {
        let name =
            tag.trim_start_matches('/').split(|end: char| end.is_whitespace() || end == '>').next().unwrap_or("");
        if OPEN.contains(&name) {
            continue;
        }
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "</{name}> closes something else");
        } else {
            open.push(name);
        }
    }
    assert_eq!(open, ["html", "body"], "what is left is closed after the script");
}

#[test]
fn a_run_is_drawn_as_a_page_that_a_browser_shows() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let at = directory.path();
    let (code, said, complaint) = sim(at, &["run", "crashing-nodes", "--from", "3", "--report", "run.html", "--json"]);
    assert_eq!(code, Some(0), "{said}{complaint}");
    let ran: Value = serde_json::from_str(&said).expect("it is JSON");
    let (_, plain, _) = sim(at, &["run", "crashing-nodes", "--from", "3", "--seeds", "1", "--json"]);
    assert_eq!(said, plain, "drawing changes nothing");
    let page = std::fs::read_to_string(at.join("run.html")).expect("it is drawn");
    for part in [&ran["plan_hash"], &ran["log_hash"]] {
        assert!(page.contains(part.as_str().expect("it is text")), "{part} is missing");
    }
    assert!(page.contains("orrery sim run crashing-nodes --from 3 --seeds 1"));
    check_nesting(&page);
    match browser() {
        Some(browser) => {
            let shown = opened(browser, at, "run.html");
            assert!(shown.contains("data-alive=\"yes\""), "its script runs to its end: {shown}");
            assert!(shown.matches("<svg").count() > 10, "its charts are there");
        }
        None => eprintln!("no browser is installed: the page was not opened"),
    }
    for wrong in [&["run", "--report", "x.html"][..], &["run", "steady", "--seeds", "3", "--report", "x.html"]] {
        let (code, _, complaint) = sim(at, wrong);
        assert_eq!(code, Some(2), "{complaint}");
        assert!(complaint.contains("one seed of one scenario"), "{complaint}");
    }
    assert_eq!(sim(at, &["run", "steady", "--report", "/proc/nowhere/x.html"]).0, Some(3));
}

#[test]
fn one_walks_through_a_run_on_a_terminal_and_finds_it_as_it_was() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let mut terminal = Terminal::run(directory.path(), &["sim", "step", "exclusive", "--seed", "3"], 80, 24);
    terminal.until("it begins", |shown| shown.contains("exclusive seed 3") && shown.contains("q leave"));
    assert!(!terminal.is_as_it_was(), "it has the whole screen");
    terminal.type_in("\x1b[C\x1b[C\x1b[C");
    terminal.until("three things", |shown| shown.contains("3 of 3 known"));
    terminal.type_in("\x1b[D");
    terminal.until("one back", |shown| shown.contains("2 of 3 known"));
    terminal.resize(120, 40);
    terminal.until("it fills the new size", |shown| shown.lines().nth(39).is_some_and(|last| last.contains("q leave")));
    terminal.type_in("bevent Assigned\r");
    terminal.until("it stops", |shown| shown.contains("stopped at event Assigned"));
    terminal.type_in("a");
    terminal.until("the actor's state", |shown| shown.contains("sequence:"));
    terminal.type_in("q");
    assert_eq!(terminal.ended(), Some(0));
    assert!(terminal.is_as_it_was(), "{}", terminal.shows());
}

#[test]
fn the_terminal_is_as_it_was_also_when_one_is_told_to_end() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    for by in ["a signal", "ctrl-c"] {
        let mut terminal = Terminal::run(directory.path(), &["sim", "step", "steady", "--seed", "1"], 80, 24);
        terminal.until("it begins", |shown| shown.contains("q leave"));
        match by {
            "a signal" => terminal.signal(Signal::TERM),
            _ => terminal.type_in("\x03"),
        }
        assert_eq!(terminal.ended(), Some(0), "{by}");
        assert!(terminal.is_as_it_was(), "{by}: {}", terminal.shows());
    }
}

#[test]
fn a_moment_is_printed_for_scripts() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let at = directory.path();
    let (code, said, complaint) =
        sim(at, &["step", "crashing-nodes", "--seed", "3", "--stop", "event Suspected", "--actor", "node m", "--json"]);
    assert_eq!(code, Some(0), "{complaint}");
    let look: Value = serde_json::from_str(&said).expect("it is JSON");
    let last = look["happened"].as_array().and_then(|all| all.last()).expect("something happened");
    assert!(last["what"].as_str().is_some_and(|what| what.contains("Suspected")), "{last}");
    let states = look["states"].as_object().expect("states were asked for");
    assert!(!states.is_empty() && states.keys().all(|name| name.starts_with("node m")), "{states:?}");
    let event = look["event"].to_string();
    let (_, again, _) = sim(at, &["step", "crashing-nodes", "--seed", "3", "--event", &event, "--json"]);
    let again: Value = serde_json::from_str(&again).expect("it is JSON");
    assert_eq!((&again["at"], &again["machines"]), (&look["at"], &look["machines"]));
    let (code, text, _) = sim(at, &["step", "crashing-nodes", "--seed", "3", "--at", "12.5s", "--print"]);
    assert_eq!(code, Some(0));
    assert!(text.contains("what happened last") && text.contains("machines") && text.contains("boot"), "{text}");
    for (wrong, says) in [
        (&["step", "steady", "--seed", "1"][..], "needs a terminal"),
        (&["step", "steady", "--seed", "1", "--stop", "somewhere", "--print"], "nothing to stop at"),
        (&["step", "steady", "--seed", "1", "--at", "soon", "--print"], "no time"),
        (&["step", "steady", "--seed", "1", "--at", "9s", "--actor", "nobody", "--print"], "no actor is called"),
    ] {
        let (code, _, complaint) = sim(at, wrong);
        assert_eq!(code, Some(2), "{wrong:?}: {complaint}");
        assert!(complaint.contains(says), "{complaint}");
    }
    let missing = ["step", "steady", "--seed", "1", "--stop", "event GivenUp", "--print"];
    assert_eq!(sim(at, &missing).0, Some(1));
}

#[test]
fn real_traces_become_plans_that_run() {
    let traces = tests::root().join("../shared/data/traces");
    if !traces.is_dir() {
        eprintln!("{} is not here: no real trace was played", traces.display());
        return;
    }
    let directory = tempfile::tempdir().expect("a directory can be made");
    let at = directory.path();
    let path = |name: &str| traces.join(name).display().to_string();
    let pods = path("alibaba-openb-gpu-2023/openb_pod_list_default.csv");
    let nodes = path("alibaba-openb-gpu-2023/openb_node_list_all_node.csv");
    let vms = path("azure-vm-v1-flavors/v1.dev.txt");
    let openb =
        ["trace", "openb", &pods, "--nodes", &nodes, "--jobs", "40", "--within", "30s", "--out", "a.json", "--json"];
    let azure =
        ["trace", "azure", &vms, "--machines", "12", "--jobs", "40", "--within", "30s", "--out", "b.json", "--json"];
    for (arguments, plan) in [(&openb[..], "a.json"), (&azure, "b.json")] {
        let (code, said, complaint) = sim(at, arguments);
        assert_eq!(code, Some(0), "{said}{complaint}");
        let traced: Value = serde_json::from_str(&said).expect("it is JSON");
        assert_eq!(traced["jobs"], 40, "{traced}");
        assert!(traced["rows"].as_u64() > Some(900) && traced["of"].as_u64() > Some(1_000), "{traced}");
        let (code, said, complaint) = sim(at, &["run", "--plan", plan, "--once"]);
        assert_eq!(code, Some(0), "{said}{complaint}");
    }
    let multigpu = path("alibaba-openb-gpu-2023/openb_pod_list_multigpu50.csv");
    let (code, _, complaint) = sim(at, &["trace", "openb", &multigpu]);
    assert_eq!(code, Some(2), "{complaint}");
    assert!(complaint.contains("no column \"creation_time\""), "{complaint}");
}
