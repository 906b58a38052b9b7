//! Stories of a route.
