//! What the machines promise whatever happens, as properties over random operations and random schedules.
//!
//! 1. A link that carries anything is never declared dead: `heartbeat/laws`
//!    (`a_link_that_carries_anything_is_never_declared_dead`).
//! 2. A silent peer is found dead in time: `heartbeat/laws` (`a_silent_peer_is_declared_dead_in_time`).
//! 3. One ping is out at a time, and pings keep their distance: `heartbeat/laws`
//!    (`only_one_ping_is_out_at_a_time_unless_the_delay_was_ours`), and [here](connection), with jitter.
//! 4. A control frame waits for one fragment of data at most: [here](connection).
//! 5. Splitting the input changes nothing but times: `connection/tests/laws` (`splitting_the_input_changes_nothing`),
//!    and law 6 in `laws.rs`.
//! 6. The start of time does not matter: [here](connection), and in `heartbeat/laws` and `reconnect/laws`
//!    (`the_start_of_time_does_not_matter`).
//! 7. At most one Close is written, it is valid, and nothing follows it except Pongs that were asked for:
//!    [here](connection), and in `closing/tests/laws` (`each_connection_has_one_close_frame_one_end_and_a_true_record`).
//! 8. There is one end, it comes last, and its record follows from what happened: [here](connection), and in
//!    `closing/tests/laws`.
//! 9. Two sessions over links that are cut anywhere deliver each message once and in order: `cuts.rs`.
//! 10. Memory stays within the limits for any input: [`memory`].
//! 11. No time makes anything panic or overflow: [here](connection), and in `heartbeat/laws` and `reconnect/laws`
//!     (`the_deadline_after_a_timeout_lies_in_the_future`).
//! 12. The same seed and the same calls give the same bytes: [here](connection); a crowd of clients with different
//!     seeds comes back spread out: `reconnect/laws`
//!     (`a_crowd_of_ten_thousand_comes_back_at_seven_hundred_per_second`).
//!
//! Of the laws of the API (see the crate page of `bowline-core`), laws 8 and 10 are tested [here](memory), the others
//! in `laws.rs` and beside each machine.

mod connection;
mod memory;
mod player;
