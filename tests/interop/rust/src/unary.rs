// SPDX-License-Identifier: Apache-2.0

//! The checks of unary calls, the same for both libraries. `Peer` hides whether a call blocks a
//! thread or a task.

use std::collections::HashMap;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::SystemTime;

use protobuf::Message;
use ttrpc::context::{with_metadata, with_timeout, Context};
use ttrpc::{Error, Request, Response, Result};

use crate::asynchronous::echo::*;
use crate::check::{code, code_and_text, text, Check, Outcome, OK};
use crate::{pattern, raw, DETAIL_TYPE, MESSAGE_MAX};

/// The deadline is short, to save time. No check measures how long it took.
pub const SHORT_DEADLINE: i64 = 200_000_000;

pub trait Peer: Send + Sync {
    fn request(&self, request: Request) -> Result<Response>;
    fn echo(&self, context: Context, request: &EchoRequest) -> Result<EchoReply>;
    fn nothing(&self, context: Context, request: &Empty) -> Result<Empty>;
    fn fail(&self, context: Context, request: &FailRequest) -> Result<Empty>;
    fn blob(&self, context: Context, request: &BlobRequest) -> Result<EchoReply>;
    fn metadata(&self, context: Context, request: &Empty) -> Result<MetadataReply>;
    fn sleep(&self, context: Context, request: &WaitRequest) -> Result<Empty>;
    fn began(&self, context: Context, request: &WaitRequest) -> Result<Empty>;
    fn ended(&self, context: Context, request: &WaitRequest) -> Result<Empty>;
}

/// Makes a peer from a connected descriptor, which the peer then owns.
pub type Connect = fn(i32) -> Arc<dyn Peer>;

fn dial(path: &str, connect: Connect) -> std::result::Result<Arc<dyn Peer>, String> {
    let socket = UnixStream::connect(path).map_err(text)?;
    Ok(connect(socket.into_raw_fd()))
}

pub fn checks(path: &str, connect: Connect) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut add = |name, want, run: Box<dyn Fn() -> Outcome>| {
        checks.push(Check {
            suite: "unary",
            name,
            want,
            run,
        })
    };
    let with = |run: fn(&Arc<dyn Peer>) -> Outcome| -> Box<dyn Fn() -> Outcome> {
        let path = path.to_string();
        Box::new(move || run(&dial(&path, connect)?))
    };
    let on_path = |run: fn(&str) -> Outcome| -> Box<dyn Fn() -> Outcome> {
        let path = path.to_string();
        Box::new(move || run(&path))
    };
    add("echo-empty", OK, with(|peer| echo_of(peer, 0)));
    add("echo-1", OK, with(|peer| echo_of(peer, 1)));
    add("echo-64k", OK, with(|peer| echo_of(peer, 64 << 10)));
    add(
        "echo-4m",
        OK,
        with(|peer| echo_of(peer, payload_for(MESSAGE_MAX))),
    );
    add(
        "nothing",
        OK,
        with(|peer| Ok(code(&peer.nothing(Context::default(), &Empty::new())))),
    );
    add(
        "oversized-call",
        "refused by the library, open",
        with(oversized_call),
    );
    add(
        "oversized-raw",
        "RESOURCE_EXHAUSTED message length 4194305 exceed maximum message size of 4194304, open",
        on_path(raw::oversized),
    );
    add(
        "oversized-reply",
        "RESOURCE_EXHAUSTED, open",
        with(oversized_reply),
    );
    add(
        "unknown-service",
        "UNIMPLEMENTED service interop.v1.Missing",
        with(unknown_service),
    );
    add(
        "unknown-method",
        "UNIMPLEMENTED method Missing",
        with(unknown_method),
    );
    add("status", OK, with(statuses));
    add("metadata", OK, with(metadata));
    add("metadata-reserved", "dropped", with(metadata_reserved));
    add("deadline", "DEADLINE_EXCEEDED, open", with(deadline));
    add(
        "deadline-wire",
        "DEADLINE_EXCEEDED, open",
        on_path(raw::deadline),
    );
    let cancelled = path.to_string();
    add("cancel", OK, Box::new(move || cancel(&cancelled, connect)));
    add("concurrent", OK, with(concurrent));
    checks
}

/// Returns the payload whose request envelope has exactly this many bytes.
pub fn payload_for(envelope: usize) -> usize {
    let mut length = envelope - 64;
    loop {
        let payload = EchoRequest {
            payload: vec![0; length],
            ..Default::default()
        };
        let request = Request {
            service: "interop.v1.Echo".to_string(),
            method: "Echo".to_string(),
            payload: payload.write_to_bytes().unwrap(),
            ..Default::default()
        };
        match request.compute_size() as usize {
            size if size == envelope => return length,
            size => length = length + envelope - size,
        }
    }
}

pub fn unique_key(name: &str) -> String {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    format!("{name}-{}-{}", std::process::id(), now.as_nanos())
}

/// Adds to an outcome whether the connection still carries a call.
pub fn open(outcome: String, peer: &Arc<dyn Peer>) -> Outcome {
    if outcome == "closed" {
        return Ok(outcome);
    }
    let request = EchoRequest {
        text: "still there".to_string(),
        ..Default::default()
    };
    match peer.echo(Context::default(), &request) {
        Ok(reply) if reply.text == request.text => Ok(outcome + ", open"),
        Ok(reply) => Err(format!("a later echo brought {:?}", reply.text)),
        failed => Ok(format!("{outcome}, then {}", code(&failed))),
    }
}

fn echo_of(peer: &Arc<dyn Peer>, length: usize) -> Outcome {
    let request = EchoRequest {
        payload: pattern(length, 1),
        ..Default::default()
    };
    match peer.echo(Context::default(), &request) {
        Ok(reply) if reply.payload == request.payload => Ok(OK.to_string()),
        Ok(reply) => Err(format!(
            "{} bytes came back, and not those that were sent",
            reply.payload.len()
        )),
        failed => Ok(code(&failed)),
    }
}

fn oversized_call(peer: &Arc<dyn Peer>) -> Outcome {
    let request = EchoRequest {
        payload: vec![0; payload_for(MESSAGE_MAX) + 1],
        ..Default::default()
    };
    let result = peer.echo(Context::default(), &request);
    open(code_and_text(&result), peer)
}

fn oversized_reply(peer: &Arc<dyn Peer>) -> Outcome {
    let request = BlobRequest {
        length: MESSAGE_MAX as u32,
        ..Default::default()
    };
    open(code(&peer.blob(Context::default(), &request)), peer)
}

fn plain_request(service: &str, method: &str) -> Request {
    Request {
        service: service.to_string(),
        method: method.to_string(),
        ..Default::default()
    }
}

fn unknown_service(peer: &Arc<dyn Peer>) -> Outcome {
    Ok(code_and_text(
        &peer.request(plain_request("interop.v1.Missing", "Echo")),
    ))
}

fn unknown_method(peer: &Arc<dyn Peer>) -> Outcome {
    Ok(code_and_text(
        &peer.request(plain_request("interop.v1.Echo", "Missing")),
    ))
}

fn statuses(peer: &Arc<dyn Peer>) -> Outcome {
    for number in 1..=16 {
        let request = FailRequest {
            code: number,
            message: format!("wörds of {number}"),
            detail: "dëtail".to_string(),
            ..Default::default()
        };
        let status = match peer.fail(Context::default(), &request) {
            Err(Error::RpcStatus(status)) => status,
            other => return Err(format!("code {number} came as {other:?}")),
        };
        let detail = EchoReply {
            text: request.detail,
            ..Default::default()
        };
        let whole = status.code.value() == number
            && status.message == request.message
            && status.details.len() == 1
            && status.details[0].type_url == DETAIL_TYPE
            && status.details[0].value == detail.write_to_bytes().map_err(text)?;
        if !whole {
            return Err(format!("code {number} came as {status:?}"));
        }
    }
    Ok(OK.to_string())
}

fn pairs_seen(peer: &Arc<dyn Peer>, sent: &[(&str, &[&str])], prefix: &str) -> Outcome {
    let sent: HashMap<String, Vec<String>> = sent
        .iter()
        .map(|(key, values)| {
            (
                key.to_string(),
                values.iter().map(|v| v.to_string()).collect(),
            )
        })
        .collect();
    let reply = peer
        .metadata(with_metadata(sent), &Empty::new())
        .map_err(text)?;
    let seen = reply
        .pairs
        .iter()
        .filter(|pair| pair.key.starts_with(prefix));
    Ok(seen
        .map(|pair| format!("{}={}", pair.key, pair.value))
        .collect::<Vec<_>>()
        .join(" "))
}

fn metadata(peer: &Arc<dyn Peer>) -> Outcome {
    let sent: &[(&str, &[&str])] = &[
        ("interop-one", &["1", "zwölf", ""]),
        ("interop-two", &["2"]),
    ];
    let seen = pairs_seen(peer, sent, "interop-")?;
    let want = "interop-one=1 interop-one=zwölf interop-one= interop-two=2";
    if seen == want {
        Ok(OK.to_string())
    } else {
        Err(format!("{seen:?}, expected {want:?}"))
    }
}

/// The prefix belongs to the proxy, in upper and lower case. A client's entries with it never reach
/// a server.
fn metadata_reserved(peer: &Arc<dyn Peer>) -> Outcome {
    let sent: &[(&str, &[&str])] = &[
        ("ttrpc-proxy-uid", &["forged"]),
        ("TTRPC-Proxy-Gid", &["forged"]),
    ];
    let passed = pairs_seen(peer, sent, "")?.contains("forged");
    Ok(if passed { "passed" } else { "dropped" }.to_string())
}

/// Also checks that the server's side of the call has ended.
fn deadline(peer: &Arc<dyn Peer>) -> Outcome {
    let request = WaitRequest {
        key: unique_key("deadline"),
        ..Default::default()
    };
    let outcome = open(
        code(&peer.sleep(with_timeout(SHORT_DEADLINE), &request)),
        peer,
    )?;
    peer.ended(Context::default(), &request).map_err(text)?;
    Ok(outcome)
}

/// The protocol cancels a call only by closing its connection, and the close must reach the server.
fn cancel(path: &str, connect: Connect) -> Outcome {
    let request = WaitRequest {
        key: unique_key("cancel"),
        ..Default::default()
    };
    let watcher = dial(path, connect)?;
    let socket = UnixStream::connect(path).map_err(text)?;
    // This is a second descriptor of the same socket: the library closes its own only after its
    // last call.
    let handle = socket.try_clone().map_err(text)?;
    let sleeper = connect(socket.into_raw_fd());
    let sleeping = {
        let request = request.clone();
        std::thread::spawn(move || code(&sleeper.sleep(Context::default(), &request)))
    };
    watcher.began(Context::default(), &request).map_err(text)?;
    handle.shutdown(std::net::Shutdown::Both).map_err(text)?;
    match sleeping.join() {
        Ok(outcome) if outcome == "closed" => {
            Ok(code(&watcher.ended(Context::default(), &request)))
        }
        other => Err(format!(
            "the call on the closed connection ended with {other:?}"
        )),
    }
}

fn concurrent(peer: &Arc<dyn Peer>) -> Outcome {
    let callers: Vec<_> = (0..32usize)
        .map(|caller| {
            let peer = peer.clone();
            std::thread::spawn(move || caller_of_many(&peer, caller))
        })
        .collect();
    let outcomes: Vec<Outcome> = callers
        .into_iter()
        .map(|c| c.join().map_err(|_| "panic".to_string())?)
        .collect();
    outcomes
        .into_iter()
        .find(|o| o.as_deref() != Ok(OK))
        .unwrap_or(Ok(OK.to_string()))
}

fn caller_of_many(peer: &Arc<dyn Peer>, caller: usize) -> Outcome {
    for call in 0..50 {
        let request = EchoRequest {
            text: format!("caller {caller} call {call}"),
            payload: pattern(caller * call, caller as u8),
            ..Default::default()
        };
        match peer.echo(Context::default(), &request) {
            Ok(reply) if reply.text == request.text && reply.payload == request.payload => {}
            Ok(reply) => return Err(format!("{} got the reply of {}", request.text, reply.text)),
            failed => return Ok(code_and_text(&failed)),
        }
    }
    Ok(OK.to_string())
}
