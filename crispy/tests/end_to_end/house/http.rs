//! What a page says, asked as simply as can be.

use std::{
    io::{Read, Write},
    net::{TcpStream, ToSocketAddrs},
};

/// The status and the body of an answer. HTTP/1.0: it ends with the connection.
#[track_caller]
pub(crate) fn get(address: impl ToSocketAddrs, target: &str) -> (u16, Vec<u8>) {
    let mut server = TcpStream::connect(address).expect("somebody listens");
    write!(server, "GET {target} HTTP/1.0\r\n\r\n").expect("ask for a page");
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).expect("read the page");
    let ends = answer.windows(4).position(|window| window == b"\r\n\r\n");
    let body = answer.split_off(ends.expect("an answer has a head") + 4);
    let head = String::from_utf8(answer).expect("a head is text");
    let status = head.split(' ').nth(1).and_then(|text| text.parse().ok());
    (status.unwrap_or_else(|| panic!("no status: {head}")), body)
}
