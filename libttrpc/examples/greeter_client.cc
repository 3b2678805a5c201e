// SPDX-License-Identifier: Apache-2.0
//
// Calls example.Greeter and waits for the reply. Usage: greeter_client unix:///tmp/greeter.sock
// World
#include <chrono>
#include <cstdio>

#include "greeter.ttrpc.h"
#include "ttrpc/event_loop.h"

namespace {

int Greet(const char* text, const char* name) {
  const auto address = ttrpc::Address::Parse(text);
  if (!address) {
    std::fprintf(stderr, "%s: %s\n", text, address.error().message().c_str());
    return 64;
  }
  ttrpc::EventLoop loop;
  const auto client = ttrpc::Client::Dial(loop.io(), *address);
  example::GreeterClient greeter(*client);

  ttrpc::Context context;
  context.set_timeout(std::chrono::seconds(2));
  example::HelloRequest request;
  request.set_name(name);
  const auto reply = loop.Run(greeter.SayHello(context, request));
  if (!reply) {
    std::fprintf(stderr, "%s\n", reply.error().ToString().c_str());
    return 1;
  }
  std::printf("%s\n", reply->message().c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3) return Greet(argv[1], argv[2]);
  std::fprintf(stderr, "usage: greeter_client ADDRESS NAME\n");
  return 64;
}
