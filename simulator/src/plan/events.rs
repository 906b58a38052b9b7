//! The names of the events that actors record, as their types know them.

use messages::id::Kind;
use messages::{job, node, policy, rollout, route, scheduler};
use serde::de::value::Error;
use serde::de::{Deserialize, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

/// The names of the events of a kind of actor.
pub fn of(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Job => variants::<job::Event>(),
        Kind::Node => variants::<node::Event>(),
        Kind::Scheduler => variants::<scheduler::Event>(),
        Kind::Route => variants::<route::Event>(),
        Kind::Rollout => variants::<rollout::Event>(),
        Kind::Policy => variants::<policy::Event>(),
    }
}

/// Asks how a type would be read, and reads nothing.
struct Asking<'n>(&'n mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Asking<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(Error::custom("only its variants are wanted"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = variants;
        self.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

fn variants<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut names: &'static [&'static str] = &[];
    // It fails when it has learned the names.
    let _failed = T::deserialize(Asking(&mut names));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_events_of_every_kind_of_actor_are_known() {
        for kind in Kind::ALL {
            assert!(of(kind).len() > 3, "{kind:?}: {:?}", of(kind));
        }
        assert!(of(Kind::Job).contains(&"Assigned"));
        assert!(of(Kind::Node).contains(&"GivenUp"));
    }
}
