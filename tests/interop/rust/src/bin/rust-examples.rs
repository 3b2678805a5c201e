// SPDX-License-Identifier: Apache-2.0

//! Servers and clients that make the calls of ttrpc-rust's own examples: `sync`, `async` and
//! `stream`. The examples themselves are not in the crate that cargo fetches, so these are written
//! again.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use interop::asynchronous::echo::{EchoReply, Empty, MetadataReply};
use interop::asynchronous::examples_streams_ttrpc::{create_streaming, Streaming, StreamingClient};
use interop::asynchronous::examples_ttrpc as asynchronous;
use interop::asynchronous::streams::{Item, SumReply};
use interop::check::{self, code, code_and_text, text, Check, Outcome, OK};
use interop::synchronous::examples_ttrpc as synchronous;
use interop::{arguments, service};
use tokio::runtime::{Builder, Runtime};
use ttrpc::asynchronous::TtrpcContext;
use ttrpc::asynchronous::{Client, ServerStream, ServerStreamReceiver, ServerStreamSender};
use ttrpc::context::{with_timeout, Context};
use ttrpc::{Error, Result};

/// A client waits 20 ms for a call that takes a second.
const PATIENCE_NANOS: i64 = 20_000_000;
const LONG: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);

struct Server;

fn version() -> EchoReply {
    EchoReply {
        text: "version 1".to_string(),
        ..Default::default()
    }
}

impl synchronous::Health for Server {
    fn check(&self, _: &ttrpc::TtrpcContext, _: Empty) -> Result<Empty> {
        std::thread::sleep(LONG);
        Ok(Empty::new())
    }

    fn version(&self, _: &ttrpc::TtrpcContext, _: Empty) -> Result<EchoReply> {
        Ok(version())
    }
}

impl synchronous::Agent for Server {
    fn list_interfaces(&self, context: &ttrpc::TtrpcContext, _: Empty) -> Result<MetadataReply> {
        Ok(service::metadata_reply(&context.metadata))
    }
}

#[async_trait]
impl asynchronous::Health for Server {
    async fn check(&self, _: &TtrpcContext, _: Empty) -> Result<Empty> {
        tokio::time::sleep(LONG).await;
        Ok(Empty::new())
    }

    async fn version(&self, _: &TtrpcContext, _: Empty) -> Result<EchoReply> {
        Ok(version())
    }
}

#[async_trait]
impl asynchronous::Agent for Server {
    async fn list_interfaces(&self, context: &TtrpcContext, _: Empty) -> Result<MetadataReply> {
        Ok(service::metadata_reply(&context.metadata))
    }
}

fn item(index: u32) -> Item {
    Item {
        index,
        ..Default::default()
    }
}

#[async_trait]
impl Streaming for Server {
    async fn echo(&self, _: &TtrpcContext, request: Item) -> Result<Item> {
        Ok(item(request.index + 1))
    }

    async fn echo_stream(
        &self,
        _: &TtrpcContext,
        mut both: ServerStream<Item, Item>,
    ) -> Result<()> {
        while let Some(received) = both.recv().await? {
            both.send(&item(received.index + 1)).await?;
        }
        Ok(())
    }

    async fn sum(
        &self,
        _: &TtrpcContext,
        mut input: ServerStreamReceiver<Item>,
    ) -> Result<SumReply> {
        let mut reply = SumReply::new();
        while let Some(received) = input.recv().await? {
            reply.count += 1;
            reply.total += u64::from(received.index);
        }
        Ok(reply)
    }

    async fn divide(
        &self,
        _: &TtrpcContext,
        request: SumReply,
        out: ServerStreamSender<Item>,
    ) -> Result<()> {
        let mut left = request.total as u32;
        for parts in (1..=request.count).rev() {
            let part = left / parts;
            out.send(&item(part)).await?;
            left -= part;
        }
        Ok(())
    }

    async fn swallow(
        &self,
        _: &TtrpcContext,
        mut input: ServerStreamReceiver<Item>,
    ) -> Result<Empty> {
        let mut index = 0;
        while let Some(received) = input.recv().await? {
            if received.index != index {
                return Err(Error::Others(format!("item {} came", received.index)));
            }
            index += 1;
        }
        Ok(Empty::new())
    }

    async fn nulls(&self, _: &TtrpcContext, both: ServerStream<Empty, Item>) -> Result<()> {
        let (out, mut input) = both.split();
        let mut tasks = Vec::new();
        while input.recv().await?.is_some() {
            for _ in 0..10 {
                let out = out.clone();
                tasks.push(tokio::spawn(async move { out.send(&Empty::new()).await }));
            }
        }
        for task in tasks {
            task.await.map_err(|e| Error::Others(e.to_string()))??;
        }
        Ok(())
    }

    async fn same(
        &self,
        _: &TtrpcContext,
        request: Item,
        out: ServerStreamSender<Item>,
    ) -> Result<()> {
        out.send(&request).await
    }

    async fn slow(&self, _: &TtrpcContext, _: Empty, out: ServerStreamSender<Item>) -> Result<()> {
        for index in 0..10 {
            tokio::time::sleep(PAUSE).await;
            out.send(&item(index)).await?;
        }
        Ok(())
    }
}

fn metadata() -> Context {
    let mut context = Context::default();
    context.add("interop-one".to_string(), "1".to_string());
    context.add("interop-one".to_string(), "2".to_string());
    context.set("interop-two".to_string(), vec!["3".to_string()]);
    context
}

/// The outcomes of the calls that both unary examples make at once on one connection.
struct Replies {
    late: Result<Empty>,
    listed: Result<MetadataReply>,
    missing: Result<Empty>,
    version: Result<EchoReply>,
}

const REPLIES: &str = "DEADLINE_EXCEEDED; interop-one=1 interop-one=2 interop-two=3; \
    NOT_FOUND /interop.examples.v1.Agent/OnlineCpuMem is not supported; version 1";

impl Replies {
    fn outcome(&self) -> Outcome {
        let listed = match &self.listed {
            Ok(reply) => {
                let pairs = reply.pairs.iter();
                let words: Vec<_> = pairs
                    .map(|pair| format!("{}={}", pair.key, pair.value))
                    .collect();
                words.join(" ")
            }
            failed => code_and_text(failed),
        };
        let version = match &self.version {
            Ok(reply) => reply.text.clone(),
            failed => code_and_text(failed),
        };
        Ok([
            code(&self.late),
            listed,
            code_and_text(&self.missing),
            version,
        ]
        .join("; "))
    }
}

fn sync_calls(address: &str) -> Outcome {
    let client = ttrpc::Client::connect(address).map_err(text)?;
    let health = synchronous::HealthClient::new(client.clone());
    let agent = synchronous::AgentClient::new(client);
    let empty = Empty::new();
    std::thread::scope(|scope| {
        let late = scope.spawn(|| health.check(with_timeout(PATIENCE_NANOS), &empty));
        let listed = scope.spawn(|| agent.list_interfaces(metadata(), &empty));
        let missing = agent.online_cpu_mem(metadata(), &empty);
        let version = health.version(metadata(), &empty);
        let panicked = |_| "a caller panicked".to_string();
        Replies {
            late: late.join().map_err(panicked)?,
            listed: listed.join().map_err(panicked)?,
            missing,
            version,
        }
        .outcome()
    })
}

fn descriptors() -> std::result::Result<usize, String> {
    Ok(std::fs::read_dir("/proc/self/fd").map_err(text)?.count())
}

/// A dropped client closes what it opened, maybe a moment later, since its threads end by
/// themselves.
fn sync_descriptors(address: &str) -> Outcome {
    let before = descriptors()?;
    sync_calls(address)?;
    for _ in 0..500 {
        if descriptors()? == before {
            return Ok(OK.to_string());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(format!(
        "{} descriptors where {before} were",
        descriptors()?
    ))
}

async fn async_calls(address: &str) -> Outcome {
    let client = Client::connect(address).await.map_err(text)?;
    let health = asynchronous::HealthClient::new(client.clone());
    let agent = asynchronous::AgentClient::new(client);
    let empty = Empty::new();
    let (late, listed, missing, version) = tokio::join!(
        health.check(with_timeout(PATIENCE_NANOS), &empty),
        agent.list_interfaces(metadata(), &empty),
        agent.online_cpu_mem(metadata(), &empty),
        health.version(metadata(), &empty),
    );
    Replies {
        late,
        listed,
        missing,
        version,
    }
    .outcome()
}

fn same<T: PartialEq + std::fmt::Debug>(got: T, wanted: T) -> Outcome {
    match got == wanted {
        true => Ok(OK.to_string()),
        false => Err(format!("{got:?} came where {wanted:?} belongs")),
    }
}

async fn echo(client: StreamingClient) -> Outcome {
    let reply = client.echo(metadata(), &item(1)).await.map_err(text)?;
    same(reply.index, 2)
}

async fn echo_stream(client: StreamingClient) -> Outcome {
    let mut stream = client.echo_stream(metadata()).await.map_err(text)?;
    for index in 0..50 {
        stream.send(&item(index)).await.map_err(text)?;
        same(stream.recv().await.map_err(text)?.index, index + 1)?;
    }
    stream.close_send().await.map_err(text)?;
    same(code(&stream.recv().await), "end of stream".to_string())
}

async fn sum(client: StreamingClient) -> Outcome {
    let mut stream = client.sum(metadata()).await.map_err(text)?;
    for index in 0..=200 {
        stream.send(&item(index)).await.map_err(text)?;
    }
    let reply = stream.close_and_recv().await.map_err(text)?;
    same((reply.count, reply.total), (201, 20_100))
}

async fn divide(client: StreamingClient) -> Outcome {
    let request = SumReply {
        count: 30,
        total: 392,
        ..Default::default()
    };
    let mut stream = client.divide(metadata(), &request).await.map_err(text)?;
    let (mut count, mut total) = (0, 0);
    while let Some(part) = stream.recv().await.map_err(text)? {
        count += 1;
        total += u64::from(part.index);
    }
    same((count, total), (request.count, request.total))
}

async fn swallow(client: StreamingClient) -> Outcome {
    let mut stream = client.swallow(metadata()).await.map_err(text)?;
    for index in 0..100 {
        stream.send(&item(index)).await.map_err(text)?;
    }
    same(stream.close_and_recv().await.map_err(text)?, Empty::new())
}

async fn nulls(client: StreamingClient) -> Outcome {
    let (out, mut input) = client.nulls(metadata()).await.map_err(text)?.split();
    let counted = tokio::spawn(async move {
        let mut count = 0;
        loop {
            match input.recv().await {
                Ok(_) => count += 1,
                ended => return (count, code(&ended)),
            }
        }
    });
    for index in 0..100 {
        out.send(&item(index)).await.map_err(text)?;
    }
    out.close_send().await.map_err(text)?;
    same(
        counted.await.map_err(text)?,
        (1000, "end of stream".to_string()),
    )
}

async fn defaults(client: StreamingClient) -> Outcome {
    let mut stream = client.same(metadata(), &item(0)).await.map_err(text)?;
    same(stream.recv().await.map_err(text)?, Some(item(0)))?;
    same(stream.recv().await.map_err(text)?, None)
}

async fn slow(client: StreamingClient) -> Outcome {
    let mut stream = client.slow(metadata(), &Empty::new()).await.map_err(text)?;
    for index in 0..10 {
        same(stream.recv().await.map_err(text)?, Some(item(index)))?;
    }
    same(stream.recv().await.map_err(text)?, None)
}

/// Makes all calls at once on one connection.
async fn stream_calls(address: &str) -> Outcome {
    let client = StreamingClient::new(Client::connect(address).await.map_err(text)?);
    let calls = [
        ("echo", tokio::spawn(echo(client.clone()))),
        ("echo-stream", tokio::spawn(echo_stream(client.clone()))),
        ("sum", tokio::spawn(sum(client.clone()))),
        ("divide", tokio::spawn(divide(client.clone()))),
        ("swallow", tokio::spawn(swallow(client.clone()))),
        ("nulls", tokio::spawn(nulls(client.clone()))),
        ("defaults", tokio::spawn(defaults(client.clone()))),
        ("slow", tokio::spawn(slow(client))),
    ];
    for (name, call) in calls {
        let outcome = call.await.map_err(text)?;
        outcome.map_err(|why| format!("{name}: {why}"))?;
    }
    Ok(OK.to_string())
}

/// On one thread the library keeps the order of a stream's messages.
fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

fn checks(address: &str) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut add = |suite, name, want, run: fn(&str) -> Outcome| {
        let address = address.to_string();
        checks.push(Check {
            suite,
            name,
            want,
            run: Box::new(move || run(&address)),
        });
    };
    add("sync", "sync-calls", REPLIES, sync_calls);
    add("sync", "sync-descriptors", OK, sync_descriptors);
    add("async", "async-calls", REPLIES, |address| {
        runtime().block_on(async_calls(address))
    });
    add("stream", "stream-calls", OK, |address| {
        runtime().block_on(stream_calls(address))
    });
    checks
}

fn serve_sync(address: &str) {
    let health: Arc<dyn synchronous::Health + Send + Sync> = Arc::new(Server);
    let agent: Arc<dyn synchronous::Agent + Send + Sync> = Arc::new(Server);
    let mut server = ttrpc::Server::new()
        .bind(address)
        .expect("bind")
        .register_service(synchronous::create_health(health))
        .register_service(synchronous::create_agent(agent));
    server.start().expect("start");
    println!("ready");
    loop {
        std::thread::park();
    }
}

async fn serve(address: &str) {
    let mut server = ttrpc::asynchronous::Server::new()
        .bind(address)
        .expect("bind")
        .register_service(asynchronous::create_health(Arc::new(Server)))
        .register_service(asynchronous::create_agent(Arc::new(Server)))
        .register_service(create_streaming(Arc::new(Server)));
    server.start().await.expect("start");
    println!("ready");
    std::future::pending::<()>().await;
}

fn main() {
    let arguments = arguments();
    match (arguments.command.as_str(), arguments.suite.as_str()) {
        ("server", "sync") => serve_sync(&arguments.address),
        ("server", _) => runtime().block_on(serve(&arguments.address)),
        _ => std::process::exit(check::run_suite(&arguments, checks(&arguments.address))),
    }
}
