//! Stories of what a node must be and have.

use super::*;

/// A machine with so many GPUs of a model.
fn with_gpus(name: &str, count: u64, model: &str) -> Machine {
    let mut machine = Machine::new(name, "r1", 4_000);
    machine.view.spec.capacity.gpu_milli = count * 1_000;
    machine.view.spec.gpu_model = model.into();
    machine
}

/// A job whose instances each need so many thousandths of a GPU.
fn on_gpus(name: &str, milli: u64) -> JobSpec {
    let mut spec = job(name, 100);
    spec.workload.resources.gpu_milli = milli;
    spec
}

fn adds(machine: &mut Machine, name: &str, amount: u64) {
    machine.view.spec.capacity.set(Dimension::Named(name), amount);
}

#[test]
fn tags_must_be_there_or_must_not() {
    let mut story = Story::new();
    let (n1, n2) = (Machine::new("n1", "r1", 4_000), Machine::new("n2", "r2", 4_000));
    story.node(&n1);
    story.node(&n2);
    let tag = |negated| Tag { key: "rack".into(), value: Some("r2".into()), negated };
    let mut a = job("a", 500);
    a.place.require = vec![tag(false)];
    assert_eq!(claims(&story.place(&a, 0..1)), [on("a/0", &n2)]);
    let mut b = job("b", 500);
    b.place.require = vec![tag(true)];
    assert_eq!(claims(&story.place(&b, 0..1)), [on("b/0", &n1)]);
    let mut c = job("c", 500);
    c.place.require = vec![Tag { key: "gpu".into(), value: None, negated: false }];
    let why = refusals(&story.place(&c, 0..1)).remove(0);
    assert_eq!((why.reason, why.struck_out), (Reason::TagMismatch, vec![(Reason::TagMismatch, 2)]));
    assert_eq!(why.change.as_deref(), Some("tag node n1 with gpu, or drop gpu from job.c.place.require"));
}

#[test]
fn a_tainted_node_takes_only_what_tolerates_all_its_taints() {
    let mut story = Story::new();
    let (mut n1, mut n2) = (Machine::new("n1", "r1", 4_000), Machine::new("n2", "r1", 4_000));
    n1.view.spec.taints.insert("dedicated".into(), "ml".into());
    n2.view.spec.taints.extend([("closed".into(), String::new()), ("dedicated".into(), "db".into())]);
    story.node(&n1);
    story.node(&n2);
    let a = job("a", 500);
    let why = refusals(&story.place(&a, 0..1)).remove(0);
    assert_eq!((why.reason, why.struck_out), (Reason::Tainted, vec![(Reason::Tainted, 2)]));
    assert_eq!(why.nearest.as_deref(), Some("node n1 has the taint dedicated=ml, which job a does not tolerate"));
    let change = "add dedicated=ml to job.a.place.tolerate, or take the taint dedicated=ml off node n1";
    assert_eq!(why.change.as_deref(), Some(change));
    let Verdict::No { against } = why_not(story.cell.state(), JobId::named("shop", "a"), n2.id()) else {
        panic!("a node with taints takes nothing that does not tolerate them");
    };
    assert_eq!(against.iter().map(|one| one.reason).collect::<Vec<_>>(), [Reason::Tainted; 2], "each is told");

    let mut b = job("b", 500);
    b.place.tolerate = vec![Tag::of_taint("dedicated", "ml")];
    assert_eq!(claims(&story.place(&b, 0..1)), [on("b/0", &n1)]);
    let mut c = job("c", 4_000);
    c.place.tolerate = vec![Tag::of_taint("dedicated", "")];
    assert_eq!(refusals(&story.place(&c, 0..1))[0].reason, Reason::Tainted, "any value, and closed is another taint");
    c.place.tolerate.push(Tag::of_taint("closed", ""));
    assert_eq!(claims(&story.place(&c, 0..1)), [on("c/0", &n2)]);

    n1.view.spec.taints.clear();
    n1.view.version += 1;
    let (first, later) = (claims(&story.node(&n1)), claims(&story.settle()));
    assert_eq!([first, later].concat(), [on("a/0", &n1)], "the taint is gone");
    story.check();
}

#[test]
fn a_part_of_a_gpu_lies_on_one_device() {
    let mut story = Story::new();
    let n1 = with_gpus("n1", 2, "A100");
    story.node(&n1);
    story.node(&Machine::new("n2", "r1", 4_000));
    let (a, b) = (on_gpus("a", 600), on_gpus("b", 800));
    assert_eq!(claims(&story.place(&a, 0..2)), [on("a/0", &n1), on("a/1", &n1)], "one on each");
    let why = refusals(&story.place(&b, 0..1)).remove(0);
    assert_eq!((why.reason, why.struck_out), (Reason::NoGpu, vec![(Reason::NoGpu, 1), (Reason::NoGpu, 1)]));
    assert_eq!(why.nearest.as_deref(), Some("node n1 has 0.4 left of its emptiest GPU, and 0.8 is asked of one"));
    assert_eq!(why.change.as_deref(), Some("reduce job.b.resources.gpus to 0.4, or have 1 more gpus on n1"));
    assert_eq!(claims(&story.place(&on_gpus("c", 400), 0..2)).len(), 2, "what is left of each");
    story.check();
}

#[test]
fn whole_gpus_are_untouched_ones_and_the_node_says_which_are() {
    let mut story = Story::new();
    let n1 = with_gpus("n1", 3, "A100");
    story.node(&n1);
    let (a, b) = (on_gpus("a", 500), on_gpus("b", 2_000));
    story.place(&a, 0..1);
    assert_eq!(claims(&story.place(&b, 0..1)), [on("b/0", &n1)]);
    let why = refusals(&story.place(&b, 1..2)).remove(0);
    assert_eq!(why.reason, Reason::NoGpu);
    story.say(Message::Withdraw { instance: instance(&b, 0) });
    story.say(Message::Withdraw { instance: instance(&b, 1) });
    story.settle();
    story.node(&n1.clone().holds_on(&a, 0, &[1]));
    story.node(&n1.holds_on(&a, 0, &[1]).holds_on(&a, 1, &[2]));
    let why = refusals(&story.place(&b, 2..3)).remove(0);
    let nearest = "node n1 has 1 GPUs of which nobody has a part, and 2 are asked for";
    assert_eq!(why.nearest.as_deref(), Some(nearest), "the node put them on two");
    story.check();
}

#[test]
fn a_gpu_is_of_a_model_that_will_do() {
    let mut story = Story::new();
    let (n1, n2) = (with_gpus("n1", 1, "T4"), with_gpus("n2", 1, "A100"));
    story.node(&n1);
    let mut a = on_gpus("a", 1_000);
    a.workload.gpu_models = vec!["H100".into(), "A100".into()];
    let why = refusals(&story.place(&a, 0..1)).remove(0);
    assert_eq!(why.reason, Reason::GpuModel);
    let nearest = "node n1 has GPUs of model \"T4\" and job a takes H100 or A100";
    assert_eq!(why.nearest.as_deref(), Some(nearest));
    story.node(&n2);
    assert_eq!(claims(&story.settle()), [on("a/0", &n2)]);
    let Verdict::No { against } = why_not(story.cell.state(), JobId::named("shop", "a"), n1.id()) else {
        panic!("a GPU of this model does not do");
    };
    assert_eq!(against[0].reason, Reason::GpuModel);
    let change = "add T4 to job.a.resources.gpu_model, or have GPUs of model H100 or A100 on n1, \
                  or add a node with 100m of cpu, 64MiB of memory, 1 of gpus of model H100 or A100";
    assert_eq!(against[0].change, change);
    story.check();
}

#[test]
fn what_a_site_adds_runs_out_and_what_nobody_has_is_said() {
    let mut story = Story::new();
    let (mut n1, n2) = (Machine::new("n1", "r1", 4_000), Machine::new("n2", "r1", 4_000));
    adds(&mut n1, "license.matlab", 3);
    story.node(&n1);
    story.node(&n2);
    let mut a = job("a", 100);
    a.workload.resources.set(Dimension::Named("license.matlab"), 2);
    assert_eq!(claims(&story.place(&a, 0..1)), [on("a/0", &n1)]);
    let why = refusals(&story.place(&a, 1..2)).remove(0);
    assert_eq!(why.reason, Reason::NoResource);
    assert_eq!(why.nearest.as_deref(), Some("node n1 has 1 of license.matlab free, 1 short"));
    let mut b = job("b", 100);
    b.workload.resources.set(Dimension::Named("license.mathlab"), 1);
    let why = refusals(&story.place(&b, 0..1)).remove(0);
    assert_eq!(why.nearest.as_deref(), Some("no node has any license.mathlab, and there is license.matlab"));
    assert_eq!(why.change.as_deref(), Some("start the agent of n1 with --capacity license.mathlab=1"));
    assert_eq!(refusals(&story.place(&b, 0..1)).len(), 1, "whoever asks again is told again");
    let mut c = job("c", 100);
    c.workload.resources.disk_io_bytes = 1 << 20;
    assert_eq!(refusals(&story.place(&c, 0..1))[0].reason, Reason::NoDiskIo);
    story.check();
}
