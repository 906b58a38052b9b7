//! Stories of the policy.
