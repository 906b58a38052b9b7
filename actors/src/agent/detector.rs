//! The failure detector: hears beats, answers them, and says which nodes fell silent. Each host runs one, without a log.
//!
//! The rule that keeps exclusive instances from running twice: **a session that was declared silent is never answered
//! again.** An agent's lease counts from the moment it *sent* a beat that was answered. So when the node actor records
//! that a session is silent, every lease of that session ends within one lease's length, and the actor waits that long
//! and a margin before it gives the node up. Whoever was declared silent must say hello for a new session.

use super::Beat;
use messages::agent::Order;
use messages::id::NodeId;
use messages::node::{LeaseTerms, Message};
use messages::time::{Span, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// How long until a silence is declared again to a node actor that has not answered.
const DECLARE_AGAIN_AFTER: Span = Span::seconds(1);
/// After so many declarations they become rare.
const DECLARED_OFTEN: u32 = 30;
/// How long between rare declarations.
const DECLARE_RARELY: Span = Span::seconds(10);

/// Who is expected to beat, and when they did.
#[derive(Clone, Debug)]
pub struct Detector {
    terms: LeaseTerms,
    nodes: BTreeMap<NodeId, Watch>,
    /// When to look at which node, once for each that is watched: when its silence is to be declared, or before.
    looks: BTreeSet<(Timestamp, NodeId)>,
}

#[derive(Clone, Copy, Debug)]
struct Watch {
    epoch: u64,
    session: u64,
    heard: Timestamp,
    /// No beat of this session, or of one before it, is ever answered.
    unanswered_up_to: u64,
    silence: Silence,
    /// Someone else vouches for it, until it is heard again.
    vouched: bool,
    /// Its place among the looks.
    look: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug)]
enum Silence {
    /// It was heard in time, so far.
    None,
    /// It was declared silent, so often, and is declared again at `due`.
    Declared { due: Timestamp, times: u32 },
    /// The node actor knows.
    Known,
}

impl Watch {
    fn due(&self, terms: &LeaseTerms) -> Option<Timestamp> {
        match self.silence {
            _ if self.vouched => None,
            Silence::None => Some(self.heard.after(terms.silent_after)),
            Silence::Declared { due, .. } => Some(due),
            Silence::Known => None,
        }
    }

    fn declare(&mut self, now: Timestamp) -> Message {
        let times = match self.silence {
            Silence::Declared { times, .. } => times.saturating_add(1),
            Silence::None | Silence::Known => 1,
        };
        let wait = if times < DECLARED_OFTEN { DECLARE_AGAIN_AFTER } else { DECLARE_RARELY };
        self.silence = Silence::Declared { due: now.after(wait), times };
        self.unanswered_up_to = self.session;
        Message::Silent { session: self.session, heard: self.heard }
    }
}

impl Detector {
    /// A detector that expects nobody yet.
    pub const fn new(terms: LeaseTerms) -> Self {
        Self { terms, nodes: BTreeMap::new(), looks: BTreeSet::new() }
    }

    /// Whether the detector learns something from an order that passes by.
    pub const fn heeds(order: &Order) -> bool {
        matches!(order, Order::Welcome { .. } | Order::SayHello)
    }

    /// An order passes by on its way to an agent: whatever the detector can learn from it.
    pub fn passing(&mut self, node: NodeId, order: &Order, now: Timestamp) {
        match order {
            Order::Welcome { epoch, session, .. } => self.welcome(node, *session, *epoch, now),
            Order::SayHello => self.dismiss(node),
            Order::BeatHeard { .. }
            | Order::Desired { .. }
            | Order::Changed { .. }
            | Order::ReportHeard { .. }
            | Order::Opinion { .. } => {}
        }
    }

    /// A welcome passes by: from now on beats of this session are expected.
    pub fn welcome(&mut self, node: NodeId, session: u64, epoch: u64, now: Timestamp) {
        let known = self.nodes.get(&node);
        if known.is_some_and(|watch| (watch.epoch, watch.session) >= (epoch, session)) {
            return;
        }
        let unanswered_up_to = known.map_or(0, |watch| watch.unanswered_up_to);
        let look = known.and_then(|watch| watch.look);
        let (silence, vouched) = (Silence::None, false);
        self.nodes.insert(node, Watch { epoch, session, heard: now, unanswered_up_to, silence, vouched, look });
        self.look_at(node);
    }

    /// Sees to it that the node is looked at when its silence is to be declared, or before.
    fn look_at(&mut self, node: NodeId) {
        let Some(watch) = self.nodes.get_mut(&node) else { return };
        let Some(due) = watch.due(&self.terms) else { return };
        if watch.look.is_none_or(|look| look > due) {
            if let Some(look) = watch.look.replace(due) {
                self.looks.remove(&(look, node));
            }
            self.looks.insert((due, node));
        }
    }

    /// Someone else vouches for a node, so its silence means nothing until it is heard again; or does so no more.
    pub fn vouch(&mut self, node: NodeId, vouched: bool) {
        if let Some(watch) = self.nodes.get_mut(&node) {
            watch.vouched = vouched;
        }
        self.look_at(node);
    }

    /// The host has just started, and the log says that this node is there. It has the usual time to be heard.
    pub fn expect(&mut self, node: NodeId, session: u64, epoch: u64, now: Timestamp) {
        self.welcome(node, session, epoch, now);
    }

    /// A node actor tells an agent to say hello: its session counts no more.
    fn dismiss(&mut self, node: NodeId) {
        if let Some(watch) = self.nodes.get_mut(&node) {
            watch.unanswered_up_to = watch.session;
            if matches!(watch.silence, Silence::Declared { .. }) {
                watch.silence = Silence::Known;
            }
        }
    }

    /// A beat was heard. The answer is for the agent.
    pub fn beat(&mut self, node: NodeId, beat: Beat, now: Timestamp) -> Order {
        let Some(watch) = self.nodes.get_mut(&node) else { return Order::SayHello };
        let silenced = beat.session <= watch.unanswered_up_to && !crate::mutant!(SilencedSessionAnswered);
        if beat.epoch != watch.epoch || beat.session > watch.session || silenced {
            return Order::SayHello;
        }
        watch.heard = watch.heard.max(now);
        if std::mem::take(&mut watch.vouched) || watch.look.is_none() {
            self.look_at(node);
        }
        Order::BeatHeard { epoch: beat.epoch, session: beat.session, sent_at: beat.sent_at }
    }

    /// Who fell silent, each with what to say to its node actor; again and again until the actor has answered.
    pub fn poll(&mut self, now: Timestamp) -> Vec<(NodeId, Message)> {
        let mut silent = Vec::new();
        while let Some((look, node)) = self.looks.first().copied().filter(|(look, _)| *look <= now) {
            self.looks.remove(&(look, node));
            let Some(watch) = self.nodes.get_mut(&node) else { continue };
            watch.look = None;
            if watch.due(&self.terms).is_some_and(|due| due <= now) {
                silent.push((node, watch.declare(now)));
            }
            self.look_at(node);
        }
        silent.sort_unstable_by_key(|(node, _)| *node);
        silent
    }

    /// When [`Detector::poll`] next has something to say. Beats only ever put that off, so the looks are put right here,
    /// and not at every beat.
    pub fn deadline(&mut self) -> Option<Timestamp> {
        while let Some((look, node)) = self.looks.first().copied() {
            let Some(watch) = self.nodes.get_mut(&node) else { break };
            if watch.due(&self.terms) == Some(look) {
                return Some(look);
            }
            self.looks.remove(&(look, node));
            watch.look = None;
            self.look_at(node);
        }
        None
    }

    /// When a node was last heard, by the host's clock.
    pub fn heard(&self, node: NodeId) -> Option<Timestamp> {
        self.nodes.get(&node).map(|watch| watch.heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: LeaseTerms = LeaseTerms::STANDARD;

    fn node() -> NodeId {
        NodeId::named("n1")
    }

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp(milliseconds * 1_000)
    }

    fn beat(session: u64, sent_at: Timestamp) -> Beat {
        Beat { epoch: 1, session, sent_at }
    }

    fn welcomed() -> Detector {
        let mut detector = Detector::new(TERMS);
        detector.welcome(node(), 1, 1, at(0));
        detector
    }

    #[test]
    fn a_beat_is_answered_with_the_time_it_was_sent() {
        let answer = welcomed().beat(node(), beat(1, at(77)), at(500));
        assert_eq!(answer, Order::BeatHeard { epoch: 1, session: 1, sent_at: at(77) });
    }

    #[test]
    fn who_is_vouched_for_is_not_silent_until_it_was_heard_again() {
        let mut detector = welcomed();
        detector.vouch(node(), true);
        assert_eq!((detector.deadline(), detector.poll(at(9_000)).len()), (None, 0));
        detector.beat(node(), beat(1, at(8_990)), at(9_010));
        assert_eq!(detector.deadline(), Some(at(11_010)));
        assert_eq!(detector.poll(at(11_010)).len(), 1);
    }

    #[test]
    fn a_stranger_is_asked_to_say_hello() {
        let mut detector = welcomed();
        assert_eq!(detector.beat(NodeId::named("n2"), beat(1, at(0)), at(1)), Order::SayHello);
        assert_eq!(detector.beat(node(), beat(2, at(0)), at(1)), Order::SayHello);
        assert_eq!(detector.beat(node(), Beat { epoch: 0, ..beat(1, at(0)) }, at(1)), Order::SayHello);
    }

    #[test]
    fn a_session_once_declared_silent_is_never_answered_again() {
        let mut detector = welcomed();
        detector.beat(node(), beat(1, at(0)), at(400));
        assert_eq!(detector.deadline(), Some(at(2_400)));
        assert_eq!(detector.poll(at(2_399)), []);
        let silent = Message::Silent { session: 1, heard: at(400) };
        assert_eq!(detector.poll(at(2_400)), [(node(), silent)]);
        assert_eq!(detector.beat(node(), beat(1, at(2_300)), at(2_401)), Order::SayHello);
        detector.welcome(node(), 1, 1, at(2_500));
        assert_eq!(detector.beat(node(), beat(1, at(2_300)), at(2_501)), Order::SayHello, "an old welcome, again");
        detector.welcome(node(), 2, 1, at(2_600));
        assert_eq!(detector.beat(node(), beat(1, at(2_300)), at(2_601)), Order::SayHello, "the old session");
        assert!(matches!(detector.beat(node(), beat(2, at(2_602)), at(2_603)), Order::BeatHeard { .. }));
    }

    #[test]
    fn a_silence_is_declared_until_the_actor_knows() {
        let mut detector = welcomed();
        assert_eq!(detector.poll(at(2_000)).len(), 1);
        assert_eq!(detector.poll(at(2_500)).len(), 0);
        assert_eq!(detector.poll(at(3_000)).len(), 1);
        detector.passing(node(), &Order::SayHello, at(3_100));
        assert_eq!(detector.deadline(), None);
        assert_eq!(detector.poll(at(9_000)).len(), 0);
    }

    #[test]
    fn a_session_that_was_dismissed_is_not_answered_and_falls_silent_in_its_time() {
        let mut detector = welcomed();
        detector.passing(node(), &Order::SayHello, at(100));
        assert_eq!(detector.beat(node(), beat(1, at(150)), at(200)), Order::SayHello);
        assert_eq!(detector.poll(at(2_000)).len(), 1);
    }

    #[test]
    fn a_beat_of_a_session_before_keeps_a_node_heard() {
        let mut detector = welcomed();
        detector.welcome(node(), 2, 1, at(100));
        assert!(matches!(detector.beat(node(), beat(1, at(1_000)), at(1_900)), Order::BeatHeard { .. }));
        assert_eq!(detector.deadline(), Some(at(3_900)));
    }
}
