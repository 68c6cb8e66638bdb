//! What the owner of an inline client does with a transfer.

use std::fs;
use std::time::Duration;

use bowline_blocking::{ClientConfig, ServerConfig, TransferError};
use bowline_core::transfer::{Code, Leftover, SafeName, Stage, TransferId};

use crate::common::{Over, within};
use crate::files::Serving;

#[test]
fn an_upload_is_paused_resumed_and_cancelled() {
    within(|| {
        let mut config = ServerConfig::default();
        config.transfer.limit_rate = Some(100_000);
        let (serving, dir) = (Serving::of(Over::Tcp, config), tempfile::tempdir().unwrap());
        let path = dir.path().join("file");
        fs::write(&path, vec![7; 3_000_000]).unwrap();
        let mut client = serving.client_of(ClientConfig::default());
        let id = TransferId::from_bytes([1; 16]);
        let mut upload = client.upload(&path, SafeName::parse("there").unwrap(), id).unwrap();
        upload.pause();
        while !matches!(upload.progress().unwrap().stage, Stage::Paused { .. }) {}
        upload.resume();
        while upload.progress().unwrap().stage != Stage::Moving {}
        upload.cancel(Leftover::Discard);
        let Err(TransferError::Failed(failure)) = upload.finished() else { panic!("it was cancelled") };
        assert_eq!(failure.code, Code::Cancelled);
        assert!(client.drive(Duration::ZERO));
    });
}
