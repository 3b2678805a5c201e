// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <utility>

#include "check.h"
#include "ttrpc/wire/request.h"

namespace interop {

using ttrpc::Context;
using ttrpc::Result;
using ttrpc::Status;
using ttrpc::StatusCode;
using ttrpc::Task;

namespace {

constexpr auto kShortDeadline = std::chrono::milliseconds(200);
constexpr const char* kTooLong =
    "RESOURCE_EXHAUSTED message length 4194305 exceed maximum message size of 4194304, open";
constexpr const char* kDetailType = "type.googleapis.com/interop.v1.EchoReply";

pb::WaitRequest UniqueKey(const std::string& name) {
  const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  pb::WaitRequest key;
  key.set_key(name + "-cpp-" + std::to_string(::getpid()) + "-" + std::to_string(now));
  return key;
}

std::string EchoOf(Connected& connected, size_t n) {
  Context context;
  pb::EchoRequest request;
  request.set_payload(Pattern(n, 1));
  const auto reply = connected.loop.Run(pb::EchoClient(*connected.client).Echo_(context, request));
  if (!reply) return Code(reply.error());
  if (reply->payload() != request.payload()) Wrong("other bytes came back");
  return "ok";
}

std::string Nothing(Connected& connected) {
  Context context;
  const auto reply =
      connected.loop.Run(pb::EchoClient(*connected.client).Nothing(context, pb::Empty()));
  return Code(reply ? Status() : reply.error());
}

std::string OversizedCall(Connected& connected) {
  Context context;
  pb::EchoRequest request;
  request.set_payload(std::string(PayloadFor(kMessageMax) + 1, '\0'));
  auto call = pb::EchoClient(*connected.client).Echo_(context, request);
  const bool sent = connected.client->calls() > 0;
  const auto reply = connected.loop.Run(std::move(call));
  if (!sent && !reply && reply.error().code() == StatusCode::kResourceExhausted)
    return Open("refused by the library", connected);
  return Open(CodeAndText(reply ? Status() : reply.error()), connected);
}

std::string OversizedReply(Connected& connected) {
  Context context;
  pb::BlobRequest request;
  request.set_length(kMessageMax);
  const auto reply = connected.loop.Run(pb::EchoClient(*connected.client).Blob(context, request));
  return Open(Code(reply ? Status() : reply.error()), connected);
}

std::string Unknown(Connected& connected, const ttrpc::MethodInfo& method) {
  Context context;
  const auto reply = connected.loop.Run(connected.client->Call(method, context, std::string()));
  return CodeAndText(reply ? Status() : reply.error());
}

std::string Statuses(Connected& connected) {
  for (int32_t number = 1; number <= 16; ++number) {
    Context context;
    pb::FailRequest request;
    request.set_code(number);
    request.set_message("wörds of " + std::to_string(number));
    request.set_detail("dëtail");
    pb::EchoReply detail;
    detail.set_text(request.detail());
    const auto reply = connected.loop.Run(pb::EchoClient(*connected.client).Fail(context, request));
    const Status expected(static_cast<StatusCode>(number), request.message(),
                          {ttrpc::StatusDetail(kDetailType, detail.SerializeAsString())});
    if (reply) Wrong("code " + std::to_string(number) + " came as a reply");
    if (reply.error() != expected)
      Wrong("code " + std::to_string(number) + " came as " + reply.error().ToString());
  }
  return "ok";
}

std::string PairsSeen(Connected& connected, Context& context, const std::string& prefix) {
  const auto reply =
      connected.loop.Run(pb::EchoClient(*connected.client).Metadata(context, pb::Empty()));
  if (!reply) Wrong(reply.error().ToString());
  std::string seen;
  for (const pb::Pair& pair : reply->pairs()) {
    if (!pair.key().starts_with(prefix)) continue;
    seen.append(seen.empty() ? "" : " ").append(pair.key()).append("=").append(pair.value());
  }
  return seen;
}

std::string MetadataSent(Connected& connected) {
  Context context;
  for (const char* value : {"1", "zwölf", ""}) context.metadata().Append("interop-one", value);
  context.metadata().Append("Interop-Two", "2");
  const std::string seen = PairsSeen(connected, context, "interop-");
  if (seen != "interop-one=1 interop-one=zwölf interop-one= interop-two=2") Wrong(seen);
  return "ok";
}

std::string MetadataReserved(Connected& connected) {
  Context context;
  context.metadata().AppendAsSent("ttrpc-proxy-uid", "forged");
  context.metadata().AppendAsSent("TTRPC-Proxy-Gid", "forged");
  const std::string seen = PairsSeen(connected, context, "");
  return seen.find("forged") == std::string::npos ? "dropped" : "passed";
}

std::string Deadline(Connected& connected) {
  const pb::WaitRequest key = UniqueKey("deadline");
  pb::EchoClient echo(*connected.client);
  Context context;
  context.set_timeout(kShortDeadline);
  const auto reply = connected.loop.Run(echo.Sleep(context, key));
  std::string outcome = Open(Code(reply ? Status() : reply.error()), connected);
  if (outcome == "closed") return outcome;
  Context patient;
  const auto ended = connected.loop.Run(echo.Ended(patient, key));
  if (!ended) Wrong("waiting for the end at the server: " + ended.error().ToString());
  return outcome;
}

// The protocol cancels a call only by closing its connection, and the close must reach the server.
std::string Cancel(const std::string& address) {
  const pb::WaitRequest key = UniqueKey("cancel");
  Connected watcher(address);
  auto sleeper = ttrpc::Client::Dial(watcher.loop.io(), *ttrpc::Address::Parse(address));
  pb::EchoClient echo(*watcher.client);
  Context context;
  auto sleeping = pb::EchoClient(*sleeper).Sleep(context, key);
  if (const auto began = watcher.loop.Run(echo.Began(context, key)); !began)
    Wrong(began.error().ToString());
  sleeper.reset();
  const auto reply = watcher.loop.Run(std::move(sleeping));
  if (reply || reply.error().code() != StatusCode::kCancelled)
    Wrong("the call on the closed connection did not end as cancelled");
  const auto ended = watcher.loop.Run(echo.Ended(context, key));
  return Code(ended ? Status() : ended.error());
}

// The same check for a client that is killed in the middle of its call.
std::string ClientKilled(const std::string& address) {
  const pb::WaitRequest key = UniqueKey("client-killed");
  const pid_t child = ::fork();
  if (child == 0) {
    Connected sleeper(address);
    Context context;
    static_cast<void>(sleeper.loop.Run(pb::EchoClient(*sleeper.client).Sleep(context, key)));
    ::_exit(1);
  }
  Connected watcher(address);
  pb::EchoClient echo(*watcher.client);
  Context context;
  const auto began = watcher.loop.Run(echo.Began(context, key));
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (!began) Wrong(began.error().ToString());
  if (!WIFSIGNALED(status)) Wrong("the call ended before its client was killed");
  const auto ended = watcher.loop.Run(echo.Ended(context, key));
  return Code(ended ? Status() : ended.error());
}

// When a server is killed, each call in flight fails.
std::string ServerKilled(const std::string& address) {
  Connected connected(address);
  const ttrpc::UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const ttrpc::SocketAddress where = ttrpc::Address::Parse(address)->ToSocketAddress();
  if (::connect(probe.get(), where.get(), where.length) != 0) Wrong("cannot connect");
  const auto server = ttrpc::ReadUnixCredentials(probe.get());
  if (!server) Wrong(server.error().ToString());

  const pb::WaitRequest key = UniqueKey("server-killed");
  pb::EchoClient echo(*connected.client);
  Context context;
  std::vector<Task<Result<pb::Empty>>> calls;
  calls.reserve(10);
  for (int i = 0; i < 10; ++i) calls.push_back(echo.Sleep(context, key));
  if (const auto began = connected.loop.Run(echo.Began(context, key)); !began)
    Wrong(began.error().ToString());
  ::kill(server->pid, SIGKILL);
  for (auto& call : calls) {
    const auto reply = connected.loop.Run(std::move(call));
    if (reply || Code(reply.error()) != "closed") Wrong("a call did not end as closed");
  }
  return connected.client->closed() ? "ok" : "the client takes itself for connected";
}

Task<void> CallAgainAndAgain(pb::EchoClient* echo, unsigned caller, std::string* problem) {
  Context context;
  for (unsigned call = 0; call < 50 && problem->empty(); ++call) {
    pb::EchoRequest request;
    request.set_text("caller " + std::to_string(caller) + " call " + std::to_string(call));
    request.set_payload(Pattern(size_t{caller} * call, caller));
    const auto reply = co_await echo->Echo_(context, request);
    if (!reply) {
      *problem = reply.error().ToString();
    } else if (reply->text() != request.text() || reply->payload() != request.payload()) {
      *problem = request.text() + " got the reply of " + reply->text();
    }
  }
}

Task<void> AllCallers(pb::EchoClient* echo, std::string* problem) {
  std::vector<Task<void>> callers;
  // Each task runs when it is awaited, and all share the connection.
  ttrpc::TaskGroup group;
  for (unsigned caller = 0; caller < 32; ++caller)
    group.Spawn(CallAgainAndAgain(echo, caller, problem));
  Context context;
  while (!group.empty()) static_cast<void>(co_await echo->Nothing(context, pb::Empty()));
}

std::string Concurrent(Connected& connected) {
  pb::EchoClient echo(*connected.client);
  std::string problem;
  connected.loop.Run(AllCallers(&echo, &problem));
  if (!problem.empty()) Wrong(problem);
  return "ok";
}

// More data is in flight in both directions than sockets and buffers hold. A side that stopped
// reading while it has something to write would block forever.
std::string BothFull(Connected& connected) {
  pb::EchoClient echo(*connected.client);
  Context context;
  pb::EchoRequest request;
  request.set_payload(Pattern(1U << 20, 5));
  std::vector<Task<Result<pb::EchoReply>>> calls;
  calls.reserve(32);
  for (int i = 0; i < 32; ++i) calls.push_back(echo.Echo_(context, request));
  for (auto& call : calls) {
    const auto reply = connected.loop.Run(std::move(call));
    if (!reply) return CodeAndText(reply.error());
    if (reply->payload() != request.payload()) Wrong("other bytes came back");
  }
  return "ok";
}

}  // namespace

Connected::Connected(const std::string& address)
    : client(ttrpc::Client::Dial(loop.io(), *ttrpc::Address::Parse(address))) {}

Check With(std::string name, std::string want, std::function<std::string(Connected&)> run) {
  return {std::move(name), std::move(want), [run = std::move(run)](const std::string& address) {
            Connected connected(address);
            return run(connected);
          }};
}

std::string Pattern(size_t n, unsigned seed) {
  std::string bytes(n, '\0');
  for (size_t i = 0; i < n; ++i) bytes[i] = static_cast<char>(i * 7 + seed);
  return bytes;
}

size_t PayloadFor(size_t envelope) {
  for (size_t n = envelope - 64;;) {
    pb::EchoRequest message;
    message.set_payload(std::string(n, '\0'));
    const std::string payload = message.SerializeAsString();
    ttrpc::RequestView request;
    request.service = "interop.v1.Echo";
    request.method = "Echo";
    request.payload = payload;
    const size_t size = ttrpc::EncodedRequestSize(request);
    if (size == envelope) return n;
    n += envelope - size;
  }
}

std::string Code(const Status& status) {
  if (status.ok()) return "ok";
  if (status.code() == StatusCode::kUnavailable && status.message() == "ttrpc: closed")
    return "closed";
  return std::string(ttrpc::StatusCodeName(status.code()));
}

std::string CodeAndText(const Status& status) {
  const std::string code = Code(status);
  return code == "ok" || code == "closed" ? code : code + " " + status.message();
}

std::string Open(std::string outcome, Connected& connected) {
  if (outcome == "closed") return outcome;
  Context context;
  pb::EchoRequest request;
  request.set_text("still there");
  const auto reply = connected.loop.Run(pb::EchoClient(*connected.client).Echo_(context, request));
  if (!reply) return outcome + ", then " + Code(reply.error());
  if (reply->text() != "still there") Wrong("a later echo brought " + reply->text());
  return outcome + ", open";
}

std::vector<Check> UnaryChecks() {
  const auto echo = [](size_t n) { return [n](Connected& c) { return EchoOf(c, n); }; };
  const auto unknown = [](ttrpc::MethodInfo method) {
    return [method](Connected& c) { return Unknown(c, method); };
  };
  return {
      With("echo-empty", "ok", echo(0)),
      With("echo-1", "ok", echo(1)),
      With("echo-64k", "ok", echo(64U << 10)),
      With("echo-4m", "ok", echo(PayloadFor(kMessageMax))),
      With("nothing", "ok", Nothing),
      With("oversized-call", "refused by the library, open", OversizedCall),
      {"oversized-raw", kTooLong, OversizedRaw},
      With("oversized-reply", "RESOURCE_EXHAUSTED, open", OversizedReply),
      With("unknown-service", "UNIMPLEMENTED service interop.v1.Missing",
           unknown({"interop.v1.Missing", "Echo"})),
      With("unknown-method", "UNIMPLEMENTED method Missing",
           unknown({"interop.v1.Echo", "Missing"})),
      With("status", "ok", Statuses),
      With("metadata", "ok", MetadataSent),
      With("metadata-reserved", "dropped", MetadataReserved),
      With("deadline", "DEADLINE_EXCEEDED, open", Deadline),
      {"deadline-wire", "DEADLINE_EXCEEDED, open", DeadlineWire},
      {"cancel", "ok", Cancel},
      {"client-killed", "ok", ClientKilled},
      With("concurrent", "ok", Concurrent),
      With("both-full", "ok", BothFull),
  };
}

std::vector<Check> KilledChecks() { return {{"server-killed", "ok", ServerKilled}}; }

}  // namespace interop
