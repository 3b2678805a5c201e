// SPDX-License-Identifier: Apache-2.0
//
// ttrpc-bench-grpc: the echo server of the library benchmark on gRPC C++. It uses the interface
// that gRPC's documentation recommends (callbacks). It runs until it is killed.
#include <grpcpp/grpcpp.h>

#include <cstdio>
#include <memory>
#include <string>

#include "echo.grpc.pb.h"

namespace {

class EchoServer final : public bench::Echo::CallbackService {
  grpc::ServerUnaryReactor* Echo(grpc::CallbackServerContext* context,
                                 const bench::EchoMessage* request,
                                 bench::EchoMessage* reply) override {
    *reply = *request;
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerUnaryReactor* Wait(grpc::CallbackServerContext* context, const bench::EchoMessage*,
                                 bench::EchoMessage*) override {
    return context->DefaultReactor();
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    (void)std::fprintf(stderr, "usage: ttrpc-bench-grpc SOCKET\n");
    return 64;
  }
  EchoServer echo;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(std::string("unix:") + argv[1], grpc::InsecureServerCredentials());
  builder.RegisterService(&echo);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server) return 1;
  server->Wait();
}
