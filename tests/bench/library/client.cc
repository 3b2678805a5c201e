// SPDX-License-Identifier: Apache-2.0
//
// ttrpc-bench-client: measures what a libttrpc client holds for each pending call. It connects,
// makes a first call and prints `connected`. After a line on standard input it makes calls of Wait,
// which are never answered, and prints `pending`. It ends when its standard input does.
#include <ttrpc/address.h>
#include <ttrpc/client.h>
#include <ttrpc/context.h>
#include <ttrpc/event_loop.h>
#include <ttrpc/status.h>
#include <ttrpc/task.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "echo.pb.h"
#include "echo.ttrpc.h"

namespace {

constexpr size_t kPayload = 64;

[[noreturn]] void Fail(const ttrpc::Status& status) {
  (void)std::fprintf(stderr, "error: %s\n", status.ToString().c_str());
  std::exit(1);
}

void PrintAndWait(const char* line) {
  (void)std::puts(line);
  (void)std::fflush(stdout);
  char ignored[64];
  if (::read(STDIN_FILENO, ignored, sizeof(ignored)) <= 0) std::exit(0);
}

bench::EchoMessage Message() {
  bench::EchoMessage message;
  message.set_data(std::string(kPayload, 'x'));
  return message;
}

// A connection and the calls that wait on it.
struct Connection {
  std::unique_ptr<ttrpc::Client> client;
  std::unique_ptr<bench::EchoClient> echo;
  ttrpc::Context context;
  ttrpc::TaskGroup waiting;
};

// The answer shows that the server has read everything that was sent before.
void Echo(ttrpc::EventLoop& loop, Connection& connection) {
  const bench::EchoMessage message = Message();
  const auto reply = loop.Run(connection.echo->Echo_(connection.context, message));
  if (!reply) Fail(reply.error());
  if (reply->data() != message.data()) {
    Fail({ttrpc::StatusCode::kInternal, "the reply is not what was sent"});
  }
}

ttrpc::Task<void> Wait(bench::Echo& echo, ttrpc::Context& context) {
  const auto reply = co_await echo.Wait(context, Message());
  Fail(reply ? ttrpc::Status(ttrpc::StatusCode::kInternal, "an answer to Wait") : reply.error());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    (void)std::fprintf(stderr, "usage: ttrpc-bench-client SOCKET CONNECTIONS CALLS-ON-EACH\n");
    return 64;
  }
  const auto address = ttrpc::Address::Parse(std::string("unix://") + argv[1]);
  if (!address) Fail(address.error());
  const size_t calls = std::strtoul(argv[3], nullptr, 10);

  ttrpc::EventLoop loop;
  std::vector<Connection> connections(std::strtoul(argv[2], nullptr, 10));
  for (Connection& connection : connections) {
    connection.client = ttrpc::Client::Dial(loop.io(), *address);
    connection.echo = std::make_unique<bench::EchoClient>(*connection.client);
    Echo(loop, connection);
  }
  PrintAndWait("connected");
  for (Connection& connection : connections) {
    for (size_t i = 0; i < calls; ++i) {
      connection.waiting.Spawn(Wait(*connection.echo, connection.context));
    }
    Echo(loop, connection);
  }
  PrintAndWait("pending");
  std::_Exit(0);
}
