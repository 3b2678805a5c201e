// SPDX-License-Identifier: Apache-2.0
//
// The receiving side of ttrpc::Client. Whatever a server sends, each call ends once, and all have
// ended when the connection has. Calls may be dropped and cancelled at any time. The input is a
// list of operations (see Run()), a byte each, with their arguments after them.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fuzz.h"
#include "raw_end.h"
#include "ttrpc.pb.h"
#include "ttrpc/client.h"

namespace {

using ttrpc::Context;
using ttrpc::MessageHeader;
using ttrpc::MessageType;
using ttrpc::MethodInfo;
using ttrpc::Task;

constexpr MethodInfo kUnary("f.S", "Unary");
constexpr MethodInfo kKinds[] = {MethodInfo("f.S", "Down", false, true),
                                 MethodInfo("f.S", "Up", true, false),
                                 MethodInfo("f.S", "Both", true, true)};

// No script can fill a stream's buffer of this size.
constexpr size_t kLongScript = size_t{1} << 16;

// A call and the tasks that wait for it. Destroying it destroys the tasks.
struct Call {
  Context context;
  std::unique_ptr<ttrpc::RawClientStream> stream;
  int waiting = 0;  // how many tasks have not ended
  std::optional<ttrpc::Status> end;
  ttrpc::TaskGroup tasks;
};

Task<void> AwaitReply(Call& call, Task<ttrpc::Result<std::string>> task) {
  ++call.waiting;
  const auto reply = co_await std::move(task);
  FUZZ_CHECK(!call.end);
  call.end = reply ? ttrpc::Status() : reply.error();
  --call.waiting;
}

Task<void> ReceiveAll(Call& call) {
  ++call.waiting;
  size_t received = 0;
  while (const auto message = co_await call.stream->Receive()) ++received;
  // After its end the stream stays ended.
  FUZZ_CHECK(!co_await call.stream->Receive());
  --call.waiting;
}

Task<void> SendOne(Call& call, std::string message) {
  ++call.waiting;
  (void)co_await call.stream->Send(std::move(message));
  --call.waiting;
}

class Session {
 public:
  Session(fuzz::Script script, ttrpc::EventLoop& loop, ttrpc::ClientOptions options)
      : script_(script), loop_(loop), small_buffers_(options.stream_buffer < kLongScript) {
    auto [ours, theirs] = fuzz::Sockets();
    end_.emplace(std::move(ours));
    client_ = ttrpc::Client::Over(loop.io(), std::move(theirs), std::move(options));
    fuzz::Turn(loop_);
  }

  void Run() {
    while (!script_.done()) Step(script_.Byte());
    fuzz::Turn(loop_);
    end_->Close();
    TurnToTheEnd();
    if (small_buffers_ && !AtTheEnd()) {
      // A full stream that nobody reads keeps the connection from being read. The connection then
      // notices its end later than a script may take.
      for (const auto& call : calls_) {
        if (call->stream) call->context.Cancel();
      }
      TurnToTheEnd();
    }
    FUZZ_CHECK(Waiting() == 0);
    if (client_) FUZZ_CHECK(client_->closed());
    for (const auto& call : calls_) {
      if (!call->stream) FUZZ_CHECK(call->end.has_value());
    }
    if (client_) FUZZ_CHECK(client_->calls() == 0);
  }

 private:
  void Step(uint8_t operation) {
    switch (operation % 16) {
      case 0:
        StartUnary();
        break;
      case 1:
        Open();
        break;
      case 2:
      case 3:
        Respond();
        break;
      case 4:
      case 5:
        Message(MessageType::kData);
        break;
      case 6:
        Message(static_cast<MessageType>(script_.Byte()));
        break;
      case 7:
        fuzz::Turn(loop_);
        break;
      case 8:
        end_->Read([](const MessageHeader& header, std::string_view) {
          FUZZ_CHECK(header.stream_id % 2 == 1);
        });
        break;
      case 9:
        end_->Write(script_.Counted());
        break;
      case 15:
        OnClient();
        break;
      default:
        OnCall(operation % 16);
    }
  }

  Call* Pick() {
    const uint8_t byte = script_.Byte();
    return calls_.empty() ? nullptr : calls_[byte % calls_.size()].get();
  }
  uint32_t Id() {
    const uint8_t byte = script_.Byte();
    return byte < 250 ? byte % 16U : 0xffff'ffffU - (255U - byte);
  }
  Call& NewCall() {
    Call& call = *calls_.emplace_back(std::make_unique<Call>());
    const uint8_t timeout = script_.Byte();
    if (timeout > 250) call.context.set_timeout(std::chrono::nanoseconds(timeout - 252));
    return call;
  }
  void StartUnary() {
    if (!client_ || calls_.size() >= 16) return;
    Call& call = NewCall();
    std::string request(script_.Counted());
    call.tasks.Spawn(AwaitReply(call, client_->Call(kUnary, call.context, std::move(request))));
  }
  void Open() {
    if (!client_ || calls_.size() >= 16) return;
    Call& call = NewCall();
    const MethodInfo& method = kKinds[script_.Byte() % std::size(kKinds)];
    std::optional<std::string> request;
    if (!method.client_streams) request = script_.Counted();
    call.stream = client_->OpenStream(method, call.context, std::move(request));
    FUZZ_CHECK(call.stream != nullptr);
  }
  void OnCall(uint8_t operation) {
    Call* const call = Pick();
    if (call == nullptr) return;
    if (operation == 10) return call->context.Cancel();
    if (operation == 11) {
      std::erase_if(calls_, [call](const auto& owned) { return owned.get() == call; });
      return;
    }
    // A stream permits one waiting task at a time.
    if (!call->stream || call->waiting > 0) return;
    if (operation == 12) call->tasks.Spawn(ReceiveAll(*call));
    if (operation == 13) call->tasks.Spawn(SendOne(*call, std::string(script_.Counted())));
    if (operation == 14) {
      if (script_.Byte() % 2 == 0) return call->stream->CloseSend();
      if (!call->end) call->tasks.Spawn(AwaitReply(*call, call->stream->Finish()));
    }
  }
  void OnClient() {
    const uint8_t byte = script_.Byte();
    if (byte % 16 == 0) client_.reset();
    if (byte % 16 == 1 && client_) client_->Close();
    if (byte % 16 == 2) end_->ShutdownWriting();
  }
  void Message(MessageType type) {
    const MessageHeader header = {.stream_id = Id(), .type = type, .flags = script_.Byte()};
    std::string bytes;
    test::AppendMessage(header, script_.Counted(), &bytes);
    end_->Write(bytes);
  }
  void Respond() {
    ttrpc::wire::Response response;
    const uint32_t id = Id();
    if (const uint8_t code = script_.Byte(); code != 0) {
      response.mutable_status()->set_code(code);
      response.mutable_status()->set_message("m");
      response.mutable_status()->add_details()->set_value("v");
    }
    response.set_payload(std::string(script_.Counted()));
    std::string bytes;
    test::AppendMessage({.stream_id = id, .type = MessageType::kResponse},
                        response.SerializeAsString(), &bytes);
    end_->Write(bytes);
  }
  // A connection without free ids closes before its calls have ended.
  bool AtTheEnd() const {
    return Waiting() == 0 && (!client_ || (client_->closed() && client_->calls() == 0));
  }
  void TurnToTheEnd() {
    for (int i = 0; i < 50 && !AtTheEnd(); ++i) fuzz::Turn(loop_, 1);
  }
  int Waiting() const {
    int waiting = 0;
    for (const auto& call : calls_) waiting += call->waiting;
    return waiting;
  }

  fuzz::Script script_;
  ttrpc::EventLoop& loop_;
  const bool small_buffers_;
  std::optional<fuzz::RawEnd> end_;
  std::unique_ptr<ttrpc::Client> client_;
  std::vector<std::unique_ptr<Call>> calls_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Script script(data, size);
  const uint8_t settings = script.Byte();
  ttrpc::EventLoop loop;
  ttrpc::ClientOptions options;
  if ((settings & 1) != 0) options.message_size = 64;
  if ((settings & 2) != 0) options.stream_buffer = 100;
  if ((settings & 4) != 0) options.last_stream_id = 5;
  int closes = 0;
  options.on_close = [&closes](const ttrpc::Status& reason) {
    FUZZ_CHECK(!reason.ok());
    ++closes;
  };
  Session(script, loop, std::move(options)).Run();
  FUZZ_CHECK(closes <= 1);
  return 0;
}
