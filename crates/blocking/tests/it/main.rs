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
        calls_of_the_owner_carry_files_both_ways_and_return_at_their_end
        a_thread_takes_over_what_the_owner_has_begun
        whoever_says_nothing_is_let_go_when_the_server_stops;
    flushing:
        a_peer_that_takes_and_says_nothing_is_enough_for_a_flush
        a_flush_behind_a_close_waits_until_that_has_left
        a_flush_after_a_clean_end_has_nothing_to_complain_of
        a_flush_after_the_end_of_what_had_not_left_says_so;
    patience:
        a_peer_that_takes_nothing_is_found_dead_on_time_while_we_send
        a_ping_leaves_while_a_send_waits
        an_owner_that_only_sends_still_pings_and_answers
        a_close_takes_no_longer_than_its_time_out
        a_peer_that_goes_away_without_a_word_is_told;
    pieces:
        a_long_message_goes_in_pieces_from_half_to_half
        a_piece_leaves_although_its_owner_does_something_else
        what_does_not_fit_into_the_order_comes_back
        a_thread_takes_over_what_has_come_while_its_owner_sent;
    sending:
        two_ends_that_send_before_they_receive_do_not_wait_for_each_other
        who_must_not_hold_more_gets_its_message_back_and_goes_on_when_it_has_received
        a_time_to_receive_is_kept
        a_message_of_unknown_length_goes_through_in_pieces;
    spawned:
        messages_go_both_ways_in_order_between_threads
        pings_are_answered_while_the_owner_sleeps
        what_was_accepted_leaves_before_the_answer_to_a_close
        what_was_said_to_the_last_message_leaves_before_the_answer_to_a_close
        who_drops_both_halves_closes
        what_is_queued_goes_before_a_close
        a_connection_that_rests_is_dropped_at_once
        nobody_waits_for_a_receiver_that_is_dropped
        a_receiver_that_does_not_receive_makes_the_sender_wait
        after_the_end_messages_come_back_and_questions_have_no_answer
        a_ping_is_answered_while_messages_wait_for_their_owner
        questions_are_answered_while_nothing_else_happens
        who_looks_and_does_not_wait_is_told_of_the_end_at_once
        a_time_without_end_is_waited_for;
}
