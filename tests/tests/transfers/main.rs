//! Files and messages over real sockets, with every adapter, and with a different one at each end. A test is written
//! once; here it is run over them.

mod belated;
mod ends;
mod files;
mod killed;
mod listings;
mod messages;
mod papers;
mod principals;
mod progress;
mod proxies;
mod rig;
mod secure;
mod stuck;
mod verbs;

/// Makes a test of each of these for each of these pairs.
macro_rules! over {
    ($($pair:ident: $client:ident to $server:ident over $over:ident,)* { $($file:ident: $($test:ident)*;)* }) => {
        over!(@pairs [$($pair $client $server $over)*] [$($($file $test)*)*]);
    };
    (@pairs [] $tests:tt) => {};
    (@pairs [$pair:ident $client:ident $server:ident $over:ident $($more:ident)*] $tests:tt) => {
        mod $pair {
            use crate::ends::{Adapter, Pair};
            use crate::papers::Over;
            const PAIR: Pair =
                Pair { client: Adapter::$client, server: Adapter::$server, over: Over::$over };
            over!(@tests $tests);
        }
        over!(@pairs [$($more)*] $tests);
    };
    (@tests [$($file:ident $test:ident)*]) => {
        $(#[test]
        fn $test() {
            crate::$file::$test(PAIR);
        })*
    };
}

over! {
    tokio: Tokio to Tokio over Tcp,
    blocking: Blocking to Blocking over Tcp,
    {
        belated:
            a_belated_offer_does_not_end_an_upload
            a_belated_resume_does_not_end_a_client;
        files:
            a_file_goes_up_and_comes_down
            many_files_go_at_once
            two_large_files_share_the_link
            the_contents_of_a_pipe_arrive
            a_link_that_is_cut_again_and_again_carries_a_file_both_ways
            links_that_carry_a_few_kib_carry_a_file
            a_server_that_comes_back_goes_on_with_the_file
            another_client_goes_on_where_one_was_closed
            a_wrong_token_is_refused_at_once
            a_server_that_stops_sends_its_clients_away_and_keeps_partial_files
            a_server_whose_listener_breaks_sends_its_clients_away_and_says_why
            an_absent_server_is_reported_when_the_time_is_over
            each_failed_attempt_is_counted_and_reported_like_an_end
            a_server_that_never_answers_is_named_when_the_time_is_over
            a_dial_after_one_that_timed_out_has_twice_as_long
            a_server_of_another_kind_is_named
            a_taken_name_and_a_missing_file_are_refused_by_the_server
            two_senders_of_one_id_leave_one_winner
            a_ping_is_answered_while_a_file_goes_up_and_fails_without_a_link
            a_client_that_waits_dials_when_the_network_changes
            a_client_that_waits_dials_when_it_is_told_to;
        killed:
            a_client_that_was_killed_goes_on_when_it_is_started_again
            a_server_that_was_killed_goes_on_when_it_is_started_again;
        listings:
            a_server_says_what_it_holds
            a_client_sees_only_what_its_grant_allows_in_a_listing;
        messages:
            messages_cross_links_that_are_cut_once_and_in_order
            a_message_sent_without_a_link_waits_for_one
            a_receiver_that_does_not_listen_stops_the_sender_before_memory_grows
            a_message_passes_a_file
            a_session_that_the_server_ends_is_handed_back_and_followed_by_another
            a_confirmed_message_is_acknowledged
            a_client_confirms_what_it_has_taken_care_of
            a_client_that_says_goodbye_ends_its_session
            a_client_that_is_closed_hands_back_messages_that_have_not_arrived
            a_dropped_client_leaves_when_its_messages_have_arrived
            a_session_whose_client_is_gone_expires
            a_sender_that_waits_for_room_is_told_when_the_session_expires
            a_server_that_stops_hands_back_messages_that_have_not_arrived
            a_client_that_gives_up_hands_back_its_messages
            ends_that_do_not_speak_of_messages_say_so;
        principals:
            a_principal_resumes_only_its_own_files
            transfers_beyond_the_limit_of_a_principal_are_told_to_wait
            a_quota_is_reported_with_both_numbers
            a_token_allows_what_it_says_and_no_more
            a_transfer_goes_on_with_the_token_that_follows_one_that_was_withdrawn
            a_token_that_expires_ends_its_connection
            the_rights_of_a_token_may_change_during_a_transfer
            a_server_sweeps_by_itself;
        progress:
            rate_and_time_left_are_known_while_it_moves_and_then_no_more
            the_traffic_of_a_link_is_reported_and_adds_up
            a_part_is_fetched_beside_the_whole
            a_folder_is_listed_and_nothing_is_written
            only_the_rest_of_a_small_file_that_another_client_began_is_fetched;
        proxies:
            a_file_crosses_proxies_of_both_kinds
            a_file_crosses_a_unix_socket
            a_unix_socket_with_a_full_queue_is_waited_for
            a_proxy_that_wants_a_login_is_named_with_its_status
            a_proxy_that_does_not_reach_the_server_is_asked_again
            a_proxy_that_is_not_there_is_named
            a_proxy_that_says_nothing_is_named_when_the_time_is_over;
        stuck:
            a_peer_that_takes_no_more_is_found_dead_and_the_file_goes_on
            a_link_that_carries_nothing_more_is_replaced_before_it_is_found_dead
            a_link_that_recovers_is_kept_and_the_second_one_is_closed
            a_close_does_not_wait_for_a_peer_that_takes_no_more
            a_server_that_stops_does_not_wait_for_a_client_that_does_not_leave
            a_server_that_stops_tells_of_a_client_that_does_not_leave;
        verbs:
            either_end_pauses_and_resumes
            either_end_cancels_and_the_other_learns_what_is_left
            a_download_starts_over_after_its_part_was_discarded_without_a_link
            a_transfer_is_paused_and_cancelled_when_its_client_is_dropped
            a_handle_of_an_ended_transfer_keeps_no_connection_alive;
    }
}

// Between two adapters.
over! {
    tokio_to_blocking: Tokio to Blocking over Tcp,
    blocking_to_tokio: Blocking to Tokio over Tcp,
    {
        files:
            a_file_goes_up_and_comes_down
            many_files_go_at_once
            a_link_that_is_cut_again_and_again_carries_a_file_both_ways
            another_client_goes_on_where_one_was_closed
            a_server_that_stops_sends_its_clients_away_and_keeps_partial_files;
        messages:
            messages_cross_links_that_are_cut_once_and_in_order
            a_message_sent_without_a_link_waits_for_one
            a_receiver_that_does_not_listen_stops_the_sender_before_memory_grows
            a_session_that_the_server_ends_is_handed_back_and_followed_by_another
            a_client_that_says_goodbye_ends_its_session
            ends_that_do_not_speak_of_messages_say_so;
        verbs:
            either_end_cancels_and_the_other_learns_what_is_left;
    }
}

// What may depend on TLS: how bytes and ends arrive.
over! {
    tokio_tls: Tokio to Tokio over Tls,
    blocking_tls: Blocking to Blocking over Tls,
    {
        files:
            a_file_goes_up_and_comes_down
            many_files_go_at_once
            the_contents_of_a_pipe_arrive
            a_link_that_is_cut_again_and_again_carries_a_file_both_ways
            links_that_carry_a_few_kib_carry_a_file
            a_server_that_stops_sends_its_clients_away_and_keeps_partial_files
            a_ping_is_answered_while_a_file_goes_up_and_fails_without_a_link;
        killed:
            a_client_that_was_killed_goes_on_when_it_is_started_again
            a_server_that_was_killed_goes_on_when_it_is_started_again;
        messages:
            messages_cross_links_that_are_cut_once_and_in_order;
        proxies:
            a_file_crosses_proxies_of_both_kinds;
        secure:
            a_server_with_the_wrong_certificate_is_refused_in_plain_words
            a_server_without_tls_is_recognised
            a_server_that_says_nothing_is_named_when_the_time_is_over
            a_client_without_tls_is_reported_by_the_server
            a_silent_client_is_dropped_when_the_time_is_over
            a_certificate_can_be_replaced_while_connections_live
            a_cut_below_tls_is_distinguished_from_an_end_of_the_server
            a_server_stops_in_time_despite_an_unfinished_handshake;
        stuck:
            a_peer_that_takes_no_more_is_found_dead_and_the_file_goes_on
            a_link_that_carries_nothing_more_is_replaced_before_it_is_found_dead
            a_close_does_not_wait_for_a_peer_that_takes_no_more
            a_server_that_stops_does_not_wait_for_a_client_that_does_not_leave;
    }
}

over! {
    tokio_to_blocking_tls: Tokio to Blocking over Tls,
    blocking_to_tokio_tls: Blocking to Tokio over Tls,
    {
        files:
            many_files_go_at_once
            a_link_that_is_cut_again_and_again_carries_a_file_both_ways;
        messages:
            messages_cross_links_that_are_cut_once_and_in_order;
    }
}
