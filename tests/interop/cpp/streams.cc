// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <string>
#include <utility>

#include "check.h"
#include "streams.ttrpc.h"

namespace interop {

using ttrpc::Context;
using ttrpc::Status;
using ttrpc::StatusCode;
using ttrpc::Task;

namespace {

// This outcome means that the opening request of a stream was delivered as its first message.
constexpr const char* kTooMany = "one message too many";
constexpr const char* kLastWords = "last";

// Runs a coroutine that takes the client and returns an outcome.
template <typename... Arguments>
std::function<std::string(Connected&)> Running(
    Task<std::string> (*check)(pb::StreamsClient* streams, Arguments...), Arguments... arguments) {
  return [check, arguments...](Connected& connected) {
    pb::StreamsClient streams(*connected.client);
    return connected.loop.Run(check(&streams, arguments...));
  };
}

template <typename... Arguments>
std::function<std::string(Connected&)> ThenOpen(
    Task<std::string> (*check)(pb::StreamsClient* streams, Arguments...), Arguments... arguments) {
  const auto run = Running(check, arguments...);
  return [run](Connected& connected) { return Open(run(connected), connected); };
}

std::string Different(const pb::Item& item, uint32_t index, const std::string& payload) {
  if (item.index() == index && item.payload() == payload) return {};
  return "item " + std::to_string(item.index()) + " with " + std::to_string(item.payload().size()) +
         " bytes came where item " + std::to_string(index) + " belongs";
}

Task<std::string> RangeOf(pb::StreamsClient* streams, uint32_t n) {
  Context context;
  pb::RangeRequest request;
  request.set_count(n);
  request.set_length(100);
  auto call = streams->Range(context, request);
  uint32_t index = 0;
  while (const auto item = co_await call.Receive()) {
    const std::string different = Different(*item, index, Pattern(100, index));
    if (!different.empty()) co_return different;
    ++index;
  }
  const Status status = co_await call.Finish();
  if (status.ok() && index != n) co_return "only " + std::to_string(index) + " items came";
  co_return Code(status);
}

Task<std::string> SumOf(pb::StreamsClient* streams, uint32_t n) {
  Context context;
  auto call = streams->Sum(context);
  uint64_t total = 0;
  for (uint32_t i = 1; i <= n; ++i) {
    pb::Item item;
    item.set_index(i);
    total += i;
    if (Status sent = co_await call.Send(item); !sent.ok()) co_return "send: " + sent.ToString();
  }
  const auto reply = co_await call.Finish();
  if (!reply) co_return Code(reply.error());
  if (reply->count() == n + 1 && reply->total() == total) co_return kTooMany;
  if (reply->count() != n || reply->total() != total)
    co_return "the server counted " + reply->ShortDebugString();
  co_return "ok";
}

pb::Item ChatItem(uint32_t i) {
  pb::Item item;
  item.set_index(i);
  item.set_payload(Pattern(i % 200, i));
  return item;
}

using ChatCall = ttrpc::BidiStreamCall<pb::Item, pb::Item>;

Task<void> SendAll(ChatCall* call, uint32_t n, std::string* problem) {
  for (uint32_t i = 1; i <= n; ++i) {
    const pb::Item item = ChatItem(i);
    if (Status sent = co_await call->Send(item); !sent.ok()) {
      *problem = "send: " + sent.ToString();
      co_return;
    }
  }
  call->CloseSend();
}

Task<std::string> ChatOf(pb::StreamsClient* streams, uint32_t n, bool send_all_first) {
  Context context;
  ChatCall call = streams->Chat(context);
  std::string problem;
  ttrpc::TaskGroup sending;
  if (send_all_first) {
    co_await SendAll(&call, n, &problem);
  } else {
    sending.Spawn(SendAll(&call, n, &problem));
  }
  for (uint32_t i = 1; i <= n + 1; ++i) {
    const auto item = co_await call.Receive();
    if (!item) {
      const Status status = co_await call.Finish();
      co_return "item " + std::to_string(i) + ": " + status.ToString();
    }
    if (item->index() == 0 && (i <= n || item->payload().empty())) co_return kTooMany;
    const std::string different =
        i <= n ? Different(*item, i, ChatItem(i).payload()) : Different(*item, n, kLastWords);
    if (!different.empty()) co_return different;
  }
  if (!problem.empty()) co_return problem;
  if (co_await call.Receive()) co_return "an item where the stream should end";
  co_return Code(co_await call.Finish());
}

Task<std::string> Nothings(pb::StreamsClient* streams) {
  Context context;
  const pb::Empty nothing;
  auto call = streams->Nothings(context, nothing);
  int n = 0;
  while (const auto message = co_await call.Receive()) ++n;
  const Status status = co_await call.Finish();
  if (status.ok() && n != 3) co_return std::to_string(n) + " messages came";
  co_return Code(status);
}

Task<std::string> Count(pb::StreamsClient* streams) {
  Context context;
  auto call = streams->Count(context);
  for (int i = 0; i < 3; ++i) {
    const pb::Empty nothing;
    if (Status sent = co_await call.Send(nothing); !sent.ok()) co_return "send: " + sent.ToString();
  }
  const auto reply = co_await call.Finish();
  if (!reply) co_return Code(reply.error());
  if (reply->count() == 4) co_return kTooMany;
  co_return reply->count() == 3 ? "ok" : "the server counted " + reply->ShortDebugString();
}

// Returns an item that has exactly this many bytes on the wire.
pb::Item ItemOf(size_t size) {
  pb::Item item;
  item.set_index(1);
  item.set_payload(Pattern(size - 16, 3));
  item.set_payload(Pattern(size - 16 + size - item.ByteSizeLong(), 3));
  return item;
}

Task<std::string> Chat4m(pb::StreamsClient* streams) {
  Context context;
  ChatCall call = streams->Chat(context);
  const pb::Item sent = ItemOf(kMessageMax);
  if (Status status = co_await call.Send(sent); !status.ok()) co_return status.ToString();
  const auto item = co_await call.Receive();
  if (!item) co_return Code(co_await call.Finish());
  if (item->payload().empty()) co_return kTooMany;
  const std::string different = Different(*item, 1, sent.payload());
  co_return different.empty() ? "ok" : different;
}

Task<std::string> ChatOversized(pb::StreamsClient* streams) {
  Context context;
  ChatCall call = streams->Chat(context);
  const pb::Item long_item = ItemOf(kMessageMax + 1);
  const Status status = co_await call.Send(long_item);
  co_return status.code() == StatusCode::kResourceExhausted ? "refused by the library"
                                                            : Code(status);
}

Task<std::string> RangeOversized(pb::StreamsClient* streams) {
  Context context;
  pb::RangeRequest request;
  request.set_count(1);
  request.set_length(kMessageMax);
  auto call = streams->Range(context, request);
  if (co_await call.Receive()) co_return "an item came";
  co_return Code(co_await call.Finish());
}

// The server ends a stream while the client's side is open, and the client then sends on it once
// more.
Task<std::string> EarlyEnd(pb::StreamsClient* streams, int32_t end) {
  Context context;
  ChatCall call = streams->Chat(context);
  pb::Item item;
  item.set_index(1);
  item.set_end(end);
  if (Status sent = co_await call.Send(item); !sent.ok()) co_return "send: " + sent.ToString();
  if (const auto reply = co_await call.Receive())
    co_return reply->index() == 0 ? kTooMany : "an item came";
  item.set_end(0);
  const Status later = co_await call.Send(item);
  if (later.ok()) co_return "sent on an ended stream";
  const Status status = co_await call.Finish();
  co_return status.ok() ? "end of stream" : Code(status);
}

// The client does not close its side, since ttrpc-rust may answer data on the ended stream before
// it sends the status.
Task<std::string> EarlySum(ttrpc::Client* client) {
  Context context;
  constexpr ttrpc::MethodInfo kSum("interop.v1.Streams", "Sum", true, false);
  const auto stream = client->OpenStream(kSum, context, std::nullopt);
  pb::Item item;
  item.set_end(static_cast<int32_t>(StatusCode::kResourceExhausted));
  if (Status sent = co_await stream->Send(item.SerializeAsString()); !sent.ok())
    co_return "send: " + sent.ToString();
  if (co_await stream->Receive()) co_return "a message came";
  co_return Code(stream->status());
}

Task<std::string> StreamMetadata(pb::StreamsClient* streams) {
  Context context;
  for (const char* value : {"1", "zwölf", ""}) context.metadata().Append("interop-one", value);
  context.metadata().Append("Interop-Two", "2");
  const pb::Empty nothing;
  auto call = streams->Metadata(context, nothing);
  std::string seen;
  while (const auto pair = co_await call.Receive()) {
    if (!pair->key().starts_with("interop-")) continue;
    seen.append(seen.empty() ? "" : " ").append(pair->key()).append("=").append(pair->value());
  }
  const Status status = co_await call.Finish();
  if (!status.ok()) co_return Code(status);
  const bool same = seen == "interop-one=1 interop-one=zwölf interop-one= interop-two=2";
  co_return same ? "ok" : seen;
}

// Both sides leave the stream open and silent.
Task<std::string> StreamDeadline(pb::StreamsClient* streams) {
  Context context;
  context.set_timeout(std::chrono::milliseconds(200));
  ChatCall call = streams->Chat(context);
  if (co_await call.Receive()) co_return "an item came";
  co_return Code(co_await call.Finish());
}

// An unread stream that exceeds its buffer must not delay other calls for long. It fails after what
// was buffered. There are five calls for each item: by then, a busy server that takes turns has
// sent the whole stream.
Task<std::string> Unread(pb::StreamsClient* streams, pb::EchoClient* echo) {
  Context context;
  pb::RangeRequest request;
  request.set_count(200);
  request.set_length(64U << 10);
  auto call = streams->Range(context, request);
  for (int i = 0; i < 1000; ++i) {
    const pb::Empty nothing;
    if (const auto reply = co_await echo->Nothing(context, nothing); !reply)
      co_return "a call beside it: " + Code(reply.error());
  }
  uint32_t index = 0;
  while (const auto item = co_await call.Receive()) {
    const std::string different = Different(*item, index, Pattern(64U << 10, index));
    if (!different.empty()) co_return different;
    ++index;
  }
  const Status status = co_await call.Finish();
  if (status.ok() && index != 200) co_return "only " + std::to_string(index) + " items came";
  co_return Code(status);
}

Task<void> StoreChat(pb::StreamsClient* streams, std::string* outcome, int* left) {
  const std::string result = co_await ChatOf(streams, 50, false);
  if (result != "ok") *outcome = result;
  --*left;
}

std::string ChatsAtOnce(Connected& connected) {
  pb::StreamsClient streams(*connected.client);
  std::string outcome = "ok";
  int left = 16;
  {
    ttrpc::TaskGroup chats;
    for (int i = 0; i < 16; ++i) chats.Spawn(StoreChat(&streams, &outcome, &left));
    while (left > 0) static_cast<void>(Open("", connected));
  }
  return outcome;
}

}  // namespace

std::vector<Check> StreamChecks() {
  std::vector<Check> checks;
  for (const uint32_t n : {0U, 1U, 1000U})
    checks.push_back(With("range-" + std::to_string(n), "ok", Running(RangeOf, n)));
  for (const uint32_t n : {0U, 1U, 1000U})
    checks.push_back(With("sum-" + std::to_string(n), "ok", Running(SumOf, n)));
  for (const uint32_t n : {0U, 1U, 1000U})
    checks.push_back(With("chat-" + std::to_string(n), "ok", Running(ChatOf, n, false)));
  checks.push_back(With("half-close", "ok", Running(ChatOf, 20U, true)));
  checks.push_back(With("nothings", "ok", Running(Nothings)));
  checks.push_back(With("count", "ok", Running(Count)));
  checks.push_back(With("chat-4m", "ok", Running(Chat4m)));
  checks.push_back(With("chat-oversized", "refused by the library, open", ThenOpen(ChatOversized)));
  checks.push_back(With("range-oversized", "RESOURCE_EXHAUSTED, open", ThenOpen(RangeOversized)));
  checks.push_back(With("early-end", "end of stream, open", ThenOpen(EarlyEnd, -1)));
  checks.push_back(With("early-status", "RESOURCE_EXHAUSTED, open", ThenOpen(EarlyEnd, 8)));
  checks.push_back(With("early-sum", "RESOURCE_EXHAUSTED, open", [](Connected& connected) {
    return Open(connected.loop.Run(EarlySum(connected.client.get())), connected);
  }));
  checks.push_back(With("chats-at-once", "ok", ChatsAtOnce));
  checks.push_back(With("stream-metadata", "ok", Running(StreamMetadata)));
  checks.push_back(With("stream-deadline", "DEADLINE_EXCEEDED, open", ThenOpen(StreamDeadline)));
  checks.push_back(With("unread", "RESOURCE_EXHAUSTED, open", [](Connected& connected) {
    pb::StreamsClient streams(*connected.client);
    pb::EchoClient echo(*connected.client);
    return Open(connected.loop.Run(Unread(&streams, &echo)), connected);
  }));
  return checks;
}

}  // namespace interop
