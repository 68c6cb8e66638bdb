//! Messages: what the application sends and receives, whole.

use bytes::{Bytes, BytesMut};

/// A binary message in up to three pieces, so that a header and a checksum can stand around a body that nobody copied.
///
/// On the wire it is one message: the bytes of `head`, `body` and `tail` in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// What comes before the body.
    pub head: Bytes,
    /// The bulk.
    pub body: Bytes,
    /// What comes after the body.
    pub tail: Bytes,
}

impl Parts {
    /// The length of the message in bytes.
    pub fn len(&self) -> usize {
        self.head.len() + self.body.len() + self.tail.len()
    }

    /// Whether the message has no bytes at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The message in one piece: copied, unless only one part holds bytes.
    pub fn into_bytes(self) -> Bytes {
        let mut full = [self.head, self.body, self.tail].into_iter().filter(|part| !part.is_empty());
        match (full.next(), full.next(), full.next()) {
            (None, ..) => Bytes::new(),
            (Some(only), None, _) => only,
            (Some(a), Some(b), c) => {
                let c = c.unwrap_or_default();
                let mut whole = BytesMut::with_capacity(a.len() + b.len() + c.len());
                whole.extend_from_slice(&a);
                whole.extend_from_slice(&b);
                whole.extend_from_slice(&c);
                whole.freeze()
            }
        }
    }
}

impl From<Bytes> for Parts {
    fn from(body: Bytes) -> Self {
        Self { head: Bytes::new(), body, tail: Bytes::new() }
    }
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Bytes.
    Binary(Bytes),
}
