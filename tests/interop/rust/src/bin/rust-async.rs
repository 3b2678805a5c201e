// SPDX-License-Identifier: Apache-2.0

//! The asynchronous Rust peer: unary calls and streams.
//!
//! The library handles each message of a connection in a task of its own, so on several threads the
//! messages of one stream may overtake each other. That is upstream's race and not what is tested
//! here: the server and the streams of the client run on one thread, where tasks keep their order.
//! The unary calls of the client run on several threads, so that stream ids leave it out of order,
//! as in production.

#[path = "../streams.rs"]
mod streams;

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use interop::asynchronous::echo::*;
use interop::asynchronous::echo_ttrpc::{create_echo, Echo, EchoClient};
use interop::asynchronous::streams_ttrpc::create_streams;
use interop::unary::Peer;
use interop::{arguments, check, service, unary};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use ttrpc::asynchronous::{Client, Server, TtrpcContext};
use ttrpc::context::Context;
use ttrpc::{Error, Request, Response, Result};

struct AsyncPeer {
    runtime: Runtime,
    client: Client,
    echo: EchoClient,
}

macro_rules! forward {
    ($($method:ident: $request:ty => $reply:ty),* $(,)?) => {
        $(fn $method(&self, context: Context, request: &$request) -> Result<$reply> {
            self.runtime.block_on(self.echo.$method(context, request))
        })*
    };
}

impl Peer for AsyncPeer {
    fn request(&self, request: Request) -> Result<Response> {
        self.runtime.block_on(self.client.request(request))
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
    let runtime = Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime");
    let client = {
        let _inside = runtime.enter();
        // SAFETY: the descriptor is a connected Unix socket that nothing else owns.
        unsafe { Client::from_raw_unix_socket_fd(descriptor) }
    };
    Arc::new(AsyncPeer {
        runtime,
        echo: EchoClient::new(client.clone()),
        client,
    })
}

struct Nap {
    begun: watch::Sender<bool>,
    ended: watch::Sender<bool>,
}

#[derive(Default)]
struct EchoServer {
    naps: Mutex<HashMap<String, Arc<Nap>>>,
}

impl EchoServer {
    fn nap(&self, key: &str) -> Arc<Nap> {
        let new = || {
            Arc::new(Nap {
                begun: watch::channel(false).0,
                ended: watch::channel(false).0,
            })
        };
        self.naps
            .lock()
            .unwrap()
            .entry(key.to_string())
            .or_insert_with(new)
            .clone()
    }
}

/// The library ends a handler by dropping it, both on a deadline and at the end of its connection.
struct EndsNap(Arc<Nap>);

impl Drop for EndsNap {
    fn drop(&mut self) {
        self.0.ended.send_replace(true);
    }
}

async fn happened(event: &watch::Sender<bool>) -> Result<Empty> {
    let waited = event
        .subscribe()
        .wait_for(|happened| *happened)
        .await
        .map(|_| ());
    waited
        .map(|()| Empty::new())
        .map_err(|e| Error::Others(e.to_string()))
}

#[async_trait]
impl Echo for EchoServer {
    async fn echo(&self, _: &TtrpcContext, request: EchoRequest) -> Result<EchoReply> {
        Ok(EchoReply {
            payload: request.payload,
            text: request.text,
            ..Default::default()
        })
    }

    async fn nothing(&self, _: &TtrpcContext, _: Empty) -> Result<Empty> {
        Ok(Empty::new())
    }

    async fn fail(&self, _: &TtrpcContext, request: FailRequest) -> Result<Empty> {
        Err(Error::RpcStatus(service::status_of(&request)))
    }

    async fn blob(&self, _: &TtrpcContext, request: BlobRequest) -> Result<EchoReply> {
        Ok(EchoReply {
            payload: vec![0; request.length as usize],
            ..Default::default()
        })
    }

    async fn metadata(&self, context: &TtrpcContext, _: Empty) -> Result<MetadataReply> {
        Ok(service::metadata_reply(&context.metadata))
    }

    async fn sleep(&self, _: &TtrpcContext, request: WaitRequest) -> Result<Empty> {
        let nap = EndsNap(self.nap(&request.key));
        nap.0.begun.send_replace(true);
        pending().await
    }

    async fn began(&self, _: &TtrpcContext, request: WaitRequest) -> Result<Empty> {
        happened(&self.nap(&request.key).begun).await
    }

    async fn ended(&self, _: &TtrpcContext, request: WaitRequest) -> Result<Empty> {
        happened(&self.nap(&request.key).ended).await
    }
}

async fn serve(address: &str) {
    let mut server = Server::new()
        .bind(address)
        .expect("bind")
        .register_service(create_echo(Arc::new(EchoServer::default())))
        .register_service(create_streams(Arc::new(streams::StreamServer)));
    server.start().await.expect("start");
    println!("ready");
    pending::<()>().await;
}

fn main() {
    let arguments = arguments();
    match arguments.command.as_str() {
        "server" => {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(serve(&arguments.address));
        }
        _ => {
            let mut checks = unary::checks(arguments.path(), connect);
            checks.extend(streams::checks(&arguments.address));
            std::process::exit(check::run_suite(&arguments, checks));
        }
    }
}
