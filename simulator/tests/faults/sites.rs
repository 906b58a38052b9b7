//! Worlds of several sites: what is lost, slow or cut off together; and jobs that come and go by themselves.

use crate::run_all;
use messages::policy::Request;
use simulator::plan::{Plan, Target};
use simulator::scenario;
use std::collections::BTreeSet;

/// Six machines in three racks at three sites, and a job that is spread over them.
const SITES: &str = r#"
name = "sites"
machines = 6
racks = 3
sites = 3
heal = "20s"
settle = "60s"
[manifest]
one = '''
realm = "sim"
[job.web]
run = ["./server"]
instances = 3
ports = ["http"]
resources = { cpu = "500m", memory = "256MiB" }
health = { http = "/healthz", every = "1s" }
place = { spread = [{ over = "site" }] }
[job.lock]
run = ["./lock"]
instances = 1
exclusive = true
resources = { cpu = "500m", memory = "256MiB" }
'''
[[do]]
at = "2s"
apply = "one"
"#;

fn plan(text: &str, seed: u64) -> Plan {
    simulator::plan(&scenario::read(text, "sites").unwrap_or_else(|faults| panic!("{faults:#?}")), seed)
}

fn said(row: &str) -> String {
    let faults = scenario::read(&format!("{SITES}\n{row}"), "sites.toml").expect_err(row);
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn racks_belong_to_sites() {
    let plan = plan(SITES, 1);
    let places: BTreeSet<(&str, &str)> =
        plan.machines.iter().map(|machine| (machine.spec.rack.as_str(), machine.spec.site.as_str())).collect();
    assert_eq!(places, BTreeSet::from([("rack-0", "site-0"), ("rack-1", "site-1"), ("rack-2", "site-2")]));
    let one = self::plan(&SITES.replace("sites = 3", ""), 1);
    assert!(one.machines.iter().all(|machine| machine.spec.site == "site"), "one site needs no number");
}

#[test]
fn a_whole_site_is_lost_at_once_and_the_others_are_not() {
    let row = "[[fault]]\nwhat = \"site-crash\"\nat = \"8s\"\nlasts = \"5s\"\ntimes = 1\ntarget = \"site 1\"";
    let plan = plan(&format!("{SITES}\n{row}"), 1);
    assert_eq!(plan.faults[0].target, Target::Site("site-1".into()));
    let hit = plan.faults[0].target.machines(&plan, simulator::world::random::Random::new(1), 0);
    assert_eq!(hit, Some(vec![1, 4]));
    assert!(run_all(SITES, row).iter().all(|verdict| verdict.marks.contains_key("site-crash bites")));
    // Without a target any of the sites is meant, by the seed.
    let row = "[[fault]]\nwhat = \"site-crash\"\nat = \"8s\"\ntimes = 1";
    let drawn: BTreeSet<String> =
        (0..20).map(|seed| self::plan(&format!("{SITES}\n{row}"), seed).faults[0].target.to_string()).collect();
    assert_eq!(drawn.len(), 3, "{drawn:?}");
}

#[test]
fn messages_of_one_site_are_lost_together() {
    let row =
        "[[fault]]\nwhat = \"loss\"\nat = \"4s\"\nlasts = \"9s\"\ntimes = 1\nper_mille = 500\ntarget = \"site 0\"";
    let lost: u64 = run_all(SITES, row).iter().filter_map(|verdict| verdict.marks.get("loss bites")).sum();
    assert!(lost > 0);
}

#[test]
fn sites_are_cut_off_from_the_one_with_the_control_plane() {
    let row = "[[fault]]\nwhat = \"partition\"\nat = \"6s\"\nlasts = \"9s\"\ntimes = 1\ntarget = \"beyond site 0\"";
    let plan = plan(&format!("{SITES}\n{row}"), 2);
    let hit = plan.faults[0].target.machines(&plan, simulator::world::random::Random::new(2), 0);
    assert_eq!(hit, Some(vec![1, 2, 4, 5]));
    let cut: u64 = run_all(SITES, row).iter().filter_map(|verdict| verdict.marks.get("partition bites")).sum();
    assert!(cut > 0);
    let row = "[[fault]]\nwhat = \"agent-crash\"\nat = \"6s\"\ntimes = 1\ntarget = \"any of site 2\"";
    let one = self::plan(&format!("{SITES}\n{row}"), 2);
    let hit = one.faults[0].target.machines(&one, simulator::world::random::Random::new(2), 0);
    assert!(hit.is_some_and(|hit| hit == [2] || hit == [5]));
}

#[test]
fn sites_that_are_not_there_are_told_of() {
    for (row, says) in [
        ("[[fault]]\nwhat = \"agent-crash\"\ntarget = \"site 3\"", "there are 3 sites, from 0"),
        ("[[fault]]\nwhat = \"agent-crash\"\ntarget = \"any of site 9\"", "there are 3 sites, from 0"),
        ("[[fault]]\nwhat = \"agent-crash\"\ntarget = \"beyond rack 1\"", "expected \"beyond site 0\""),
    ] {
        let said = said(row);
        assert!(said.contains(says), "{row}: {said}");
    }
    let many = scenario::read(&SITES.replace("sites = 3", "sites = 4"), "sites.toml").expect_err("too many sites");
    assert_eq!((many[0].line, many[0].column), (5, 9));
    assert!(many[0].message.contains("expected 1 to 3"), "{}", many[0].message);
    let one = SITES.replace("sites = 3", "") + "\n[[fault]]\nwhat = \"agent-crash\"\ntarget = \"beyond site 0\"";
    let one = scenario::read(&one, "sites.toml").expect_err("there is one site");
    assert!(one[0].message.contains("nothing beyond the only site"), "{}", one[0].message);
}

/// Small jobs that come one after the other, and each stays for a while.
const COMING: &str =
    "[[do]]\nat = \"4s\"\ntimes = 5\nevery = \"1s..2s\"\nlasts = \"3s..6s\"\nclient = 1\napply = \"brief\"";

fn coming() -> String {
    let brief = "brief = '''\nrealm = \"sim\"\n[job.task]\nrun = [\"./task\"]\ninstances = 1\n\
                 resources = { cpu = \"100m\", memory = \"64MiB\" }\n'''\n[[do]]";
    format!("{}\n{COMING}\n", SITES.replacen("[[do]]", brief, 1))
}

#[test]
fn jobs_come_and_go_by_themselves() {
    let plan = plan(&coming(), 3);
    let applied: Vec<(u64, String)> = plan
        .operations
        .iter()
        .filter_map(|operation| match &operation.request {
            Request::Apply { manifest } => Some((operation.at, manifest.jobs.keys().next()?.clone())),
            _ => None,
        })
        .filter(|(_, name)| name.starts_with("task-"))
        .collect();
    let names: BTreeSet<&String> = applied.iter().map(|(_, name)| name).collect();
    assert_eq!((applied.len(), names.len()), (5, 5), "{applied:?}");
    let gaps: Vec<u64> = applied.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(gaps.iter().all(|gap| (1_000_000..=2_000_000).contains(gap)), "{gaps:?}");
    for (at, name) in &applied {
        let stop = |one: &&simulator::plan::Operation| one.request == Request::Stop { job: name.clone() };
        let stopped = plan.operations.iter().find(stop).map(|one| one.at - at);
        assert!(stopped.is_some_and(|after| (3_000_000..=6_000_000).contains(&after)), "{name}: {stopped:?}");
    }
    assert!(run_all(&coming(), "").iter().all(|verdict| verdict.statistics.starts >= 9));
    let wrong = said("[[do]]\nat = \"4s\"\nscale = \"web\"\nlasts = \"3s\"");
    assert!(wrong.contains("lasts goes with apply"), "{wrong}");
}

#[test]
fn each_instance_exits_at_a_time_of_its_own() {
    let text = SITES.replace("[\"./server\"]", "[\"./server\", \"--exit-after=3s..9s\"]");
    let plan = plan(&text, 4);
    let mut travel = simulator::travel::Travel::new(&plan);
    travel.go_to_time(19_000_000);
    let records = travel.known().iter().flat_map(|one| &one.records);
    let (mut begun, mut lived) = (std::collections::BTreeMap::new(), BTreeSet::new());
    for record in records {
        match &record.what {
            simulator::world::tape::What::Started { instance, label, .. } if label.starts_with("web/") => {
                begun.insert(*instance, record.at);
            }
            simulator::world::tape::What::Ended { instance, .. } => {
                lived.extend(begun.get(instance).map(|begun| record.at - begun));
            }
            _ => {}
        }
    }
    assert!(lived.len() >= 3, "{lived:?}");
    assert!(lived.iter().all(|lived| (3_000_000..=9_500_000).contains(lived)), "{lived:?}");
}
