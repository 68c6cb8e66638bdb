//! What is refused, as one table: the bytes, which of them proves it, and the Close with which a connection answers.

use super::*;
use crate::connection::{Config, Connection};
use crate::table::{self, Table};
use crate::{Close, Instant};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

const LEGEND: &str = "\
What is refused, and by which Close. Limits here: 1000 bytes in a frame, 1500 bytes and 3 fragments in a message. At:
how many bytes are enough to know; nothing more is waited for.

";

/// The receiver, what the frames contain, and their first bytes.
const CASES: [(Role, &str, &[u8]); 35] = [
    (Role::Client, "RSV1", b"\xc1\x00"),
    (Role::Client, "RSV2", b"\xa1\x00"),
    (Role::Client, "RSV3", b"\x91\x00"),
    (Role::Client, "RSV1 to RSV3", b"\xf8\x00"),
    (Role::Client, "opcode 3", b"\x83\x00"),
    (Role::Client, "opcode 7", b"\x87\x00"),
    (Role::Client, "opcode 11", b"\x8b\x00"),
    (Role::Client, "opcode 15", b"\x8f\x00"),
    (Role::Client, "Close without FIN", b"\x08\x00"),
    (Role::Client, "Ping without FIN", b"\x09\x00"),
    (Role::Client, "Pong without FIN", b"\x0a\x00"),
    (Role::Client, "Close of 126 bytes", b"\x88\x7e\x00\x7e"),
    (Role::Client, "Ping of 65536 bytes", b"\x89\x7f\0\0\0\0\0\x01\0\0"),
    (Role::Client, "last fragment, alone", b"\x80\x00"),
    (Role::Client, "fragment, alone", b"\x00\x00"),
    (Role::Client, "text inside a text", b"\x01\x00\x89\x00\x81\x00"),
    (Role::Client, "binary inside a text", b"\x01\x00\x02\x00"),
    (Role::Client, "masked text", b"\x81\x80\0\0\0\0"),
    (Role::Client, "masked Ping", b"\x89\x80\0\0\0\0"),
    (Role::Server, "unmasked text", b"\x81\x00"),
    (Role::Server, "unmasked Close", b"\x88\x00"),
    (Role::Client, "125 in two bytes", b"\x82\x7e\x00\x7d"),
    (Role::Client, "65535 in eight bytes", b"\x82\x7f\0\0\0\0\0\0\xff\xff"),
    (Role::Client, "length 2^63", b"\x82\x7f\x80\0\0\0\0\0\0\0"),
    (Role::Client, "length 2^63 - 1", b"\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff"),
    (Role::Client, "frame of 1001 bytes", b"\x82\x7e\x03\xe9"),
    (Role::Client, "fourth fragment", b"\x02\x00\x00\x00\x00\x00\x00\x00"),
    (Role::Client, "byte that is no UTF-8", b"\x81\x05ab\xffde"),
    (Role::Client, "half of a surrogate", b"\x81\x03\xed\xa0\x80"),
    (Role::Client, "character cut short", b"\x81\x02a\xc3"),
    (Role::Client, "... by a fragment", b"\x01\x01\xe2\x80\x01\x28"),
    (Role::Client, "Close of one byte", b"\x88\x01\x03"),
    (Role::Client, "Close 1005", b"\x88\x02\x03\xed"),
    (Role::Client, "Close 5000", b"\x88\x02\x13\x88"),
    (Role::Client, "reason not UTF-8", b"\x88\x03\x03\xe8\xff"),
];

/// The first Close that this end writes, and after how many input bytes it does.
fn refusal(role: Role, bytes: &[u8]) -> Option<(usize, Close)> {
    let limits = Limits { frame: Some(1000), message: Some(1500), fragments: Some(3) };
    let config = Config { limits, ..Config::default() };
    let mut connection = match role {
        Role::Client => Connection::client(config, [1; 32], Instant::ZERO),
        Role::Server => Connection::server(config, [1; 32], Instant::ZERO),
    };
    for (at, byte) in bytes.iter().enumerate() {
        connection.handle_input(Instant::ZERO, &[*byte]);
        let written: Vec<u8> = connection.outputs().collect::<Vec<_>>().concat();
        let peer = if role == Role::Client { Role::Server } else { Role::Client };
        let mut decoder = Decoder::new(peer, &Limits::default());
        decoder.push(&written);
        while let Some(header) = decoder.decode().expect("we write frames") {
            if header.opcode == Opcode::Close {
                return Some((at + 1, Close::decode(decoder.payload()).0));
            }
        }
    }
    None
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

fn print() -> String {
    let mut table = Table::new(["to a", "bytes", "at", "Close", ""]);
    let row = |table: &mut Table, role, name: &str, bytes: &[u8], shown: String| {
        let (at, close) = refusal(role, bytes).unwrap_or_else(|| panic!("{name} is not refused"));
        let role = format!("{role:?}").to_lowercase();
        table.row(
            name,
            [role, shown, at.to_string(), close.code().as_u16().to_string(), close.reason().into()],
        );
    };
    for (role, name, bytes) in CASES {
        row(&mut table, role, name, bytes, hex(bytes));
    }
    let long = [&b"\x02\x7e\x03\xe8"[..], &[0; 1000], b"\x80\x7e\x01\xf5"].concat();
    row(&mut table, Role::Client, "message of 1501 bytes", &long, "02 7e 03 e8 ... 80 7e 01 f5".into());
    LEGEND.to_string() + &table.to_string()
}

#[test]
fn refusals_match_the_table() {
    table::check("frame/refusals.txt", &print());
}
