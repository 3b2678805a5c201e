// SPDX-License-Identifier: Apache-2.0
//
// Serves example.Greeter. Usage: greeter_server unix:///tmp/greeter.sock
#include <cstdio>

#include "greeter.ttrpc.h"
#include "ttrpc/event_loop.h"

using ttrpc::Context;
using ttrpc::Result;
using ttrpc::Status;
using ttrpc::StatusCode;
using ttrpc::Task;

namespace {

class Greeter final : public example::Greeter {
 public:
  Task<Result<example::HelloReply>> SayHello(Context&,
                                             const example::HelloRequest& request) override {
    if (request.name().empty()) co_return Status(StatusCode::kInvalidArgument, "nobody to greet");
    example::HelloReply reply;
    reply.set_message("Hello, " + request.name() + "!");
    co_return reply;
  }
};

int Serve(const char* text) {
  const auto address = ttrpc::Address::Parse(text);
  if (!address) {
    std::fprintf(stderr, "%s: %s\n", text, address.error().message().c_str());
    return 64;
  }
  ttrpc::EventLoop loop;
  Greeter greeter;
  ttrpc::Server server(loop.io());
  Status status = example::RegisterGreeter(server, greeter);
  if (status.ok()) status = server.Listen(*address);
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
  std::fprintf(stderr, "usage: greeter_server ADDRESS\n");
  return 64;
}
