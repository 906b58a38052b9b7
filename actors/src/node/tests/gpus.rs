//! GPUs: which of them a claim is given.

use super::*;

impl Story {
    /// A node with so many GPUs of a model.
    fn with_gpus(count: u64, model: &str) -> Self {
        let mut story = Self::blank();
        story.hello_of(count, model, FIRST_BOOT, 1_000);
        story
    }

    fn hello_of(&mut self, count: u64, model: &str, boot: Uuid, sent_at: u64) {
        let capacity = Resources { gpu_milli: count * 1_000, ..Resources::default() };
        let spec = NodeSpec { name: "n1".into(), capacity, gpu_model: model.into(), ..NodeSpec::default() };
        let hello = Message::Hello { spec, boot, sent_at: Timestamp(sent_at), seen: Vec::new() };
        self.tell(Address::Agent(me()), hello);
    }

    /// Claims so many thousandths, and returns the devices or why not.
    fn claim_gpus(&mut self, number: u64, milli: u64, models: &[&str]) -> Result<Vec<u16>, Reason> {
        let mut claim = claim_of(instance(number), 0);
        let resources = Resources { gpu_milli: milli, ..Resources::default() };
        let gpu_models = models.iter().map(|model| (*model).to_string()).collect();
        claim.workload = Workload { resources, gpu_models, ..Workload::default() }.into();
        let from = SchedulerId::of_site(DEFAULT_SITE);
        self.tell(from.into(), Message::Claim { claim });
        let held = self.state().claim(instance(number)).map(|claim| claim.gpus().to_vec());
        held.ok_or_else(|| self.refused().expect("it is claimed or refused"))
    }
}

#[test]
fn the_node_says_which_devices_an_instance_is_given() {
    let mut story = Story::with_gpus(3, "A100");
    assert_eq!(story.claim_gpus(1, 600, &[]), Ok(vec![0]));
    assert_eq!(story.claim_gpus(2, 600, &["a100"]), Ok(vec![1]), "half of it is not left of the first");
    assert_eq!(story.claim_gpus(3, 2_000, &[]), Err(Reason::NoGpu), "1800 are left, and one is untouched");
    assert_eq!(story.claim_gpus(4, 400, &[]), Ok(vec![0]));
    assert_eq!(story.claim_gpus(5, 1_000, &["T4"]), Err(Reason::GpuModel));
    assert_eq!(story.claim_gpus(6, 1_000, &[]), Ok(vec![2]));
    assert_eq!(story.claim_gpus(7, 500, &[]), Err(Reason::NoGpu), "400 are left in all");
    let view = story.state().view();
    let gpus: Vec<&[u16]> = view.claims.iter().map(|claim| &*claim.gpus).collect();
    assert_eq!(gpus.len(), 4);
    assert!(gpus.contains(&&[2_u16][..]));
    let assigned = story.state().claim(instance(6)).expect("a claim").assignment();
    assert_eq!(assigned.gpus, [2], "the agent is told");
    story.stop(instance(6));
    assert_eq!(story.claim_gpus(8, 1_000, &[]), Ok(vec![2]), "what was released is there again");
}

#[test]
fn a_held_claim_on_a_device_that_is_not_there_any_more_is_given_up() {
    let mut story = Story::with_gpus(2, "A100");
    assert_eq!(story.claim_gpus(1, 500, &[]), Ok(vec![0]));
    assert_eq!(story.claim_gpus(2, 1_000, &[]), Ok(vec![1]));
    story.hello_of(1, "A100", FIRST_BOOT, 2_000);
    assert!(story.state().claim(instance(1)).is_some());
    assert!(story.state().claim(instance(2)).is_none());
}
