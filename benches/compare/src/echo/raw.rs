//! Returns what arrives.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Both, Job, LEN, Sample, both, on_tokio};
use crate::stream::Counted;

pub(super) fn tokio(job: &Job) -> Option<Sample> {
    let job = *job;
    let calls = Both::default();
    let (of_client, of_server) = (Arc::clone(&calls.client), Arc::clone(&calls.server));
    let all = job.messages * LEN;
    let cost = both(
        job,
        move |streams| {
            on_tokio(streams, async move |stream| {
                let mut stream = Counted::new(stream, &of_client);
                let mut place = [7; 4096];
                let first = job.in_flight * LEN;
                stream.write_all(&place[..first]).await.expect("an open stream");
                let (mut sent, mut received) = (first, 0);
                while received < all {
                    let n = stream.read(&mut place).await.expect("an open stream");
                    received += n;
                    let again = n.min(all - sent);
                    stream.write_all(&place[..again]).await.expect("an open stream");
                    sent += again;
                }
            });
        },
        move |streams| {
            on_tokio(streams, async move |stream| {
                let mut stream = Counted::new(stream, &of_server);
                let (mut place, mut received) = ([0; 4096], 0);
                while received < all {
                    let n = stream.read(&mut place).await.expect("an open stream");
                    stream.write_all(&place[..n]).await.expect("an open stream");
                    received += n;
                }
            });
        },
    );
    Some(Sample { cost, calls: Some(calls) })
}
