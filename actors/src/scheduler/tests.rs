//! Stories of the scheduler.
