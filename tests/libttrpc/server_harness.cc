// SPDX-License-Identifier: Apache-2.0
#include "server_harness.h"

#include <optional>
#include <stdexcept>

namespace ttrpc::test {

namespace {

Bench& BenchOf(void* service) { return *static_cast<Bench*>(service); }

Task<Status> Echo(void*, Context&, std::string_view request, ReplySink& reply) {
  co_return reply.WriteBytes(request);
}

Task<Status> Hang(void* service, Context& context, std::string_view, ReplySink&) {
  const Alive alive(BenchOf(service));
  co_await context.Cancelled();
  BenchOf(service).log.push_back("Hang " + context.status().ToString());
  co_return context.status();
}

Task<Status> Wait(void* service, Context& context, std::string_view request, ReplySink& reply) {
  const Alive alive(BenchOf(service));
  const std::string kept(request);
  co_await BenchOf(service).latch.Opened();
  BenchOf(service).log.push_back("Wait " + context.status().ToString());
  co_return reply.WriteBytes(kept);
}

Task<Status> Fail(void*, Context&, std::string_view request, ReplySink&) {
  co_return Status(StatusCode::kNotFound, std::string(request), {StatusDetail("type/a", "b")});
}

Task<Status> Throw(void*, Context&, std::string_view, ReplySink&) {
  throw std::runtime_error("late");
  co_return Status();
}

Task<Status> ThrowEarly(void*, Context&, std::string_view, ReplySink&) {
  throw std::runtime_error("early");
}

Task<Status> Act(void* service, Context&, std::string_view, ReplySink& reply) {
  BenchOf(service).act();
  co_return reply.WriteBytes("acted");
}

Task<Status> Show(void* service, Context& context, std::string_view key, ReplySink& reply) {
  std::string text = context.status().ToString();
  text += context.deadline() ? " deadline" : " none";
  text += context.credentials() == nullptr ? " nobody" : " somebody";
  for (const std::string_view value : context.metadata().Values(key))
    text.append(" ").append(value);
  BenchOf(service).context = &context;
  co_return reply.WriteBytes(text);
}

Task<Status> Nothing(void*, Context&, std::string_view, ReplySink&) { co_return Status(); }

Task<Status> Twice(void* service, Context&, std::string_view, ReplySink& reply) {
  Status first = reply.WriteBytes("first");
  BenchOf(service).log.push_back("Twice " + reply.WriteBytes("second").ToString());
  co_return first;
}

Task<Status> Count(void* service, Context&, RawStream& stream, ReplySink&) {
  const Alive alive(BenchOf(service));
  const auto request = co_await stream.Receive();
  if (!request) co_return Status(StatusCode::kInternal, "no request");
  if (co_await stream.Receive()) co_return Status(StatusCode::kInternal, "two requests");
  for (size_t i = 0; i < request->size(); ++i) {
    Status sent = co_await stream.Send(request->substr(0, i));
    if (sent.ok()) continue;
    BenchOf(service).log.push_back("Count " + sent.ToString());
    co_return sent;
  }
  co_return Status();
}

Task<Status> Join(void* service, Context&, RawStream& stream, ReplySink& reply) {
  const Alive alive(BenchOf(service));
  std::string all;
  while (const auto message = co_await stream.Receive()) all += *message + ",";
  BenchOf(service).log.push_back("Join " + stream.status().ToString());
  if (!stream.status().ok()) co_return stream.status();
  Status sent = co_await stream.Send("not this side's");
  BenchOf(service).log.push_back("Join sends " + sent.ToString());
  co_return reply.WriteBytes(all);
}

Task<Status> Chat(void* service, Context&, RawStream& stream, ReplySink&) {
  const Alive alive(BenchOf(service));
  while (auto message = co_await stream.Receive()) {
    if (*message == "stop") co_return Status(StatusCode::kAborted, "stopped");
    if (*message == "done") co_return Status();
    if (message->starts_with("long ")) message->resize(std::stoul(message->substr(5)), 'x');
    if (Status sent = co_await stream.Send(std::move(*message)); !sent.ok()) {
      BenchOf(service).log.push_back("Chat sends " + sent.ToString());
      if (sent.code() != StatusCode::kResourceExhausted) co_return sent;
    }
  }
  BenchOf(service).log.push_back("Chat " + stream.status().ToString());
  co_return stream.status();
}

Task<Status> Idle(void* service, Context&, RawStream& stream, ReplySink&) {
  const Alive alive(BenchOf(service));
  co_await BenchOf(service).latch.Opened();
  size_t bytes = 0;
  while (const auto message = co_await stream.Receive()) bytes += message->size();
  BenchOf(service).log.push_back("Idle " + stream.status().ToString());
  if (!stream.status().ok()) co_return stream.status();
  co_return co_await stream.Send(std::to_string(bytes));
}

Task<Status> Early(void* service, Context& context, RawStream& stream, ReplySink& reply) {
  const Alive alive(BenchOf(service));
  Status written = reply.WriteBytes("early");
  const bool more = (co_await stream.Receive()).has_value();
  BenchOf(service).log.push_back(std::string("Early ") + (more ? "more" : "none"));
  co_await BenchOf(service).latch.Opened();
  BenchOf(service).log.push_back("Early " + context.status().ToString());
  co_return written;
}

Task<Status> Mute(void*, Context&, RawStream&, ReplySink&) { co_return Status(); }

}  // namespace

ServiceDescription BytesService(Bench& bench) {
  return {"test.Bytes",
          &bench,
          {Method("Echo", Echo), Method("Hang", Hang), Method("Wait", Wait), Method("Fail", Fail),
           Method("Throw", Throw), Method("ThrowEarly", ThrowEarly), Method("Act", Act),
           Method("Show", Show), Method("Nothing", Nothing), Method("Twice", Twice),
           Method("Count", false, true, Count), Method("Join", true, false, Join),
           Method("Chat", true, true, Chat), Method("Idle", true, true, Idle),
           Method("Early", true, false, Early), Method("Mute", true, false, Mute)}};
}

std::string Describe(const MessageHeader& header, std::string_view data) {
  std::string text = std::to_string(header.stream_id);
  if (header.type == MessageType::kData) {
    text.append(" data/").append(std::to_string(header.flags));
    if (!data.empty()) text.append(" ").append(data);
    return text;
  }
  EXPECT_EQ(header.type, MessageType::kResponse);
  EXPECT_EQ(header.flags, 0);
  ResponseView response;
  if (Status status = ParseResponse(data, &response); !status.ok()) return text + " not a response";
  text.append(" ").append(StatusOf(response).ToString());
  if (!response.payload.empty()) text.append(" ").append(response.payload);
  return text;
}

}  // namespace ttrpc::test
