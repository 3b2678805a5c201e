// SPDX-License-Identifier: Apache-2.0
//
// The receiving side of ttrpc::Server. Whatever a peer sends, each stream gets at most one end for
// each thing that may be answered, no handler outlives its context, and nothing remains once the
// peer has gone. The input is a list of operations (see Run()), a byte each, with their arguments
// after them.
#include <google/protobuf/message_lite.h>

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "fuzz.h"
#include "raw_end.h"
#include "ttrpc.pb.h"
#include "ttrpc/server.h"
#include "ttrpc/wire/response.h"

namespace {

using ttrpc::Context;
using ttrpc::MessageHeader;
using ttrpc::MessageType;
using ttrpc::Method;
using ttrpc::RawStream;
using ttrpc::ReplySink;
using ttrpc::Status;
using ttrpc::StatusCode;
using ttrpc::Task;

struct Handlers {
  int running = 0;
};

// Counts a handler for as long as its frame exists.
class Running {
 public:
  explicit Running(void* handlers) : handlers_(static_cast<Handlers*>(handlers)) {
    ++handlers_->running;
  }
  ~Running() { --handlers_->running; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  Handlers* handlers_;
};

Task<Status> Echo(void* handlers, Context&, std::string_view request, ReplySink& reply) {
  const Running running(handlers);
  co_return reply.WriteBytes(request);
}

Task<Status> Hang(void* handlers, Context& context, std::string_view, ReplySink&) {
  const Running running(handlers);
  co_await context.Cancelled();
  FUZZ_CHECK(!context.status().ok());
  co_return context.status();
}

// This handler continues although it was cancelled.
Task<Status> Late(void* handlers, Context& context, std::string_view, ReplySink& reply) {
  const Running running(handlers);
  co_await context.Cancelled();
  co_return reply.WriteBytes("late");
}

Task<Status> Fail(void* handlers, Context&, std::string_view request, ReplySink& reply) {
  const Running running(handlers);
  if (request.size() % 2 == 1) (void)reply.WriteBytes(request);
  co_return Status(StatusCode::kAborted, std::string(request), {{"type", std::string(request)}});
}

Task<Status> Count(void* handlers, Context&, RawStream& stream, ReplySink&) {
  const Running running(handlers);
  const auto request = co_await stream.Receive();
  if (!request) co_return Status(StatusCode::kInternal, "no request");
  for (size_t i = 0; i < request->size(); ++i) {
    if (Status sent = co_await stream.Send(request->substr(0, i)); !sent.ok()) co_return sent;
  }
  co_return Status();
}

Task<Status> Join(void* handlers, Context&, RawStream& stream, ReplySink& reply) {
  const Running running(handlers);
  std::string all;
  while (const auto message = co_await stream.Receive()) all += *message + ",";
  if (!stream.status().ok()) co_return stream.status();
  co_return reply.WriteBytes(all);
}

Task<Status> Chat(void* handlers, Context&, RawStream& stream, ReplySink&) {
  const Running running(handlers);
  while (auto message = co_await stream.Receive()) {
    if (*message == "stop") co_return Status(StatusCode::kAborted, "stopped");
    if (Status sent = co_await stream.Send(std::move(*message)); !sent.ok()) co_return sent;
  }
  co_return stream.status();
}

Task<Status> NeverRead(void* handlers, Context& context, RawStream&, ReplySink&) {
  const Running running(handlers);
  co_await context.Cancelled();
  co_return Status();
}

constexpr std::string_view kMethods[] = {"Echo", "Hang", "Late",      "Fail", "Count",
                                         "Join", "Chat", "NeverRead", "None"};

ttrpc::ServiceDescription Service(Handlers* handlers) {
  return {"f.S",
          handlers,
          {Method("Echo", Echo), Method("Hang", Hang), Method("Late", Late), Method("Fail", Fail),
           Method("Count", false, true, Count), Method("Join", true, false, Join),
           Method("Chat", true, true, Chat), Method("NeverRead", true, true, NeverRead)}};
}

class Peer {
 public:
  Peer(fuzz::Script script, ttrpc::EventLoop& loop, ttrpc::UniqueFd socket)
      : script_(script), loop_(loop), end_(std::move(socket)) {}

  void Run(ttrpc::Server& server) {
    while (!script_.done()) {
      switch (script_.Byte() % 8) {
        case 0:
          Request();
          break;
        case 1:
        case 2:
          Data();
          break;
        case 3:
          Message({.stream_id = Id(),
                   .type = static_cast<MessageType>(script_.Byte()),
                   .flags = script_.Byte()},
                  script_.Counted());
          break;
        case 4:
          fuzz::Turn(loop_);
          break;
        case 5:
          ReadAll();
          break;
        case 6:
          raw_ = true;
          end_.Write(script_.Counted());
          break;
        case 7:
          if (script_.Byte() % 8 == 0) server.Shutdown(std::chrono::seconds(60), nullptr);
          break;
      }
    }
    fuzz::Turn(loop_);
    ReadAll();
    end_.Close();
  }

 private:
  // There are few ids, so that operations often use the same one.
  uint32_t Id() {
    const uint8_t byte = script_.Byte();
    return byte < 250 ? byte % 16U : 0xffff'ffffU - (255U - byte);
  }
  void Message(MessageHeader header, std::string_view data) {
    ++sent_[header.stream_id];
    std::string bytes;
    test::AppendMessage(header, data, &bytes);
    end_.Write(bytes);
  }
  void Request() {
    const uint32_t id = Id();
    const uint8_t flags = script_.Byte();
    const uint8_t what = script_.Byte();
    ttrpc::wire::Request request;
    request.set_service(what < 250 ? "f.S" : "f.None");
    request.set_method(std::string(kMethods[what % std::size(kMethods)]));
    request.set_payload(std::string(script_.Counted()));
    if (const uint8_t timeout = script_.Byte(); timeout > 200) {
      request.set_timeout_nano(timeout == 255   ? INT64_MIN
                               : timeout == 254 ? INT64_MAX
                                                : int64_t{timeout} - 202);
    }
    Message({.stream_id = id, .type = MessageType::kRequest, .flags = flags},
            request.SerializeAsString());
  }
  void Data() {
    const uint32_t id = Id();
    const uint8_t flags = script_.Byte();
    Message({.stream_id = id, .type = MessageType::kData, .flags = flags}, script_.Counted());
  }
  void ReadAll() {
    end_.Read([this](const MessageHeader& header, std::string_view data) {
      FUZZ_CHECK(header.type == MessageType::kResponse || header.type == MessageType::kData);
      bool ends = header.type == MessageType::kResponse;
      if (ends) {
        ttrpc::ResponseView response;
        FUZZ_CHECK(ttrpc::ParseResponse(data, &response).ok());
        FUZZ_CHECK(header.flags == 0);
      } else {
        FUZZ_CHECK(header.flags == 0 ||
                   header.flags == (ttrpc::kFlagRemoteClosed | ttrpc::kFlagNoData));
        ends = header.flags != 0;
      }
      // Raw bytes may form whole messages as well.
      if (ends && !raw_) FUZZ_CHECK(++ended_[header.stream_id] <= sent_[header.stream_id]);
    });
  }

  fuzz::Script script_;
  ttrpc::EventLoop& loop_;
  fuzz::RawEnd end_;
  bool raw_ = false;
  std::map<uint32_t, int> sent_;
  std::map<uint32_t, int> ended_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Script script(data, size);
  const uint8_t settings = script.Byte();
  Handlers handlers;
  {
    ttrpc::EventLoop loop;
    ttrpc::ServerOptions options;
    if ((settings & 1) != 0) options.message_size = 64;
    if ((settings & 2) != 0) options.streams = 2;
    if ((settings & 4) != 0) options.stream_buffer = 100;
    if ((settings & 8) != 0) options.send_buffer = 200;
    ttrpc::Server server(loop.io(), std::move(options));
    FUZZ_CHECK(server.Register(Service(&handlers)).ok());
    auto [ours, theirs] = fuzz::Sockets();
    server.ServeConnection(std::move(theirs));
    Peer(script, loop, std::move(ours)).Run(server);
    if ((settings & 16) == 0) {
      for (int i = 0; i < 50 && (server.connections() > 0 || handlers.running > 0); ++i)
        fuzz::Turn(loop, 1);
      FUZZ_CHECK(server.connections() == 0);
      FUZZ_CHECK(server.calls() == 0);
      FUZZ_CHECK(handlers.running == 0);
    }
  }
  FUZZ_CHECK(handlers.running == 0);
  return 0;
}
