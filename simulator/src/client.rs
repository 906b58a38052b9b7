//! Clients: each gives its commands one after the other, and repeats one until it is answered.

use crate::plan::{Operation, Plan};
use crate::verdict::Invariant;
use crate::world::Event;
use crate::world::context::Context;
use crate::world::random::Domain;
use crate::world::tape::What;
use messages::envelope::{Address, Body, Envelope, MessageId, Principal};
use messages::id::{ActorId, ClientId, CorrelationId, JobId, PolicyId};
use messages::policy::{Message, Request, SYSTEM_REALM};
use messages::reason::{Reason, Refusal};
use operator::ANSWERED_MAX;
use std::collections::{BTreeMap, VecDeque};
use uuid::Uuid;

mod operator;

/// How long a client waits before it says the same again, in microseconds.
const REPEAT_AFTER_US: u64 = 1_500_000;
/// How long a client waits before it gives a refused command anew, in microseconds.
const ANEW_AFTER_US: u64 = 2_000_000;
/// How often a refused command is given anew.
const ANEW_MAX: u32 = 12;

/// All clients.
#[derive(Clone, Debug, Default)]
pub struct Clients {
    clients: BTreeMap<u32, Client>,
    by_id: BTreeMap<ClientId, u32>,
    /// The plan's operations, and after them those of faults.
    operations: Vec<Operation>,
    /// Of an operation of a fault, the kind of the fault.
    because: BTreeMap<usize, &'static str>,
    /// Commands that were answered, as they were given; the latest last.
    answered: VecDeque<Envelope>,
}

#[derive(Clone, Debug, Default)]
struct Client {
    operations: VecDeque<usize>,
    waits: bool,
    attempt: u32,
    anew: u32,
    request: Option<Request>,
    said: Option<Envelope>,
    given: u64,
}

/// The id of a command given for the `anew`-th time; who waits for its answer has the same.
fn command_id(cx: &Context, operation: usize, anew: u32) -> Uuid {
    cx.random.uuid(Domain::Choice, &[0xc11e, operation as u64, u64::from(anew)])
}

impl Clients {
    /// The clients of a plan; their first commands are arranged.
    pub fn new(plan: &Plan, cx: &mut Context) -> Self {
        let mut clients = Self { operations: plan.operations.clone(), ..Self::default() };
        let mut order: Vec<usize> = (0..plan.operations.len()).collect();
        order.sort_by_key(|index| (plan.operations[*index].at, *index));
        for index in order {
            let number = plan.operations[index].client;
            clients.clients.entry(number).or_default().operations.push_back(index);
        }
        let numbers: Vec<u32> = clients.clients.keys().copied().collect();
        for number in numbers {
            clients.arrange(number, 0, cx);
        }
        clients
    }

    /// A fault gives a command. Returns the number of the operation.
    fn give(&mut self, operation: Operation, kind: &'static str, cx: &mut Context) -> usize {
        let (number, client) = (self.operations.len(), operation.client);
        self.operations.push(operation);
        self.because.insert(number, kind);
        let waiting = self.clients.entry(client).or_default();
        waiting.operations.push_back(number);
        if waiting.operations.len() == 1 {
            self.arrange(client, 0, cx);
        }
        number
    }

    /// Arranges a client's next command, `delay` from now at the earliest.
    fn arrange(&mut self, number: u32, delay: u64, cx: &mut Context) {
        let Some(client) = self.clients.get_mut(&number) else { return };
        let Some(operation) = client.operations.front().copied() else { return };
        client.waits = true;
        client.attempt = 0;
        client.request = None;
        let at = self.operations[operation].at.max(cx.now() + delay);
        cx.queue.at(at, Event::Client { client: number, operation, attempt: 0 });
    }

    /// A client speaks, if it still waits for the answer to this command in this try.
    pub fn speak(&mut self, number: u32, operation: usize, attempt: u32, cx: &mut Context) {
        let Some(client) = self.clients.get_mut(&number) else { return };
        let current = client.waits && client.operations.front() == Some(&operation) && client.attempt == attempt;
        if !current {
            return;
        }
        client.attempt += 1;
        if attempt == 0 {
            client.given = cx.now();
        }
        let plan = std::sync::Arc::clone(&cx.plan);
        let request = client.request.get_or_insert_with(|| bound(&plan, &self.operations[operation], cx)).clone();
        let realm = realm_of(&plan, &request);
        let id = command_id(cx, operation, client.anew);
        self.by_id.insert(ClientId(id), number);
        let to = Address::Actor(ActorId::from(PolicyId::of_realm(&realm)));
        let envelope = Envelope {
            id: MessageId::Outside(id),
            from: Address::Client(ClientId(id)),
            to,
            correlation: CorrelationId(id),
            principal: Principal { name: format!("user:client-{number}"), groups: Vec::new() },
            at: cx.host_now(),
            body: Body::Policy(Message::Submit { realm, request }),
        };
        if attempt > 0 {
            cx.mark("command-repeated");
        }
        client.said = Some(envelope.clone());
        cx.send(envelope, u64::from(attempt));
        cx.queue.after(REPEAT_AFTER_US, Event::Client { client: number, operation, attempt: attempt + 1 });
    }

    /// An answer.
    pub fn hear(&mut self, id: ClientId, envelope: &Envelope, cx: &mut Context) {
        let Some(number) = self.by_id.get(&id).copied().filter(|_| !cx.oracle.is_lenient()) else { return };
        let Some(client) = self.clients.get_mut(&number).filter(|client| client.waits) else { return };
        let Some(operation) = client.operations.front().copied() else { return };
        let expected = ClientId(command_id(cx, operation, client.anew));
        let Body::Reply(outcome) = &envelope.body else { return };
        if id != expected {
            cx.mark("answer-repeated");
            return;
        }
        let Some(request) = client.request.take() else { return };
        client.waits = false;
        cx.statistics.answers += 1;
        cx.note(&format!("client-{number}"), || format!("{} is answered: {outcome:?}", request.action()));
        let (action, done) = (request.action().to_string(), outcome.is_ok());
        cx.tape(|| What::Answered { client: number, action, done });
        cx.oracle.answered(&request, outcome, client.given, cx.now());
        self.answered.extend(client.said.take());
        if self.answered.len() > ANSWERED_MAX {
            self.answered.pop_front();
        }
        let refused = self.operations[operation].refused;
        if let Some(kind) = self.because.get(&operation).filter(|_| outcome.is_ok() != refused) {
            cx.bite(kind);
        }
        if refused && outcome.is_ok() {
            let message = format!("client {number} gave {}", request.action());
            cx.violate(Invariant::Refused, "a command is done that must be refused", message);
        }
        client.anew += 1;
        let again = !refused && outcome.as_ref().is_err_and(passes) && client.anew % (ANEW_MAX + 1) != 0;
        if again {
            cx.mark("command-refused");
            self.arrange(number, ANEW_AFTER_US, cx);
        } else {
            client.anew = 0;
            client.operations.pop_front();
            self.arrange(number, 0, cx);
        }
    }

    /// Whether every command was answered.
    pub fn check_answered(&self, cx: &mut Context) {
        for (number, client) in &self.clients {
            if let Some(operation) = client.operations.front() {
                let action = self.operations[*operation].request.action();
                let message = format!("client {number} waits for {action} since attempt {}", client.attempt);
                cx.violate(Invariant::Answered, "a command is never answered", message);
            }
        }
    }
}

/// Whether a refusal may pass by itself.
const fn passes(refusal: &Refusal) -> bool {
    !matches!(refusal.reason, Reason::Invalid | Reason::NotFound | Reason::WrongState | Reason::PolicyForbids)
}

fn realm_of(plan: &Plan, request: &Request) -> String {
    match request {
        Request::Cordon { .. } | Request::Uncordon { .. } | Request::Drain { .. } => SYSTEM_REALM.into(),
        _ => plan.realm.clone(),
    }
}

/// The command as it is given: a revision of zero means the one that is coming in.
fn bound(plan: &Plan, operation: &Operation, cx: &Context) -> Request {
    let mut request = operation.request.clone();
    if let Request::Promote { job, revision }
    | Request::Hold { job, revision }
    | Request::Resume { job, revision }
    | Request::Abort { job, revision } = &mut request
        && *revision == 0
    {
        let id = JobId::named(&plan.realm, job);
        let found = cx.oracle.fold().jobs().find(|(actor, _)| actor.id == id.0);
        *revision = found.map_or(1, |(_, job)| job.target());
    }
    request
}
