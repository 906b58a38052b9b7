//! What came from outside in a recorded log: clients' commands, and machines that fell silent, came back, or were new.
//!
//! Everything else in the log followed from these, from the lives of the workloads ([`super::lives`]) and from what was
//! decided, and is derived anew.

use messages::entry::{Entry, Record};
use messages::envelope::{Address, MessageId, Principal};
use messages::id::{ClientId, NodeId};
use messages::node::{self, NodeSpec};
use messages::policy::{self, Request};
use messages::time::Timestamp;
use uuid::Uuid;

/// Something from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// A client gave a command.
    Command(Command),
    /// A machine was not heard any more.
    Silent(NodeId),
    /// An agent said hello: a new machine, one that is back, or an agent started again.
    Hello {
        /// What the machine says it is.
        spec: NodeSpec,
        /// Its boot. Another one than before means that nothing of what it ran is left.
        boot: Uuid,
    },
}

/// A command of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The id of its message.
    pub id: Uuid,
    /// Who waits for the answer.
    pub client: ClientId,
    /// On whose authority.
    pub principal: Principal,
    /// The realm it was given to.
    pub realm: String,
    /// What to do.
    pub request: Request,
}

/// What came from outside, in the order of time.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    /// When, and what.
    pub happenings: Vec<(Timestamp, Happening)>,
    /// From when to when there was no control plane.
    pub away: Vec<(Timestamp, Timestamp)>,
    from: Timestamp,
    last: Timestamp,
    claimed: bool,
}

impl Outside {
    /// From a moment on.
    pub fn new(from: Timestamp) -> Self {
        Self { from, last: from, ..Self::default() }
    }

    /// A control plane took a shard over: whoever had it before is gone.
    pub const fn claimed(&mut self) {
        self.claimed = true;
    }

    /// Takes in the next entry.
    pub fn see(&mut self, entry: &Entry) {
        let at = entry.head().at;
        if std::mem::take(&mut self.claimed) && at > self.last {
            self.away.push((self.last, at));
        }
        self.last = self.last.max(at);
        match entry {
            Entry::Policy(record) => self.policy(record),
            Entry::Node(record) => self.node(record),
            _ => {}
        }
    }

    fn policy(&mut self, record: &Record<policy::Message, policy::Event>) {
        // Where a command's instances were planned to go no longer says anything in a world that is another.
        let (policy::Message::Submit { realm, request } | policy::Message::SubmitPlanned { realm, request, .. }) =
            &record.input
        else {
            return;
        };
        let (MessageId::Outside(id), Address::Client(client)) = (record.head.cause, record.head.from) else { return };
        let principal = record.head.principal.clone();
        let command = Command { id, client, principal, realm: realm.clone(), request: request.clone() };
        self.happenings.push((record.head.at, Happening::Command(command)));
    }

    fn node(&mut self, record: &Record<node::Message, node::Event>) {
        let node = NodeId(record.head.actor.id);
        match &record.input {
            node::Message::Silent { heard, .. } => {
                let suspected = record.events.iter().any(|event| matches!(event, node::Event::Suspected { .. }));
                if suspected {
                    self.happenings.push(((*heard).max(self.from), Happening::Silent(node)));
                }
            }
            node::Message::Hello { spec, boot, .. } => {
                let welcomed = record.events.iter().any(|event| matches!(event, node::Event::Welcomed { .. }));
                if welcomed {
                    let hello = Happening::Hello { spec: spec.clone(), boot: *boot };
                    self.happenings.push((record.head.at, hello));
                }
            }
            _ => {}
        }
    }

    /// Everything was seen: puts it in the order of time.
    pub fn finish(&mut self) {
        self.happenings.sort_by_key(|(at, _)| *at);
    }

    /// The time of the last entry seen.
    pub const fn last(&self) -> Timestamp {
        self.last
    }

    /// Commands, with when they were given.
    pub fn commands(&self) -> impl Iterator<Item = (Timestamp, &Command)> {
        self.happenings.iter().filter_map(|(at, happening)| match happening {
            Happening::Command(command) => Some((*at, command)),
            _ => None,
        })
    }
}
