//! What the machine needs for the same bytes without frames.

use std::io::{Read, Write};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Job, LEN, both, on_tokio};
use crate::cpu::Cost;

pub(super) fn tokio(job: &Job) -> Cost {
    let total = job.messages * LEN;
    both(
        job,
        |stream, bodies| {
            on_tokio(stream, async |mut stream| {
                for body in bodies {
                    stream.write_all(body.as_slice()).await.expect("an open stream");
                }
            });
        },
        |stream| {
            on_tokio(stream, async |mut stream| {
                let (mut place, mut received) = (vec![0; LEN], 0);
                while received < total {
                    received += stream.read(&mut place).await.expect("an open stream");
                }
            });
        },
    )
}

pub(super) fn blocking(job: &Job) -> Cost {
    let total = job.messages * LEN;
    both(
        job,
        |mut stream, bodies| {
            for body in bodies {
                stream.write_all(body.as_slice()).expect("an open stream");
            }
        },
        |mut stream| {
            let (mut place, mut received) = (vec![0; LEN], 0);
            while received < total {
                received += stream.read(&mut place).expect("an open stream");
            }
        },
    )
}
