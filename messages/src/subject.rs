//! The subjects of the bus, as a type that prints and parses.
//!
//! | subject | carries |
//! |---|---|
//! | `orrery.<site>.msg.<shard>.<kind>.<id>` | messages to actors |
//! | `orrery.<site>.log.<shard>` | frames |
//! | `orrery.<site>.agent.<node>` | orders to an agent, and what it says |
//! | `orrery.<site>.beat.<node>` | heartbeats |
//! | `orrery.<site>.obs.<job>.<instance>` | opinions and metrics of an instance |
//! | `orrery.<site>.reply.<client>` | answers to a client that waits |
//! | `orrery.<site>.api.<path>` | the public API |
//! | `orrery.<site>.event.<kind>.<id>.<name>` | public events |

use crate::id::{ActorId, ClientId, InstanceId, JobId, Kind, NodeId, SHARDS};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

/// The first token of every subject.
const ROOT: &str = "orrery";
/// The longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 63;
/// The most tokens of an API path.
const PATH_TOKENS_MAX: usize = 8;

/// One token of a subject: letters, digits, `-` and `_`; no dots, spaces or wildcards.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Token(String);

impl Token {
    /// The token of this text.
    ///
    /// # Errors
    /// When it is empty, too long, or has a character that a token may not have.
    pub fn new(text: &str) -> Result<Self, SubjectError> {
        let sound = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        if (1..=TOKEN_BYTES_MAX).contains(&text.len()) && text.chars().all(sound) {
            return Ok(Self(text.into()));
        }
        Err(SubjectError::Token(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl TryFrom<String> for Token {
    type Error = SubjectError;

    fn try_from(text: String) -> Result<Self, SubjectError> {
        Self::new(&text)
    }
}

impl From<Token> for String {
    fn from(token: Token) -> Self {
        token.0
    }
}

impl FromStr for Token {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        Self::new(text)
    }
}

/// Why a text is not a subject of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubjectError {
    /// A token with something in it that a token may not have.
    #[error("{0:?} is not a token: use 1 to {TOKEN_BYTES_MAX} letters, digits, hyphens and underscores")]
    Token(String),
    /// It does not begin with `orrery.`
    #[error("{0:?} is not one of our subjects: it does not begin with \"orrery.\"")]
    Root(String),
    /// The word after the site is none of ours.
    #[error("{0:?} is no channel; the channels are msg, log, agent, beat, obs, reply, api, event")]
    Channel(String),
    /// Too few or too many tokens.
    #[error("{subject:?} does not have the form {form}")]
    Form {
        /// What was written.
        subject: String,
        /// What it should look like.
        form: &'static str,
    },
    /// A shard that there is not.
    #[error("{0:?} is not a shard; shards are 0 to 63")]
    Shard(String),
    /// A shard that the actor does not live in.
    #[error("actor {actor} lives in shard {right}, not in {written}")]
    WrongShard {
        /// The actor.
        actor: ActorId,
        /// Its shard.
        right: u16,
        /// What was written.
        written: u16,
    },
    /// A kind that there is not.
    #[error("{0:?} is not a kind of actor")]
    Kind(String),
    /// Not an id.
    #[error("{0:?} is not an id: ids are UUIDs with hyphens, in small letters")]
    Id(String),
}

/// A subject of the bus.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A message to an actor, in its shard.
    Message {
        /// The site.
        site: Token,
        /// To whom.
        to: ActorId,
    },
    /// The log of a shard.
    Log {
        /// The site.
        site: Token,
        /// The shard.
        shard: u16,
    },
    /// The agent of a node.
    Agent {
        /// The site.
        site: Token,
        /// The node.
        node: NodeId,
    },
    /// The heartbeats of a node.
    Beat {
        /// The site.
        site: Token,
        /// The node.
        node: NodeId,
    },
    /// What is thought and measured of an instance.
    Observation {
        /// The site.
        site: Token,
        /// Its job.
        job: JobId,
        /// The instance.
        instance: InstanceId,
    },
    /// The answer to a client.
    Reply {
        /// The site.
        site: Token,
        /// The client.
        client: ClientId,
    },
    /// The public API.
    Api {
        /// The site.
        site: Token,
        /// The operation, at least one token.
        path: Vec<Token>,
    },
    /// A public event of an actor.
    Event {
        /// The site.
        site: Token,
        /// Whose event.
        of: ActorId,
        /// Its name.
        name: Token,
    },
}

/// Filters to subscribe with; they are texts, because a filter is not a subject that anything can be sent to.
impl Subject {
    /// Every message to an actor of one shard.
    pub fn messages_of_shard(site: &Token, shard: u16) -> String {
        format!("{ROOT}.{site}.msg.{shard}.>")
    }

    /// Every message to any actor.
    pub fn messages(site: &Token) -> String {
        format!("{ROOT}.{site}.msg.>")
    }

    /// The logs of all shards.
    pub fn logs(site: &Token) -> String {
        format!("{ROOT}.{site}.log.*")
    }

    /// All agents.
    pub fn agents(site: &Token) -> String {
        format!("{ROOT}.{site}.agent.*")
    }

    /// The heartbeats of all nodes.
    pub fn beats(site: &Token) -> String {
        format!("{ROOT}.{site}.beat.*")
    }

    /// What is thought and measured of all instances.
    pub fn observations(site: &Token) -> String {
        format!("{ROOT}.{site}.obs.*.*")
    }

    /// The answers to all clients.
    pub fn replies(site: &Token) -> String {
        format!("{ROOT}.{site}.reply.*")
    }

    /// All of the public API.
    pub fn api(site: &Token) -> String {
        format!("{ROOT}.{site}.api.>")
    }

    /// Every public event.
    pub fn events(site: &Token) -> String {
        format!("{ROOT}.{site}.event.>")
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message { site, to } => write!(out, "{ROOT}.{site}.msg.{}.{to}", to.shard()),
            Self::Log { site, shard } => write!(out, "{ROOT}.{site}.log.{shard}"),
            Self::Agent { site, node } => write!(out, "{ROOT}.{site}.agent.{node}"),
            Self::Beat { site, node } => write!(out, "{ROOT}.{site}.beat.{node}"),
            Self::Observation { site, job, instance } => write!(out, "{ROOT}.{site}.obs.{job}.{instance}"),
            Self::Reply { site, client } => write!(out, "{ROOT}.{site}.reply.{client}"),
            Self::Api { site, path } => {
                write!(out, "{ROOT}.{site}.api")?;
                path.iter().try_for_each(|token| write!(out, ".{token}"))
            }
            Self::Event { site, of, name } => write!(out, "{ROOT}.{site}.event.{of}.{name}"),
        }
    }
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, SubjectError> {
        let form = |form| SubjectError::Form { subject: text.into(), form };
        let tokens: Vec<&str> = text.split('.').collect();
        let [root, site, channel, rest @ ..] = tokens.as_slice() else {
            let known = tokens.first() == Some(&ROOT);
            return Err(if known { form("orrery.SITE.CHANNEL") } else { SubjectError::Root(text.into()) });
        };
        if *root != ROOT {
            return Err(SubjectError::Root(text.into()));
        }
        let site = Token::new(site)?;
        match (*channel, rest) {
            ("msg", [written, kind, id]) => message(site, written, kind, id),
            ("msg", _) => Err(form("orrery.SITE.msg.SHARD.KIND.ID")),
            ("log", [number]) => Ok(Self::Log { site, shard: shard(number)? }),
            ("log", _) => Err(form("orrery.SITE.log.SHARD")),
            ("agent", [node]) => Ok(Self::Agent { site, node: NodeId(id(node)?) }),
            ("agent", _) => Err(form("orrery.SITE.agent.NODE")),
            ("beat", [node]) => Ok(Self::Beat { site, node: NodeId(id(node)?) }),
            ("beat", _) => Err(form("orrery.SITE.beat.NODE")),
            ("obs", [job, instance]) => {
                Ok(Self::Observation { site, job: JobId(id(job)?), instance: InstanceId(id(instance)?) })
            }
            ("obs", _) => Err(form("orrery.SITE.obs.JOB.INSTANCE")),
            ("reply", [client]) => Ok(Self::Reply { site, client: ClientId(id(client)?) }),
            ("reply", _) => Err(form("orrery.SITE.reply.CLIENT")),
            ("api", path) if (1..=PATH_TOKENS_MAX).contains(&path.len()) => {
                let path: Result<_, _> = path.iter().map(|token| Token::new(token)).collect();
                Ok(Self::Api { site, path: path? })
            }
            ("api", _) => Err(form("orrery.SITE.api.PATH, with 1 to 8 tokens in the path")),
            ("event", [kind, id, name]) => Ok(Self::Event { site, of: actor(kind, id)?, name: Token::new(name)? }),
            ("event", _) => Err(form("orrery.SITE.event.KIND.ID.NAME")),
            (other, _) => Err(SubjectError::Channel(other.into())),
        }
    }
}

fn message(site: Token, written: &str, kind: &str, id: &str) -> Result<Subject, SubjectError> {
    let (to, written) = (actor(kind, id)?, shard(written)?);
    if to.shard() == written {
        return Ok(Subject::Message { site, to });
    }
    Err(SubjectError::WrongShard { actor: to, right: to.shard(), written })
}

/// A shard as it is printed: no sign, no leading zero.
fn shard(text: &str) -> Result<u16, SubjectError> {
    let number = text.parse().ok().filter(|number: &u16| *number < SHARDS && number.to_string() == text);
    number.ok_or_else(|| SubjectError::Shard(text.into()))
}

/// An id as it is printed, and in no other of the forms a UUID can be written in.
fn id(text: &str) -> Result<Uuid, SubjectError> {
    let id = Uuid::try_parse(text).ok().filter(|id| id.to_string() == text);
    id.ok_or_else(|| SubjectError::Id(text.into()))
}

fn actor(kind: &str, id: &str) -> Result<ActorId, SubjectError> {
    let kind = Kind::from_name(kind).ok_or_else(|| SubjectError::Kind(kind.into()))?;
    Ok(ActorId { kind, id: self::id(id)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn site() -> Token {
        Token::new("berlin-1").expect("this is a token")
    }

    fn subjects() -> impl Strategy<Value = Subject> {
        let token = "[a-zA-Z0-9_-]{1,63}".prop_map(|text| Token::new(&text).expect("these are tokens"));
        let kind = prop::sample::select(Kind::ALL.to_vec());
        let path = prop::collection::vec(token.clone(), 1..=PATH_TOKENS_MAX);
        let parts = (token.clone(), token, kind, any::<[u128; 2]>(), 0..SHARDS, path, 0..8u8);
        parts.prop_map(|(site, name, kind, [one, two], shard, path, which)| {
            let (one, two) = (Uuid::from_u128(one), Uuid::from_u128(two));
            let of = ActorId { kind, id: one };
            match which {
                0 => Subject::Message { site, to: of },
                1 => Subject::Log { site, shard },
                2 => Subject::Agent { site, node: NodeId(one) },
                3 => Subject::Beat { site, node: NodeId(one) },
                4 => Subject::Observation { site, job: JobId(one), instance: InstanceId(two) },
                5 => Subject::Reply { site, client: ClientId(one) },
                6 => Subject::Api { site, path },
                _ => Subject::Event { site, of, name },
            }
        })
    }

    proptest! {
        #[test]
        fn a_subject_survives_its_text(subject in subjects()) {
            prop_assert_eq!(subject.to_string().parse(), Ok(subject));
        }

        #[test]
        fn what_is_parsed_prints_as_it_was_written(text in "orrery(\\.[a-z0-9>* -]{0,5}){0,6}|\\PC{0,20}") {
            if let Ok(subject) = text.parse::<Subject>() {
                prop_assert_eq!(subject.to_string(), text);
            }
        }
    }

    #[test]
    fn a_message_names_the_shard_of_its_actor() {
        let to = ActorId::from(JobId::named("shop", "a"));
        let subject = Subject::Message { site: site(), to };
        assert_eq!(subject.to_string(), "orrery.berlin-1.msg.13.job.76588ab5-4609-55e2-a57d-1cc9b0e03e0d");
        assert_eq!(Subject::messages_of_shard(&site(), to.shard()), "orrery.berlin-1.msg.13.>");
        let wrong = subject.to_string().replace(".13.", ".14.").parse::<Subject>();
        assert_eq!(
            wrong.expect_err("an actor has one shard").to_string(),
            "actor job.76588ab5-4609-55e2-a57d-1cc9b0e03e0d lives in shard 13, not in 14"
        );
    }

    #[test]
    fn what_is_no_subject_is_told_why() {
        for (text, why) in [
            ("foo", "\"foo\" is not one of our subjects: it does not begin with \"orrery.\""),
            ("orrery.x", "\"orrery.x\" does not have the form orrery.SITE.CHANNEL"),
            ("orrery.*.log.1", "\"*\" is not a token: use 1 to 63 letters, digits, hyphens and underscores"),
            ("orrery.x.lag.1", "\"lag\" is no channel; the channels are msg, log, agent, beat, obs, reply, api, event"),
            ("orrery.x.log.64", "\"64\" is not a shard; shards are 0 to 63"),
            ("orrery.x.log.07", "\"07\" is not a shard; shards are 0 to 63"),
            ("orrery.x.log.1.2", "\"orrery.x.log.1.2\" does not have the form orrery.SITE.log.SHARD"),
            ("orrery.x.beat.n1", "\"n1\" is not an id: ids are UUIDs with hyphens, in small letters"),
            ("orrery.x.event.jobb.1.2", "\"jobb\" is not a kind of actor"),
        ] {
            assert_eq!(text.parse::<Subject>().expect_err("not a subject").to_string(), why);
        }
    }
}
