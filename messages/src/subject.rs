//! The subjects of the bus, as a type that prints and parses.
