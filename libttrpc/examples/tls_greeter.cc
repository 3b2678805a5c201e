// SPDX-License-Identifier: Apache-2.0
//
// example.Greeter over TLS, where both sides identify each other by certificates. Usage:
//   tls_greeter serve ADDRESS DIRECTORY
//   tls_greeter call ADDRESS DIRECTORY NAME
// DIRECTORY contains ca.pem and either server.pem and server.key, or client.pem and client.key. The
// server's certificate must be issued for "greeter".
#include <ttrpc/client.h>
#include <ttrpc/event_loop.h>
#include <ttrpc/server.h>

#include <chrono>
#include <csignal>
#include <iostream>
#include <string>

#include "greeter.ttrpc.h"
#include "tls_handshaker.h"

namespace {

class Greeter final : public example::Greeter {
 public:
  ttrpc::Task<ttrpc::Result<example::HelloReply>> SayHello(
      ttrpc::Context& context, const example::HelloRequest& request) override {
    // The session that TlsHandshaker made for the connection.
    const auto* session = static_cast<const example::TlsSession*>(context.session());
    example::HelloReply reply;
    reply.set_message("Hello, " + request.name() + ", says " + session->peer() + "'s certificate.");
    co_return reply;
  }
};

int Fail(const ttrpc::Status& status) {
  std::cerr << "tls_greeter: " << status << '\n';
  return 1;
}

example::TlsOptions FilesOf(const std::string& folder, const std::string& side) {
  example::TlsOptions options;
  options.certificate = folder + "/" + side + ".pem";
  options.key = folder + "/" + side + ".key";
  options.authority = folder + "/ca.pem";
  return options;
}

int Serve(const ttrpc::Address& address, const std::string& folder) {
  auto tls = example::TlsHandshaker::Create(FilesOf(folder, "server"));
  if (!tls) return Fail(tls.error());
  ttrpc::ServerOptions options;
  options.handshaker = std::move(*tls);
  options.on_trouble = [](const ttrpc::Status& what) { std::cout << what << std::endl; };

  ttrpc::EventLoop loop;
  Greeter greeter;
  ttrpc::Server server(loop.io(), std::move(options));
  if (ttrpc::Status status = example::RegisterGreeter(server, greeter); !status.ok())
    return Fail(status);
  if (ttrpc::Status status = server.Listen(address); !status.ok()) return Fail(status);
  std::cout << "listening" << std::endl;
  loop.RunForever();
  return 0;
}

int Call(const ttrpc::Address& address, const std::string& folder, const std::string& name) {
  example::TlsOptions files = FilesOf(folder, "client");
  files.client = true;
  files.server_name = "greeter";
  auto tls = example::TlsHandshaker::Create(files);
  if (!tls) return Fail(tls.error());
  ttrpc::ClientOptions options;
  options.handshaker = std::move(*tls);

  ttrpc::EventLoop loop;
  const auto client = ttrpc::Client::Dial(loop.io(), address, std::move(options));
  example::GreeterClient greeter(*client);
  example::HelloRequest request;
  request.set_name(name);
  ttrpc::Context context;
  context.set_timeout(std::chrono::seconds(5));
  const ttrpc::Result<example::HelloReply> reply = loop.Run(greeter.SayHello(context, request));
  if (!reply) return Fail(reply.error());
  std::cout << reply->message() << '\n';
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  const bool serve = command == "serve" && argc == 4;
  if (!serve && !(command == "call" && argc == 5)) {
    std::cerr << "usage: tls_greeter serve ADDRESS DIRECTORY\n"
                 "       tls_greeter call ADDRESS DIRECTORY NAME\n";
    return 64;
  }
  const ttrpc::Result<ttrpc::Address> address = ttrpc::Address::Parse(argv[2]);
  if (!address) return Fail(address.error());
  ::signal(SIGPIPE, SIG_IGN);  // see tls_handshaker.h
  return serve ? Serve(*address, argv[3]) : Call(*address, argv[3], argv[4]);
}
