// SPDX-License-Identifier: Apache-2.0

//! The streaming service and its checks, for the asynchronous library only.

use std::future::Future;
use std::pin::Pin;

use async_trait::async_trait;
use interop::asynchronous::echo::{EchoRequest, Empty, Pair};
use interop::asynchronous::echo_ttrpc::EchoClient;
use interop::asynchronous::streams::{Item, RangeRequest, SumReply};
use interop::asynchronous::streams_ttrpc::{Streams, StreamsClient};
use interop::check::{code, text, Check, Outcome, OK};
use interop::unary::SHORT_DEADLINE;
use interop::{pattern, service, MESSAGE_MAX};
use protobuf::{EnumOrUnknown, Message};
use tokio::runtime::Builder;
use ttrpc::asynchronous::{CSReceiver, CSSender, Client, TtrpcContext};
use ttrpc::asynchronous::{ServerStream, ServerStreamReceiver, ServerStreamSender};
use ttrpc::context::{with_timeout, Context};
use ttrpc::{Code, Error, Request, Result, Status};

/// The last item of a chat carries this, which distinguishes it from an echo.
const LAST_WORDS: &[u8] = b"last";

pub struct StreamServer;

/// Whether an item asks the server to end its stream, and with which status.
fn early(item: &Item) -> Option<Result<()>> {
    match item.end {
        0 => None,
        end if end < 0 => Some(Ok(())),
        end => {
            let mut status = Status::new();
            status.code = EnumOrUnknown::from_i32(end);
            status.message = "ended early".to_string();
            Some(Err(Error::RpcStatus(status)))
        }
    }
}

#[async_trait]
impl Streams for StreamServer {
    async fn range(
        &self,
        _: &TtrpcContext,
        request: RangeRequest,
        out: ServerStreamSender<Item>,
    ) -> Result<()> {
        for index in 0..request.count {
            let payload = pattern(request.length as usize, index as u8);
            out.send(&Item {
                index,
                payload,
                ..Default::default()
            })
            .await?;
        }
        Ok(())
    }

    async fn sum(
        &self,
        _: &TtrpcContext,
        mut input: ServerStreamReceiver<Item>,
    ) -> Result<SumReply> {
        let mut reply = SumReply::new();
        while let Some(item) = input.recv().await? {
            if let Some(end) = early(&item) {
                return end.map(|()| reply);
            }
            reply.count += 1;
            reply.total += u64::from(item.index);
        }
        Ok(reply)
    }

    async fn chat(&self, _: &TtrpcContext, mut both: ServerStream<Item, Item>) -> Result<()> {
        let mut count = 0;
        while let Some(item) = both.recv().await? {
            if let Some(end) = early(&item) {
                return end;
            }
            both.send(&item).await?;
            count += 1;
        }
        both.send(&Item {
            index: count,
            payload: LAST_WORDS.to_vec(),
            ..Default::default()
        })
        .await
    }

    async fn nothings(
        &self,
        _: &TtrpcContext,
        _: Empty,
        out: ServerStreamSender<Empty>,
    ) -> Result<()> {
        for _ in 0..3 {
            out.send(&Empty::new()).await?;
        }
        Ok(())
    }

    async fn count(
        &self,
        _: &TtrpcContext,
        mut input: ServerStreamReceiver<Empty>,
    ) -> Result<SumReply> {
        let mut reply = SumReply::new();
        while input.recv().await?.is_some() {
            reply.count += 1;
        }
        Ok(reply)
    }

    async fn metadata(
        &self,
        context: &TtrpcContext,
        _: Empty,
        out: ServerStreamSender<Pair>,
    ) -> Result<()> {
        for pair in service::metadata_reply(&context.metadata).pairs {
            out.send(&pair).await?;
        }
        Ok(())
    }
}

type Pending = Pin<Box<dyn Future<Output = Outcome>>>;

pub fn checks(address: &str) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut add = |name, want, run: fn(Client) -> Pending| {
        let address = address.to_string();
        let run = move || {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(text)?;
            runtime.block_on(async { run(Client::connect(&address).await.map_err(text)?).await })
        };
        checks.push(Check {
            suite: "streams",
            name,
            want,
            run: Box::new(run),
        });
    };
    add("range-0", OK, |client| Box::pin(range_of(client, 0)));
    add("range-1", OK, |client| Box::pin(range_of(client, 1)));
    add("range-1000", OK, |client| Box::pin(range_of(client, 1000)));
    add("sum-0", OK, |client| Box::pin(sum_of(client, 0)));
    add("sum-1", OK, |client| Box::pin(sum_of(client, 1)));
    add("sum-1000", OK, |client| Box::pin(sum_of(client, 1000)));
    add("chat-0", OK, |client| Box::pin(chat(client, 0)));
    add("chat-1", OK, |client| Box::pin(chat(client, 1)));
    add("chat-1000", OK, |client| Box::pin(chat(client, 1000)));
    add("half-close", OK, |client| Box::pin(half_close(client)));
    add("nothings", OK, |client| Box::pin(nothings(client)));
    add("count", OK, |client| Box::pin(count(client)));
    add("chat-4m", OK, |client| Box::pin(chat_4m(client)));
    add("chat-oversized", "refused by the library, open", |client| {
        Box::pin(chat_oversized(client))
    });
    add("range-oversized", "RESOURCE_EXHAUSTED, open", |client| {
        Box::pin(range_oversized(client))
    });
    add("early-end", "end of stream, open", |client| {
        Box::pin(early_end(client, -1))
    });
    add("early-status", "RESOURCE_EXHAUSTED, open", |client| {
        Box::pin(early_end(client, Code::RESOURCE_EXHAUSTED as i32))
    });
    add("early-sum", "RESOURCE_EXHAUSTED, open", |client| {
        Box::pin(early_sum(client))
    });
    add("chats-at-once", OK, |client| {
        Box::pin(chats_at_once(client))
    });
    add("stream-metadata", OK, |client| {
        Box::pin(stream_metadata(client))
    });
    add("stream-deadline", "DEADLINE_EXCEEDED, open", |client| {
        Box::pin(stream_deadline(client))
    });
    checks
}

fn okay() -> Outcome {
    Ok(OK.to_string())
}

/// Adds to an outcome whether the connection still carries a call.
async fn open(outcome: String, client: Client) -> Outcome {
    if outcome == "closed" {
        return Ok(outcome);
    }
    let request = EchoRequest {
        text: "still there".to_string(),
        ..Default::default()
    };
    match EchoClient::new(client)
        .echo(Context::default(), &request)
        .await
    {
        Ok(reply) if reply.text == request.text => Ok(outcome + ", open"),
        Ok(reply) => Err(format!("a later echo brought {:?}", reply.text)),
        failed => Ok(format!("{outcome}, then {}", code(&failed))),
    }
}

fn same_item(got: &Item, index: u32, payload: &[u8]) -> std::result::Result<(), String> {
    if got.index == index && got.payload == payload {
        return Ok(());
    }
    let (bytes, wanted) = (got.payload.len(), payload.len());
    Err(format!(
        "item {} with {bytes} bytes came where item {index} with {wanted} bytes belongs",
        got.index
    ))
}

async fn range_of(client: Client, count: u32) -> Outcome {
    let request = RangeRequest {
        count,
        length: 100,
        ..Default::default()
    };
    let mut stream = StreamsClient::new(client)
        .range(Context::default(), &request)
        .await
        .map_err(text)?;
    for index in 0..count {
        let item = stream
            .recv()
            .await
            .map_err(text)?
            .ok_or(format!("the stream ended at item {index}"))?;
        same_item(&item, index, &pattern(100, index as u8))?;
    }
    match stream.recv().await {
        Ok(None) => okay(),
        other => Err(format!("{other:?} where the stream should end")),
    }
}

async fn sum_of(client: Client, count: u32) -> Outcome {
    let mut stream = StreamsClient::new(client)
        .sum(Context::default())
        .await
        .map_err(text)?;
    for index in 1..=count {
        stream
            .send(&Item {
                index,
                ..Default::default()
            })
            .await
            .map_err(text)?;
    }
    let total = (1..=u64::from(count)).sum::<u64>();
    match stream.close_and_recv().await {
        Ok(reply) if reply.count == count && reply.total == total => okay(),
        Ok(reply) => Err(format!(
            "the server counted {} items, sum {}",
            reply.count, reply.total
        )),
        failed => Ok(code(&failed)),
    }
}

fn chat_item(index: u32) -> Item {
    Item {
        index,
        payload: pattern(index as usize % 200, index as u8),
        ..Default::default()
    }
}

async fn send_all(out: &CSSender<Item>, count: u32) -> std::result::Result<(), String> {
    for index in 1..=count {
        out.send(&chat_item(index)).await.map_err(text)?;
    }
    out.close_send().await.map_err(text)
}

async fn receive_all(input: &mut CSReceiver<Item>, count: u32) -> Outcome {
    for index in 1..=count {
        same_item(
            &input.recv().await.map_err(text)?,
            index,
            &chat_item(index).payload,
        )?;
    }
    same_item(&input.recv().await.map_err(text)?, count, LAST_WORDS)?;
    match input.recv().await {
        Err(Error::Eof) => okay(),
        other => Err(format!("{other:?} where the stream should end")),
    }
}

async fn chat(client: Client, count: u32) -> Outcome {
    let stream = StreamsClient::new(client)
        .chat(Context::default())
        .await
        .map_err(text)?;
    let (out, mut input) = stream.split();
    let (sent, received) = tokio::join!(send_all(&out, count), receive_all(&mut input, count));
    sent.and(received)
}

/// Closes its side before it reads anything, and must still receive all answers.
async fn half_close(client: Client) -> Outcome {
    let stream = StreamsClient::new(client)
        .chat(Context::default())
        .await
        .map_err(text)?;
    let (out, mut input) = stream.split();
    send_all(&out, 20).await?;
    receive_all(&mut input, 20).await
}

async fn nothings(client: Client) -> Outcome {
    let streams = StreamsClient::new(client);
    let mut stream = streams
        .nothings(Context::default(), &Empty::new())
        .await
        .map_err(text)?;
    let mut count = 0;
    while stream.recv().await.map_err(text)?.is_some() {
        count += 1;
    }
    match count {
        3 => okay(),
        _ => Err(format!("{count} messages came")),
    }
}

async fn count(client: Client) -> Outcome {
    let mut stream = StreamsClient::new(client)
        .count(Context::default())
        .await
        .map_err(text)?;
    for _ in 0..3 {
        stream.send(&Empty::new()).await.map_err(text)?;
    }
    match stream.close_and_recv().await {
        Ok(reply) if reply.count == 3 => okay(),
        Ok(reply) => Err(format!("the server counted {}", reply.count)),
        failed => Ok(code(&failed)),
    }
}

/// Returns an item that has exactly this many bytes on the wire.
fn item_of(size: usize) -> Item {
    let mut item = Item {
        index: 1,
        payload: pattern(size - 16, 3),
        ..Default::default()
    };
    item.payload = pattern(size - 16 + size - item.compute_size() as usize, 3);
    item
}

async fn chat_4m(client: Client) -> Outcome {
    let mut stream = StreamsClient::new(client)
        .chat(Context::default())
        .await
        .map_err(text)?;
    let item = item_of(MESSAGE_MAX);
    stream.send(&item).await.map_err(text)?;
    same_item(&stream.recv().await.map_err(text)?, 1, &item.payload)?;
    okay()
}

async fn chat_oversized(client: Client) -> Outcome {
    let stream = StreamsClient::new(client.clone())
        .chat(Context::default())
        .await
        .map_err(text)?;
    match stream.send(&item_of(MESSAGE_MAX + 1)).await {
        // The library's own refusal has the form of a status.
        Err(Error::RpcStatus(status)) if status.code() == Code::INVALID_ARGUMENT => {
            open("refused by the library".to_string(), client).await
        }
        other => Ok(code(&other)),
    }
}

async fn range_oversized(client: Client) -> Outcome {
    let request = RangeRequest {
        count: 1,
        length: MESSAGE_MAX as u32,
        ..Default::default()
    };
    let streams = StreamsClient::new(client.clone());
    let mut stream = streams
        .range(Context::default(), &request)
        .await
        .map_err(text)?;
    open(code(&stream.recv().await), client).await
}

/// Makes the server end a stream while the client's side is open, and then sends on it once more.
async fn early_end(client: Client, end: i32) -> Outcome {
    let mut stream = StreamsClient::new(client.clone())
        .chat(Context::default())
        .await
        .map_err(text)?;
    stream
        .send(&Item {
            index: 1,
            end,
            ..Default::default()
        })
        .await
        .map_err(text)?;
    let outcome = code(&stream.recv().await);
    stream
        .send(&Item {
            index: 2,
            ..Default::default()
        })
        .await
        .map_err(text)?;
    open(outcome, client).await
}

/// Does not close first: ttrpc-rust may answer data on an ended stream before it sends the status.
async fn early_sum(client: Client) -> Outcome {
    let request = Request {
        service: "interop.v1.Streams".to_string(),
        method: "Sum".to_string(),
        ..Default::default()
    };
    let mut stream = client
        .new_stream(request, true, false)
        .await
        .map_err(text)?;
    let item = Item {
        end: Code::RESOURCE_EXHAUSTED as i32,
        ..Default::default()
    };
    stream
        .send(item.write_to_bytes().map_err(text)?)
        .await
        .map_err(text)?;
    open(code(&stream.recv().await), client).await
}

async fn chats_at_once(client: Client) -> Outcome {
    let chats: Vec<_> = (0..16)
        .map(|_| tokio::spawn(chat(client.clone(), 50)))
        .collect();
    for chat in chats {
        let outcome = chat.await.map_err(text)??;
        if outcome != OK {
            return Ok(outcome);
        }
    }
    okay()
}

async fn stream_metadata(client: Client) -> Outcome {
    let mut context = Context::default();
    for value in ["1", "zwölf", ""] {
        context.add("interop-one".to_string(), value.to_string());
    }
    context.set("interop-two".to_string(), vec!["2".to_string()]);
    let mut stream = StreamsClient::new(client)
        .metadata(context, &Empty::new())
        .await
        .map_err(text)?;
    let mut seen = vec![];
    while let Some(pair) = stream.recv().await.map_err(text)? {
        if pair.key.starts_with("interop-") {
            seen.push(format!("{}={}", pair.key, pair.value));
        }
    }
    match seen.join(" ").as_str() {
        "interop-one=1 interop-one=zwölf interop-one= interop-two=2" => okay(),
        other => Err(format!("{other:?} came")),
    }
}

/// The library sends the deadline of a stream, but only a server can enforce it.
async fn stream_deadline(client: Client) -> Outcome {
    let mut stream = StreamsClient::new(client.clone())
        .chat(with_timeout(SHORT_DEADLINE))
        .await
        .map_err(text)?;
    let patience = std::time::Duration::from_secs(5);
    match tokio::time::timeout(patience, stream.recv()).await {
        Ok(received) => open(code(&received), client).await,
        Err(_) => open("nothing".to_string(), client).await,
    }
}
