//! Bowline's machines inside foreign runtimes and hosts. See the examples of this package; each has a test.
