// SPDX-License-Identifier: Apache-2.0
#include "call_command.h"

#include <sysexits.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "input.h"
#include "json_codec.h"
#include "requests.h"
#include "splitter.h"
#include "standard_output.h"
#include "status_report.h"
#include "text/escape.h"
#include "ttrpc/client.h"
#include "ttrpc/event_loop.h"
#include "ttrpc/handshaker.h"

namespace ttrpc::tool {

using text::Printable;
using text::PrintableLines;

namespace {

using google::protobuf::MethodDescriptor;

// Notes that a connection was made, to distinguish a server that cannot be reached from one that
// closed the connection.
class NoteConnected final : public Handshaker {
 public:
  // `connected` must outlive the handshaker.
  explicit NoteConnected(bool* connected) : connected_(connected) {}

  Task<Result<Handshaken>> Handshake(IoLoop&, UniqueFd socket) override {
    *connected_ = true;
    // NOLINTNEXTLINE(clang-analyzer-cplusplus.Move): it was not; this is a coroutine's parameter
    co_return Handshaken(std::move(socket));
  }

 private:
  bool* connected_;
};

class Caller {
 public:
  // All arguments must outlive the Caller. `descriptor` is null with --raw.
  Caller(EventLoop& loop, const Options& options, const Schema* schema,
         const MethodDescriptor* descriptor)
      : loop_(loop),
        options_(options),
        descriptor_(descriptor),
        method_(
            options.method.service, options.method.method,
            descriptor == nullptr ? options.raw_client_streams : descriptor->client_streaming(),
            descriptor == nullptr ? options.raw_server_streams : descriptor->server_streaming()),
        codec_(schema == nullptr ? nullptr : &schema->pool(), options.style,
               options.allow_unknown_fields) {}

  // Returns the exit status.
  Task<int> Run();

 private:
  Result<Requests> OpenRequests();
  void Dial();
  void Prepare(Context* context) const;
  Task<Status> CallUnary(Context& context, std::string request);
  Task<Status> CallStream(Context& context, std::optional<std::string> request, Requests& requests);
  Task<void> SendAll(Context& context, RawClientStream& stream, Requests& requests);
  Status Print(const std::string& reply);
  // Notes a failure of the program itself rather than of the call. It decides the exit status.
  Status Fail(int exit_status, Status why);
  Status Explained(const Status& status) const;
  int Report(const Status& ended);

  EventLoop& loop_;
  const Options& options_;
  const MethodDescriptor* descriptor_;
  MethodInfo method_;
  JsonCodec codec_;
  bool connected_ = false;          // connected to the server
  bool answered_ = false;           // by a reply; a status alone does not count
  bool marked_ = false;             // a reply had a value without a JSON form
  std::optional<int> exit_status_;  // set by Fail()
  Status failure_;
  std::unique_ptr<Client> client_;
};

Task<int> Caller::Run() {
  Result<Requests> requests = OpenRequests();
  if (!requests) co_return Report(Fail(EX_DATAERR, requests.error()));
  std::optional<std::string> request;
  if (!method_.client_streams) {
    Result<std::string> only = co_await requests->Only();
    if (!only) co_return Report(Fail(EX_DATAERR, only.error()));
    request = std::move(*only);
  }
  Dial();
  Context context;
  Prepare(&context);
  Status status;
  // An `if`, because g++ 12 destroys the result of a co_await inside `?:`.
  if (method_.unary()) {
    status = co_await CallUnary(context, std::move(*request));
  } else {
    status = co_await CallStream(context, std::move(request), *requests);
  }
  co_return Report(status);
}

Result<Requests> Caller::OpenRequests() {
  std::unique_ptr<Input> input;
  if (options_.data) {
    Result<std::unique_ptr<Input>> opened = OpenInput(loop_, *options_.data);
    if (!opened) return opened.error();
    input = std::move(*opened);
  }
  if (descriptor_ == nullptr) {
    return Requests(std::move(input),
                    method_.client_streams ? DelimitedSplitter() : WholeSplitter(),
                    [](std::string message) { return Result<std::string>(std::move(message)); });
  }
  return Requests(std::move(input), JsonSplitter(), [this](const std::string& message) {
    return codec_.ToBytes(*descriptor_->input_type(), message);
  });
}

void Caller::Dial() {
  ClientOptions options;
  options.handshaker = std::make_unique<NoteConnected>(&connected_);
  options.connect_timeout = options_.connect_timeout;
  options.message_size = options_.message_size;
  client_ = Client::Dial(loop_.io(), *options_.address, std::move(options));
}

void Caller::Prepare(Context* context) const {
  for (const auto& [key, value] : options_.metadata) context->metadata().Append(key, value);
  if (options_.timeout) context->set_timeout(*options_.timeout);
}

Task<Status> Caller::CallUnary(Context& context, std::string request) {
  const Result<std::string> reply = co_await client_->Call(method_, context, std::move(request));
  co_return reply ? Print(*reply) : reply.error();
}

Task<Status> Caller::CallStream(Context& context, std::optional<std::string> request,
                                Requests& requests) {
  const std::unique_ptr<RawClientStream> stream =
      client_->OpenStream(method_, context, std::move(request));
  TaskGroup sender;
  if (method_.client_streams) sender.Spawn(SendAll(context, *stream, requests));
  while (const std::optional<std::string> reply = co_await stream->Receive()) {
    if (Status status = Print(*reply); !status.ok()) co_return status;
  }
  // The call has ended, so the rest of the input does not matter.
  sender.Clear();
  const Result<std::string> reply = co_await stream->Finish();
  if (!reply) co_return reply.error();
  co_return method_.server_streams ? Status() : Print(*reply);
}

Task<void> Caller::SendAll(Context& context, RawClientStream& stream, Requests& requests) {
  while (true) {
    Result<std::optional<std::string>> request = co_await requests.Next();
    if (!request) {
      context.Cancel(Fail(EX_DATAERR, request.error()));
      co_return;
    }
    if (!*request) break;
    const Status sent = co_await stream.Send(std::move(**request));
    // A message that is too long does not end the stream by itself.
    if (!sent.ok() && stream.status().ok()) context.Cancel(sent);
    if (!sent.ok()) co_return;
  }
  stream.CloseSend();
}

Status Caller::Print(const std::string& reply) {
  answered_ = true;
  std::string bytes;
  std::vector<std::string> problems;
  if (descriptor_ != nullptr) {
    Result<std::string> json = codec_.ToJson(*descriptor_->output_type(), reply, &problems);
    if (!json) return Fail(EX_DATAERR, {json.error().code(), "reply: " + json.error().message()});
    bytes = std::move(*json);
  } else if (method_.server_streams) {
    AppendDelimited(reply, &bytes);
  } else {
    bytes = reply;
  }
  const Status written = Write(STDOUT_FILENO, bytes);
  for (const std::string& problem : problems) {
    marked_ = true;
    (void)Write(STDERR_FILENO, "ttrpc: reply: " + Printable(problem) + "\n");
  }
  return written.ok() ? written : Fail(EX_IOERR, written);
}

Status Caller::Fail(int exit_status, Status why) {
  exit_status_ = exit_status;
  failure_ = why;
  return why;
}

// A server closes the connection without a word if it does not admit the user.
Status Caller::Explained(const Status& status) const {
  const bool lost = status == Status(StatusCode::kUnavailable, "ttrpc: closed");
  if (!lost || answered_ || client_ == nullptr || !client_->closed()) return status;
  return {status.code(),
          status.message() + " before an answer; the server may not admit this user"};
}

int Caller::Report(const Status& ended) {
  const Status status = Explained(ended);
  std::string text;
  int exit_status = status.ok() && marked_ ? EX_DATAERR : ExitStatus(status.code());
  if (exit_status_) {
    exit_status = *exit_status_;
    text = "ttrpc: " + PrintableLines(failure_.message()) + "\n";
  } else if (status.code() == StatusCode::kUnavailable && !connected_) {
    exit_status = EX_UNAVAILABLE;
    text = options_.status_as_json ? StatusAsJson(status, &codec_)
                                   : "ttrpc: cannot connect: " + status.message() + "\n";
  } else if (!status.ok()) {
    text = options_.status_as_json ? StatusAsJson(status, &codec_) : StatusAsText(status, &codec_);
  }
  // If standard error cannot be written, the exit status still reports the outcome.
  (void)Write(STDERR_FILENO, text);
  return exit_status;
}

}  // namespace

int RunCall(const Options& options, const Schema* schema) {
  const MethodDescriptor* descriptor = nullptr;
  if (schema != nullptr) {
    const auto found = schema->FindMethod(options.method.service, options.method.method);
    if (!found) {
      (void)Write(STDERR_FILENO, "ttrpc: " + found.error().message() + "\n");
      return EX_DATAERR;
    }
    descriptor = *found;
  }
  // Go's server crashes on a data message for a unary method, up to 1.2.10 at least. The end of the
  // client's side is also such a message. A call that only the server streams has none.
  if (options.raw_client_streams) {
    (void)Write(STDERR_FILENO,
                "ttrpc: warning: some servers in Go crash if " + options.method.method +
                    " does not take a stream; --proto or --descriptor-set prevents this\n");
  }
  EventLoop loop;
  Caller caller(loop, options, schema, descriptor);
  return loop.Run(caller.Run());
}

}  // namespace ttrpc::tool
