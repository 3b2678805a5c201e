// SPDX-License-Identifier: Apache-2.0
//
// Streams of all three kinds, with server and client in one process. Usage: chat
#include <sys/socket.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "chat.ttrpc.h"
#include "ttrpc/event_loop.h"

using ttrpc::Context;
using ttrpc::Result;
using ttrpc::Status;
using ttrpc::Task;

namespace {

class ChatServer final : public example::Chat {
 public:
  Task<Status> CountDown(Context&, const example::CountRequest& request,
                         ttrpc::SendStream<example::Line>& replies) override {
    for (uint32_t n = request.from(); n > 0; --n) {
      example::Line line;
      line.set_text(std::to_string(n));
      // Waits while the client does not read. An error means that the client is gone.
      if (Status sent = co_await replies.Send(line); !sent.ok()) co_return sent;
    }
    co_return Status();
  }

  Task<Result<example::Summary>> Listen(Context&,
                                        ttrpc::ReceiveStream<example::Line>& requests) override {
    example::Summary summary;
    while (std::optional<example::Line> line = co_await requests.Receive()) {
      summary.set_lines(summary.lines() + 1);
      summary.set_bytes(summary.bytes() + static_cast<uint32_t>(line->text().size()));
    }
    // The client may have disconnected instead of closing its side.
    if (!requests.status().ok()) co_return requests.status();
    co_return summary;
  }

  Task<Status> Repeat(Context&, ttrpc::ReceiveStream<example::Line>& requests,
                      ttrpc::SendStream<example::Line>& replies) override {
    while (std::optional<example::Line> line = co_await requests.Receive()) {
      if (Status sent = co_await replies.Send(*line); !sent.ok()) co_return sent;
    }
    co_return requests.status();
  }
};

Task<Status> Talk(example::ChatClient* chat) {
  Context context;
  example::CountRequest count;
  count.set_from(3);
  auto down = chat->CountDown(context, count);
  while (std::optional<example::Line> line = co_await down.Receive())
    std::printf("count: %s\n", line->text().c_str());
  if (Status status = co_await down.Finish(); !status.ok()) co_return status;

  auto listen = chat->Listen(context);
  auto repeat = chat->Repeat(context);
  for (const char* text : {"one", "two"}) {
    example::Line line;
    line.set_text(text);
    if (Status sent = co_await listen.Send(line); !sent.ok()) co_return sent;
    if (Status sent = co_await repeat.Send(line); !sent.ok()) co_return sent;
    if (std::optional<example::Line> again = co_await repeat.Receive())
      std::printf("again: %s\n", again->text().c_str());
  }
  const Result<example::Summary> summary = co_await listen.Finish();
  if (!summary) co_return summary.error();
  std::printf("received: %u lines, %u bytes\n", summary->lines(), summary->bytes());
  co_return co_await repeat.Finish();
}

}  // namespace

int main() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) return 1;
  ttrpc::EventLoop loop;
  ChatServer service;
  ttrpc::Server server(loop.io());
  Status status = example::RegisterChat(server, service);
  server.ServeConnection(ttrpc::UniqueFd(fds[0]));
  const auto client = ttrpc::Client::Over(loop.io(), ttrpc::UniqueFd(fds[1]));
  example::ChatClient chat(*client);
  if (status.ok()) status = loop.Run(Talk(&chat));
  std::printf("%s\n", status.ToString().c_str());
  return status.ok() ? 0 : 1;
}
