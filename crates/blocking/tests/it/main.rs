//! Blocking WebSockets over real sockets. A test with the argument `Over` is written once, and run over TCP and TLS.

mod common;
mod deaf;
mod files;
mod flushing;
mod inline;
mod listener;
mod messages;
mod patience;
mod pieces;
mod reconnecting;
mod sending;
mod serving;
mod spawned;
mod streams;
#[cfg(feature = "tls")]
mod tls;

macro_rules! over {
    ($($file:ident: $($test:ident)*;)*) => {
        over!(@over over_tcp Tcp $($($file $test)*)*);
        #[cfg(feature = "tls")]
        over!(@over over_tls Tls $($($file $test)*)*);
    };
    (@over $kind:ident $over:ident $($file:ident $test:ident)*) => {
        mod $kind {
            $(#[test]
            fn $test() {
                crate::$file::$test(crate::common::Over::$over);
            })*
        }
    };
}

over! {
    files:
        the_owners_calls_carry_files_both_ways_and_return_when_done
        a_thread_takes_over_a_transfer_that_the_owner_has_begun
        a_silent_client_is_dropped_when_the_server_stops;
    flushing:
        a_flush_needs_only_a_peer_that_takes_the_bytes
        a_flush_after_a_close_waits_until_the_close_has_left
        a_flush_after_a_clean_end_succeeds
        a_flush_after_an_end_that_lost_messages_says_so;
    patience:
        a_peer_that_takes_nothing_is_found_dead_on_time_while_we_send
        a_ping_leaves_while_a_send_waits
        an_owner_that_only_sends_still_pings_and_answers
        a_close_takes_no_longer_than_its_timeout
        a_peer_that_leaves_without_a_close_is_reported;
    pieces:
        a_long_message_goes_in_pieces_from_half_to_half
        a_piece_leaves_although_its_owner_does_something_else
        a_message_or_piece_out_of_order_comes_back
        a_thread_takes_over_messages_that_came_while_its_owner_sent;
    sending:
        two_ends_that_send_before_they_receive_do_not_wait_for_each_other
        a_sender_that_may_hold_no_more_gets_its_message_back_and_can_go_on
        a_time_limit_for_receiving_is_kept
        a_message_of_unknown_length_goes_through_in_pieces;
    spawned:
        messages_go_both_ways_in_order_between_threads
        pings_are_answered_while_the_owner_sleeps
        accepted_messages_leave_before_the_answer_to_a_close
        the_answer_to_the_last_message_leaves_before_the_answer_to_a_close
        dropping_both_halves_closes_the_connection
        queued_messages_leave_before_a_close
        an_idle_connection_can_be_dropped_at_once
        a_dropped_receiver_is_not_waited_for
        a_receiver_that_does_not_receive_makes_the_sender_wait
        after_the_end_messages_come_back_and_questions_have_no_answer
        a_ping_is_answered_while_messages_wait_for_their_owner
        questions_are_answered_while_nothing_else_happens
        a_receiver_that_polls_without_waiting_learns_of_the_end_at_once
        a_time_without_end_is_waited_for;
}
