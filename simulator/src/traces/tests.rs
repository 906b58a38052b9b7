//! Rows of each kind of trace become what they say, and damaged ones are told of with their place.

use super::*;
use crate::plan::Plan;
use crate::scenario::{own, read};
use messages::policy::Request;

const PODS: &str = "\
name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
pod-0,12000,16384,1,1000,,LS,Running,100,900,100
pod-1,6000,12288,0,0,,LS,Running,0,500,0
pod-2,6000,twelve,0,0,,LS,Running,0,500,0
pod-3,1000,1024,1,460,G2|P100,BE,Running,200,2000,200
pod-4,1000,1024,0,0,,BE,Running,300,299,300
pod-5,1000,1024
pod-6,1000,1024,2,1000,G2,BE,Running,250,400,250
";

const NODES: &str = "\
sn,cpu_milli,memory_mib,gpu,model
node-0,32000,262144,0,
node-1,32000,65536,2,G2
node-2,16000,many,2,G2
";

const SIZES: &str = "1,1.75 b\n2,3.5 g\n";
const BINS: &str = "0 0\n300 1\n600 2\n900 2\n";

fn steady() -> Plan {
    let text = own("steady").expect("it comes with Orrery");
    crate::plan(&read(text, "steady").expect("it makes sense"), 1)
}

fn told(skipped: &[Skipped]) -> Vec<(u64, String)> {
    skipped.iter().map(|one| (one.rows, one.first.to_string())).collect()
}

#[test]
fn pods_and_nodes_are_read_and_damaged_rows_are_told_of() {
    let trace = openb::read((PODS, "pods.csv"), Some((NODES, "nodes.csv"))).expect("the lists are of this kind");
    let names: Vec<&str> = trace.arrivals.iter().map(|arrival| arrival.name.as_str()).collect();
    assert_eq!(names, ["pod-1", "pod-0", "pod-3", "pod-6"]);
    let tags: Vec<Option<String>> =
        trace.arrivals.iter().map(|arrival| arrival.require.as_ref().map(ToString::to_string)).collect();
    assert_eq!(tags, [None, Some("gpu".into()), Some("gpu".into()), Some("gpu=G2".into())]);
    assert_eq!((trace.rows, trace.machines.len(), trace.left_out.len()), (10, 2, 2));
    assert_eq!(
        told(&trace.skipped),
        [
            (1, "pods.csv:4:12: memory_mib is \"twelve\"; expected a number".into()),
            (1, "pods.csv:6:37: it comes at 300 s and ends at 299 s".into()),
            (1, "pods.csv:7:1: 3 fields; the heading has 11".into()),
            (1, "nodes.csv:4:14: memory_mib is \"many\"; expected a number".into()),
        ]
    );
    let no_times = openb::read(("name,cpu_milli,memory_mib,num_gpu,gpu_milli\n", "multi.csv"), None);
    assert!(no_times.is_err_and(|fault| fault.to_string().contains("no column \"creation_time\"")));
}

#[test]
fn batches_of_virtual_machines_are_read_with_their_lifetimes() {
    let arrivals = "300 b,b,|,g,b,|,\n600 g,|,\n500 g,|,\n900 x,|,\n1200 g,|,\n1500 g,|,\n";
    let lives = "300 U0,U1,|,C46,U2,|,\n600 U1,|,\n500 U1,|,\n900 U1,|,\n1200 U1,U2,|,\n1500 U7,|,\n";
    let texts = azure::Texts {
        arrivals: (arrivals, "vms.txt"),
        sizes: (SIZES, "sizes.txt"),
        lifetimes: Some(((lives, "lives.txt"), (BINS, "bins.txt"))),
    };
    let trace = azure::read(&texts).expect("the texts are of this kind");
    let all: Vec<(&str, u32, &[u64])> = trace
        .arrivals
        .iter()
        .map(|arrival| (arrival.name.as_str(), arrival.instances, arrival.ends.as_slice()))
        .collect();
    assert_eq!(
        all,
        [("vm-1-0-b", 2, &[300, 600][..]), ("vm-1-1-g", 1, &[]), ("vm-1-1-b", 1, &[900]), ("vm-2-0-g", 1, &[900]),]
    );
    assert_eq!(trace.arrivals[0].needs.memory_bytes, 7 << 28);
    let reasons = told(&trace.skipped);
    assert_eq!(reasons.len(), 4, "{reasons:?}");
    assert!(
        reasons.iter().any(|(_, told)| told == "vms.txt:4:5: there is no size \"x\"; known are b, g"),
        "{reasons:?}"
    );
    assert!(reasons.iter().any(|(_, told)| told.starts_with("vms.txt:3:1: 500 s comes after 600 s")), "{reasons:?}");
    let wrong = azure::read(&azure::Texts { sizes: ("two b\n", "sizes.txt"), ..texts });
    assert!(wrong.is_err_and(|fault| fault.to_string().starts_with("sizes.txt:1:1: ")));
}

#[test]
fn a_trace_is_played_as_it_was_in_less_time() {
    let trace = openb::read((PODS, "pods.csv"), Some((NODES, "nodes.csv"))).expect("the lists are of this kind");
    let play = Play { within_us: 25_000_000, jobs_max: 100, machines: Vec::new() };
    let plan = plan(&trace, &play, &steady());
    let told: Vec<(u64, &str)> =
        plan.operations.iter().map(|operation| (operation.at / 1_000, operation.request.action())).collect();
    let applied = Request::Apply { manifest: messages::manifest::Manifest::default() }.action();
    // 250 s of arrivals in 25 s; what ends later than that runs on.
    assert_eq!(told, [(3_000, applied), (13_000, applied), (23_000, applied), (28_000, applied)]);
    let verdict = crate::run(&plan);
    assert_eq!(verdict.violations, []);
    assert_eq!((verdict.statistics.answers, verdict.statistics.starts), (4, 4));
    assert_eq!(verdict, crate::run(&plan), "the same trace gives the same run");
    let fewer = super::plan(&trace, &Play { jobs_max: 2, ..play }, &steady());
    assert_eq!(fewer.operations.len(), 2);
}

#[test]
fn what_comes_goes_again_and_what_has_no_room_keeps_nobody_else_waiting() {
    let arrivals = "0 g,g,g,|,\n300 g,|,\n600 b,|,\n3000 b,|,\n";
    let lives = "0 U1,U1,U2,|,\n300 C9,|,\n600 U0,|,\n3000 U0,|,\n";
    let texts = azure::Texts {
        arrivals: (arrivals, "vms.txt"),
        sizes: (SIZES, "sizes.txt"),
        lifetimes: Some(((lives, "lives.txt"), (BINS, "bins.txt"))),
    };
    let trace = azure::read(&texts).expect("the texts are of this kind");
    let small = Shape { name: "n0".into(), capacity: beside(4_000, 8 << 30), gpu: None };
    let play = Play { within_us: 30_000_000, jobs_max: 100, machines: vec![small] };
    let plan = plan(&trace, &play, &steady());
    let ends = plan.operations.iter().filter(|one| matches!(one.request, Request::Scale { .. } | Request::Stop { .. }));
    assert_eq!(ends.count(), 3);
    // Three that need two cores each do not fit on one machine with four: they are refused, again and again.
    let verdict = crate::run(&plan);
    assert_eq!(verdict.violations, []);
    assert_eq!(verdict.statistics.starts, 3, "{:?}", verdict.statistics);
    assert!(verdict.statistics.answers > plan.operations.len() as u64, "{:?}", verdict.statistics);
}
