//! The bus between actors: it may lose anything, deliver twice and in any order, and never holds up who speaks.

use messages::envelope::Envelope;
use std::fmt;
use std::sync::Arc;

/// Carries messages to actors.
pub trait Bus: Send + Sync {
    /// Takes a message to an actor, without waiting. What cannot be carried is dropped: who is owed asks again.
    fn send(&self, envelope: Envelope);
}

/// Who hears what a bus carries. It is called for one message at a time, and must not wait.
pub type Hear = Arc<dyn Fn(Envelope, Done) + Send + Sync>;

/// Acknowledges a message once what it led to is durable. Dropped without it, the message may come again.
#[derive(Default)]
pub struct Done(Option<Box<dyn FnOnce() + Send>>);

impl Done {
    /// Calls this when the message is dealt with.
    pub fn call(acknowledge: impl FnOnce() + Send + 'static) -> Self {
        Self(Some(Box::new(acknowledge)))
    }

    /// The message is dealt with.
    pub fn done(self) {
        if let Some(acknowledge) = self.0 {
            acknowledge();
        }
    }
}

impl fmt::Debug for Done {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Done").field(&self.0.is_some()).finish()
    }
}

/// The bus within one process: hands over at once, and nothing comes again by itself.
pub struct InProcess(pub Hear);

impl Bus for InProcess {
    fn send(&self, envelope: Envelope) {
        (self.0)(envelope, Done::default());
    }
}
