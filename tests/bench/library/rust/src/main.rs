// SPDX-License-Identifier: Apache-2.0

//! The echo server, as one would write it: a runtime with as many threads as there are CPUs. Usage:
//! bench-echo SOCKET

mod generated {
    include!(concat!(env!("OUT_DIR"), "/generated.rs"));
}

use std::future::pending;
use std::sync::Arc;

use async_trait::async_trait;
use generated::echo::EchoMessage;
use generated::echo_ttrpc::{create_echo, Echo};
use tokio::runtime::Builder;
use ttrpc::asynchronous::{Server, TtrpcContext};
use ttrpc::Result;

struct EchoServer;

#[async_trait]
impl Echo for EchoServer {
    async fn echo(&self, _: &TtrpcContext, request: EchoMessage) -> Result<EchoMessage> {
        Ok(request)
    }

    async fn wait(&self, _: &TtrpcContext, _: EchoMessage) -> Result<EchoMessage> {
        pending().await
    }
}

async fn serve(path: &str) {
    let mut server = Server::new()
        .bind(&format!("unix://{path}"))
        .expect("bind")
        .register_service(create_echo(Arc::new(EchoServer)));
    server.start().await.expect("start");
    pending::<()>().await;
}

fn main() {
    let path = std::env::args().nth(1).expect("usage: bench-echo SOCKET");
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(serve(&path));
}
