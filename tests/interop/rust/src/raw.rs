// SPDX-License-Identifier: Apache-2.0

//! A plain socket, for messages that the library refuses to send or would answer itself.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use protobuf::Message;
use ttrpc::{Code, Error, Request, Response};

use crate::asynchronous::echo::{EchoRequest, WaitRequest};
use crate::check::{code_and_text, text, Outcome};
use crate::unary::{payload_for, unique_key, SHORT_DEADLINE};
use crate::MESSAGE_MAX;

fn write_request(mut socket: &UnixStream, id: u32, request: &Request) -> Result<(), String> {
    let data = request.write_to_bytes().map_err(text)?;
    let mut message = (data.len() as u32).to_be_bytes().to_vec();
    message.extend_from_slice(&id.to_be_bytes());
    message.extend_from_slice(&[1, 0]);
    message.extend_from_slice(&data);
    socket.write_all(&message).map_err(text)
}

fn read_response(mut socket: &UnixStream) -> Result<(u32, Result<(), Error>), String> {
    let mut header = [0; 10];
    socket.read_exact(&mut header).map_err(text)?;
    if header[8] != 2 {
        return Err(format!("message type {}", header[8]));
    }
    let number = |at: usize| {
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let mut data = vec![0; number(0) as usize];
    socket.read_exact(&mut data).map_err(text)?;
    let response = Response::parse_from_bytes(&data).map_err(text)?;
    let status = response.status();
    let result = if status.code() == Code::OK {
        Ok(())
    } else {
        Err(Error::RpcStatus(status.clone()))
    };
    Ok((number(4), result))
}

fn request(method: &str, payload: Vec<u8>) -> Request {
    Request {
        service: "interop.v1.Echo".to_string(),
        method: method.to_string(),
        payload,
        ..Default::default()
    }
}

/// Writes a request of one byte more than the maximum, and after it one that must still be
/// answered.
pub fn oversized(path: &str) -> Outcome {
    let socket = UnixStream::connect(path).map_err(text)?;
    let long = EchoRequest {
        payload: vec![0; payload_for(MESSAGE_MAX) + 1],
        ..Default::default()
    };
    write_request(
        &socket,
        1,
        &request("Echo", long.write_to_bytes().map_err(text)?),
    )?;
    write_request(&socket, 3, &request("Echo", Vec::new()))?;
    let (mut outcome, mut later) = (String::new(), "closed");
    for _ in 0..2 {
        match read_response(&socket)? {
            (1, result) => outcome = code_and_text(&result),
            (3, Ok(())) => later = "open",
            (id, result) => return Err(format!("stream {id}: {}", code_and_text(&result))),
        }
    }
    Ok(format!("{outcome}, {later}"))
}

/// Sends a deadline that this side does not enforce, so that the answer comes from the other side.
pub fn deadline(path: &str) -> Outcome {
    let socket = UnixStream::connect(path).map_err(text)?;
    let key = WaitRequest {
        key: unique_key("deadline-wire"),
        ..Default::default()
    };
    let key = key.write_to_bytes().map_err(text)?;
    let sleep = Request {
        timeout_nano: SHORT_DEADLINE,
        ..request("Sleep", key.clone())
    };
    write_request(&socket, 1, &sleep)?;
    let outcome = match read_response(&socket)? {
        (1, result) => crate::check::code(&result),
        (id, _) => return Err(format!("an answer came on stream {id}")),
    };
    write_request(&socket, 3, &request("Ended", key))?;
    match read_response(&socket)? {
        (3, Ok(())) => Ok(format!("{outcome}, open")),
        (id, result) => Err(format!("stream {id}: {}", code_and_text(&result))),
    }
}
