//! Bowline's machines inside runtimes and hosts that others wrote. See the examples of this package; each has a test.
