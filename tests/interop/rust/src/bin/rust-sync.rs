// SPDX-License-Identifier: Apache-2.0

//! The synchronous Rust peer: unary calls only.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use interop::asynchronous::echo::*;
use interop::synchronous::echo_ttrpc::{create_echo, Echo, EchoClient};
use interop::unary::Peer;
use interop::{arguments, check, service, unary};
use ttrpc::context::Context;
use ttrpc::error::get_rpc_status;
use ttrpc::{Client, Code, Error, Request, Response, Result, Server, TtrpcContext};

struct SyncPeer {
    client: Client,
    echo: EchoClient,
}

macro_rules! forward {
    ($($method:ident: $request:ty => $reply:ty),* $(,)?) => {
        $(fn $method(&self, context: Context, request: &$request) -> Result<$reply> {
            self.echo.$method(context, request)
        })*
    };
}

impl Peer for SyncPeer {
    fn request(&self, request: Request) -> Result<Response> {
        self.client.request(request)
    }
    forward! {
        echo: EchoRequest => EchoReply,
        nothing: Empty => Empty,
        fail: FailRequest => Empty,
        blob: BlobRequest => EchoReply,
        metadata: Empty => MetadataReply,
        sleep: WaitRequest => Empty,
        began: WaitRequest => Empty,
        ended: WaitRequest => Empty,
    }
}

fn connect(descriptor: i32) -> Arc<dyn Peer> {
    let client = Client::new(descriptor).expect("a client on a connected socket");
    Arc::new(SyncPeer {
        echo: EchoClient::new(client.clone()),
        client,
    })
}

#[derive(Clone, Copy, Default)]
struct Nap {
    begun: bool,
    ended: bool,
}

#[derive(Default)]
struct EchoServer {
    naps: Mutex<HashMap<String, Nap>>,
    changed: Condvar,
}

impl EchoServer {
    fn change(&self, key: &str, change: fn(&mut Nap)) {
        change(
            self.naps
                .lock()
                .unwrap()
                .entry(key.to_string())
                .or_default(),
        );
        self.changed.notify_all();
    }

    fn wait(&self, key: &str, happened: fn(Nap) -> bool) -> Result<Empty> {
        let naps = self.naps.lock().unwrap();
        let _naps = self
            .changed
            .wait_while(naps, |naps| {
                !naps.get(key).is_some_and(|nap| happened(*nap))
            })
            .unwrap();
        Ok(Empty::new())
    }
}

impl Echo for EchoServer {
    fn echo(&self, _: &TtrpcContext, request: EchoRequest) -> Result<EchoReply> {
        Ok(EchoReply {
            payload: request.payload,
            text: request.text,
            ..Default::default()
        })
    }

    fn nothing(&self, _: &TtrpcContext, _: Empty) -> Result<Empty> {
        Ok(Empty::new())
    }

    fn fail(&self, _: &TtrpcContext, request: FailRequest) -> Result<Empty> {
        Err(Error::RpcStatus(service::status_of(&request)))
    }

    fn blob(&self, _: &TtrpcContext, request: BlobRequest) -> Result<EchoReply> {
        Ok(EchoReply {
            payload: vec![0; request.length as usize],
            ..Default::default()
        })
    }

    fn metadata(&self, context: &TtrpcContext, _: Empty) -> Result<MetadataReply> {
        Ok(service::metadata_reply(&context.metadata))
    }

    fn sleep(&self, context: &TtrpcContext, request: WaitRequest) -> Result<Empty> {
        self.change(&request.key, |nap| nap.begun = true);
        // The library does not enforce a deadline for a handler; the end of the connection ends
        // this channel.
        let late = match context.timeout_nano {
            0 => context.cancel_rx.recv().is_ok(),
            nanos => context
                .cancel_rx
                .recv_timeout(Duration::from_nanos(nanos as u64))
                .is_err_and(|e| e.is_timeout()),
        };
        self.change(&request.key, |nap| nap.ended = true);
        let code = if late {
            Code::DEADLINE_EXCEEDED
        } else {
            Code::CANCELLED
        };
        Err(get_rpc_status(code, "slept until the end"))
    }

    fn began(&self, _: &TtrpcContext, request: WaitRequest) -> Result<Empty> {
        self.wait(&request.key, |nap| nap.begun)
    }

    fn ended(&self, _: &TtrpcContext, request: WaitRequest) -> Result<Empty> {
        self.wait(&request.key, |nap| nap.ended)
    }
}

fn serve(address: &str) {
    let service: Arc<dyn Echo + Send + Sync> = Arc::new(EchoServer::default());
    let mut server = Server::new()
        .bind(address)
        .expect("bind")
        .register_service(create_echo(service));
    server.start().expect("start");
    println!("ready");
    loop {
        std::thread::park();
    }
}

fn main() {
    let arguments = arguments();
    match arguments.command.as_str() {
        "server" => serve(&arguments.address),
        _ => {
            let checks = unary::checks(arguments.path(), connect);
            std::process::exit(check::run_suite(&arguments, checks));
        }
    }
}
