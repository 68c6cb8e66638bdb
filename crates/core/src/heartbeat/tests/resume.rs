//! The timeout of a ping after a delay of our own.

use super::*;

/// With a timeout of 20 s, so that a resume probe can be shorter.
const RESUME: &str = "
an unknown path gets five seconds
    1 wake(300) => Resumed(300000), Ping#1 | dead@6
so does a known one, however short: what is lost comes again after a second or two
    10 T => Ping#1; 10.05 pong(1) => rtt=50; 50.05 T => Stalled(30000), Ping#2 | dead@55.05
a long path gets three PTOs
    10 T => Ping#1; 11 pong(1) => rtt=1000; 51 T => Stalled(30000), Ping#2 | dead@60
but no longer than any other ping
    10 T => Ping#1; 12 rx; 22 T => Ping#2; 23 pong(1) => rtt=13000; 63 T => Stalled(30000), Ping#3 | dead@123
behind a full transport it gets all the time that a ping has
    10 T => Ping#1; 10.05 pong(1) => rtt=50; 11 block; 50.05 T => Stalled(30000), Ping#2 | dead@70.05
... and while that drains, all of it anew
    10 T => Ping#1; 10.05 pong(1) => rtt=50; 11 block; 50.05 T => Stalled(30000), Ping#2; 52 flush; 52 block; 60 tx | dead@80
so it does if that has drained just now, and may hold it still beyond our sight
    10 T => Ping#1; 10.05 pong(1) => rtt=50; 11 block; 30.05 tx; 50.05 T => Stalled(30000), Ping#2 | dead@70.05
... but not if that was long ago
    10 T => Ping#1; 10.05 pong(1) => rtt=50; 11 block; 30.049 tx; 50.05 T => Stalled(30000), Ping#2 | dead@55.05
a transport that fills up later is full, too
    1 wake(300) => Resumed(300000), Ping#1; 2 block | dead@21
";

#[test]
fn a_resume_probe_is_short_where_possible() {
    let patient = Config { timeout: Duration::from_secs(20), ..config(Mode::Full) };
    holds(patient, RESUME);
}
