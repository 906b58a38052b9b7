//! Cedar, tamed: policies are admitted only when strictly valid, any error denies, and nothing depends on hash order.
//!
//! The only file that names `cedar_policy`. The policy actor judges commands with it, the scheduler placements.

use cedar_policy::{
    ActionConstraint, Authorizer, Context, Decision, Effect, Entities, Entity, EntityId, EntityTypeName, EntityUid,
    Policy, PolicySet, PrincipalConstraint, Request, ResourceConstraint, RestrictedExpression, Schema, ValidationMode,
    Validator,
};
use messages::envelope::Principal;
use messages::manifest::{RouteSpec, Workload};
use messages::policy::Mode;
use messages::reason::{Reason, Refusal};
use messages::time::Timestamp;
use miette::Diagnostic;
use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Arc, LazyLock, OnceLock};

/// The policy of a realm that never set one.
pub const DEFAULT_TEXT: &str = "permit(principal, action, resource);";
/// The longest policy, in bytes.
pub const TEXT_BYTES_MAX: usize = 64 << 10;
/// The action that the scheduler asks about.
pub const PLACE: &str = "place";

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| {
    let text = include_str!("policy/schema.cedarschema");
    let (schema, _warnings) = Schema::from_cedarschema_str(text)
        .unwrap_or_else(|error| panic!("the schema of policies is part of this build: {error}"));
    schema
});

/// Policies, parsed and valid.
#[derive(Clone, Debug)]
pub struct Policies {
    set: PolicySet,
    place: Option<Verdict>,
}

/// Policies compiled from a text at first use, once for all copies. No part of an actor's state: equal to any other, and
/// never written.
#[derive(Clone, Debug, Default)]
pub struct Compiled(Arc<OnceLock<Option<Policies>>>);

impl PartialEq for Compiled {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Compiled {}

impl Compiled {
    /// The policies of this text, which must be the same at every call. `None` when the text is not valid.
    pub fn get(&self, text: &str) -> Option<&Policies> {
        self.0.get_or_init(|| Policies::admit(text).ok()).as_ref()
    }
}

/// What policies say of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it may happen.
    pub allowed: bool,
    /// The policies that decided, sorted.
    pub policies: Vec<String>,
    /// What could not be evaluated. Then it may not happen.
    pub trouble: Option<String>,
}

impl Verdict {
    /// The verdict of policies that cannot be read.
    pub fn unreadable() -> Self {
        Self { allowed: false, policies: Vec::new(), trouble: Some("the policy cannot be read by this build".into()) }
    }

    /// Why it may not happen.
    pub fn reason(&self) -> Reason {
        match (&self.trouble, self.policies.is_empty()) {
            (Some(_), _) => Reason::PolicyError,
            (None, true) => Reason::PolicyNoPermit,
            (None, false) => Reason::PolicyForbids,
        }
    }

    /// The verdict in words.
    pub fn words(&self) -> String {
        let policies = self.policies.join(", ");
        match (&self.trouble, self.allowed, policies.is_empty()) {
            (Some(trouble), ..) => format!("denied, since a policy could not be evaluated: {trouble}"),
            (None, true, _) => format!("permitted by {policies}"),
            (None, false, true) => "permitted by no policy".into(),
            (None, false, false) => format!("forbidden by {policies}"),
        }
    }
}

impl Verdict {
    /// The verdict in words, and what became of it in this mode.
    pub fn worded(&self, mode: Mode) -> String {
        match (mode, self.allowed) {
            (Mode::Enforce, _) | (_, true) => self.words(),
            (Mode::Audit, false) => format!("{} (audit: not applied)", self.words()),
            (Mode::Shadow, false) => format!("{} (shadow: would be denied)", self.words()),
        }
    }

    /// Whether it must not happen in this mode.
    pub fn denies(&self, mode: Mode) -> bool {
        let applied = mode == Mode::Enforce || (mode == Mode::Audit && crate::mutant!(AuditEnforced));
        applied && !self.allowed
    }

    /// The verdict on both of two things: the first denial, or all that permitted.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        match (self.allowed, other.allowed) {
            (false, _) => self,
            (true, false) => other,
            (true, true) => {
                self.policies.extend(other.policies);
                self.policies.sort();
                self.policies.dedup();
                self
            }
        }
    }
}

/// A principal or a resource, with what policies may ask of it.
#[derive(Clone, Debug)]
pub struct Party {
    uid: EntityUid,
    entity: Result<Entity, String>,
}

fn uid(kind: &str, id: &str) -> EntityUid {
    let name = EntityTypeName::from_str(kind).unwrap_or_else(|error| panic!("{kind} is a name of ours: {error}"));
    EntityUid::from_type_name_and_id(name, EntityId::new(id))
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_string())
}

fn long(value: u64) -> RestrictedExpression {
    RestrictedExpression::new_long(i64::try_from(value).unwrap_or(i64::MAX))
}

fn texts<'a>(values: impl IntoIterator<Item = &'a String>) -> RestrictedExpression {
    RestrictedExpression::new_set(values.into_iter().map(|value| text(value)))
}

impl Party {
    fn new<'a>(
        kind: &str,
        id: &str,
        attributes: Vec<(&str, RestrictedExpression)>,
        parents: Vec<EntityUid>,
        tags: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> Self {
        let uid = uid(kind, id);
        let attributes = attributes.into_iter().map(|(name, value)| (name.to_string(), value));
        let tags = tags.into_iter().map(|(key, value)| (key.clone(), text(value)));
        let entity = Entity::new_with_tags(uid.clone(), attributes, parents, tags).map_err(|error| error.to_string());
        Self { uid, entity }
    }

    /// Whoever commands: a user by name, in groups.
    pub fn user(principal: &Principal) -> Self {
        let name = principal.name.strip_prefix("user:").unwrap_or(&principal.name);
        let groups = principal.groups.iter().map(|group| uid("Group", group)).collect();
        Self::new("User", name, vec![], groups, [])
    }

    /// A realm.
    pub fn realm(name: &str) -> Self {
        Self::new("Realm", name, vec![], vec![], [])
    }

    /// A job. Its id is `realm/name`.
    pub fn job(realm: &str, name: &str, workload: &Workload, exclusive: bool) -> Self {
        let attributes = vec![
            ("name", text(name)),
            ("cpu_milli", long(workload.resources.cpu_milli)),
            ("memory_bytes", long(workload.resources.memory_bytes)),
            ("exclusive", RestrictedExpression::new_bool(exclusive)),
            ("links", texts(workload.links.keys())),
        ];
        Self::new("Job", &format!("{realm}/{name}"), attributes, vec![uid("Realm", realm)], [])
    }

    /// A route. Its id is `realm/name`.
    pub fn route(route: &RouteSpec) -> Self {
        let attributes = vec![
            ("name", text(&route.name)),
            ("host", text(&route.host)),
            ("to", text(&route.to)),
            ("permit", texts(&route.permit)),
        ];
        let id = format!("{}/{}", route.realm, route.name);
        Self::new("Route", &id, attributes, vec![uid("Realm", &route.realm)], [])
    }

    /// A node and its tags.
    pub fn node(name: &str, tags: &BTreeMap<String, String>) -> Self {
        Self::new("Node", name, vec![("name", text(name))], vec![], tags)
    }
}

/// What an action's context holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circumstance {
    /// Nothing.
    None,
    /// The time.
    When(Timestamp),
    /// The time, and how many instances are wanted.
    Count(Timestamp, u32),
}

impl Circumstance {
    fn context(self) -> Result<Context, String> {
        let (at, instances) = match self {
            Self::None => return Ok(Context::empty()),
            Self::When(at) => (at, None),
            Self::Count(at, instances) => (at, Some(instances)),
        };
        let hours = at.0 / 3_600_000_000;
        let mut pairs = vec![("hour", long(hours % 24)), ("weekday", long((hours / 24 + 3) % 7))];
        pairs.extend(instances.map(|instances| ("instances", long(instances.into()))));
        Context::from_pairs(pairs.into_iter().map(|(name, value)| (name.to_string(), value)))
            .map_err(|error| error.to_string())
    }
}

impl Policies {
    /// Policies from their text, if they are valid.
    ///
    /// # Errors
    /// A refusal with the line and what is wrong with it.
    pub fn admit(source: &str) -> Result<Self, Refusal> {
        let invalid = |message: String| Refusal::new(Reason::Invalid, message);
        if source.len() > TEXT_BYTES_MAX {
            let message = format!("the policy has {} bytes, more than the {TEXT_BYTES_MAX} it may have", source.len());
            return Err(invalid(message));
        }
        let set = PolicySet::from_str(source).map_err(|errors| {
            let place = errors.iter().next().and_then(|error| place(source, error));
            invalid(format!("the policy does not parse{}: {errors}", worded(place)))
        })?;
        if set.templates().next().is_some() {
            return Err(invalid("the policy has a template, which nothing would fill in".into())
                .change("write a principal or resource in place of ?principal or ?resource"));
        }
        if !crate::mutant!(PolicyNotValidated) {
            let result = Validator::new(SCHEMA.clone()).validate(&set, ValidationMode::Strict);
            let errors = result.validation_errors();
            let first = errors.map(|error| (place(source, error), error.to_string())).min();
            if let Some((place, error)) = first {
                return Err(invalid(format!("the policy is not valid{}: {error}", worded(place))));
            }
        }
        let place = constant(&set);
        Ok(Self { set, place })
    }

    /// Whether `principal` may do `action` to `resource`.
    pub fn judge(&self, principal: &Party, action: &str, resource: &Party, circumstance: Circumstance) -> Verdict {
        match (&self.place, action) {
            (Some(verdict), PLACE) => verdict.clone(),
            _ => self.evaluate(principal, action, resource, circumstance).unwrap_or_else(|trouble| Verdict {
                allowed: false,
                policies: Vec::new(),
                trouble: Some(trouble),
            }),
        }
    }

    fn evaluate(
        &self,
        principal: &Party,
        action: &str,
        resource: &Party,
        circumstance: Circumstance,
    ) -> Result<Verdict, String> {
        let entities = [principal.entity.clone()?, resource.entity.clone()?];
        let entities = Entities::from_entities(entities, Some(&SCHEMA)).map_err(|error| error.to_string())?;
        let context = circumstance.context()?;
        let (who, what) = (principal.uid.clone(), resource.uid.clone());
        let request = Request::new(who, uid("Action", action), what, context, Some(&SCHEMA))
            .map_err(|error| error.to_string())?;
        let response = Authorizer::new().is_authorized(&request, &self.set, &entities);
        let diagnostics = response.diagnostics();
        let mut policies: Vec<String> = diagnostics.reason().filter_map(|id| self.set.policy(id)).map(name).collect();
        policies.sort();
        let skip = crate::mutant!(ForbidErrorSkipped);
        let trouble = diagnostics.errors().map(ToString::to_string).min().filter(|_| !skip);
        Ok(Verdict { allowed: response.decision() == Decision::Allow && trouble.is_none(), policies, trouble })
    }
}

/// The name people gave a policy with `@id`, or its number.
fn name(policy: &Policy) -> String {
    policy.annotation("id").map_or_else(|| policy.id().to_string(), ToString::to_string)
}

/// The verdict on every placement, when it needs no look at job or node: all that could apply permits without a
/// condition.
fn constant(set: &PolicySet) -> Option<Verdict> {
    let place = uid("Action", PLACE);
    let applies = |policy: &&Policy| match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::In(actions) => actions.contains(&place),
        ActionConstraint::Eq(action) => action == place,
    };
    let free = |policy: &&Policy| {
        policy.effect() == Effect::Permit
            && !policy.has_non_scope_constraint()
            && policy.principal_constraint() == PrincipalConstraint::Any
            && policy.resource_constraint() == ResourceConstraint::Any
    };
    let applicable: Vec<&Policy> = set.policies().filter(applies).collect();
    if !applicable.iter().all(free) {
        return None;
    }
    let mut policies: Vec<String> = applicable.into_iter().map(name).collect();
    policies.sort();
    Some(Verdict { allowed: !policies.is_empty(), policies, trouble: None })
}

/// The line and the column of an error, both from 1, where they are known.
fn place(source: &str, error: &dyn Diagnostic) -> Option<(usize, usize)> {
    let label = error.labels()?.next()?;
    let before = source.get(..label.offset())?;
    let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
    Some((before.matches('\n').count() + 1, column))
}

/// ` at line N, column N`, where they are known.
fn worded(place: Option<(usize, usize)>) -> String {
    place.map_or_else(String::new, |(line, column)| format!(" at line {line}, column {column}"))
}
