//! A part of a state, or of what is said, that copies have in common until one of them changes it.
//!
//! A turn begins with a copy of its actor's state, of which it mostly changes very little; and what a job runs is said
//! again and again. In bytes it is the part itself.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// A value that is shared by copies until one is written to. Only asking for it mutably makes it a copy of its own.
#[derive(Default, PartialEq, Eq)]
pub struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    /// Not shared yet.
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }

    /// Whether this and the other are copies of each other of which none was written to. What is equal may yet not be.
    pub fn untouched(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().serialize(out)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        T::deserialize(from).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::Shared;
    use crate::codec;

    #[test]
    fn a_copy_that_is_written_to_leaves_the_other_as_it_was() {
        let one = Shared::new(vec![1, 2]);
        let mut other = one.clone();
        assert!(one.untouched(&other));
        other.push(3);
        assert!(!one.untouched(&other));
        assert_eq!((one.len(), other.len()), (2, 3));
    }

    #[test]
    fn it_has_the_bytes_of_what_is_shared() {
        let bytes = codec::encode_bare(&vec![7_u32, 9]);
        assert_eq!(codec::encode_bare(&Shared::new(vec![7_u32, 9])), bytes);
        assert_eq!(codec::decode_bare::<Shared<Vec<u32>>>(&bytes), Ok(Shared::new(vec![7, 9])));
    }
}
