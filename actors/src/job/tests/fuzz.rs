//! Any order of messages.
