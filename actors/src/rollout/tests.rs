//! Stories of a rollout.
