// SPDX-License-Identifier: Apache-2.0
//
// Serves example.Greeter only to root, and replies with the ids of the caller. Usage: root_server
// unix:///tmp/root.sock
//
// The socket's mode lets everybody connect, so only the handshaker keeps other users out.
#include <cstdio>
#include <string>
#include <utility>

#include "greeter.ttrpc.h"
#include "ttrpc/event_loop.h"
#include "ttrpc/handshaker.h"

using ttrpc::Context;
using ttrpc::Result;
using ttrpc::Status;
using ttrpc::Task;

namespace {

class Greeter final : public example::Greeter {
 public:
  Task<Result<example::HelloReply>> SayHello(Context& context,
                                             const example::HelloRequest& request) override {
    // The kernel reported these ids to the handshaker. The client cannot choose them.
    const ttrpc::UnixCredentials& caller = *context.credentials();
    example::HelloReply reply;
    reply.set_message("Hello, " + request.name() + ", uid " + std::to_string(caller.uid) + " gid " +
                      std::to_string(caller.gid) + "!");
    co_return reply;
  }
};

int Serve(const char* text) {
  const auto address = ttrpc::Address::Parse(text);
  if (!address) {
    std::fprintf(stderr, "%s: %s\n", text, address.error().message().c_str());
    return 64;
  }
  ttrpc::ServerOptions options;
  options.handshaker = ttrpc::RequireRoot();
  options.on_trouble = [](const Status& what) {
    std::fprintf(stderr, "refused: %s\n", what.ToString().c_str());
  };
  ttrpc::EventLoop loop;
  Greeter greeter;
  ttrpc::Server server(loop.io(), std::move(options));
  ttrpc::ListeningSocketOptions socket(*address);
  if (address->kind() == ttrpc::Address::Kind::kUnixPath) socket.mode = 0666;
  Status status = example::RegisterGreeter(server, greeter);
  if (status.ok()) status = server.Listen(socket);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    return 1;
  }
  std::puts("ready");
  std::fflush(stdout);
  loop.RunForever();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2) return Serve(argv[1]);
  std::fprintf(stderr, "usage: root_server ADDRESS\n");
  return 64;
}
