//! Two `Transfers` joined by lists of messages, in virtual time.
