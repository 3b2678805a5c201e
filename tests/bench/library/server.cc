// SPDX-License-Identifier: Apache-2.0
//
// ttrpc-bench-server: the echo server of the library benchmark, as one would write it with
// libttrpc. It runs until it is killed.
#include <sys/resource.h>
#include <ttrpc/address.h>
#include <ttrpc/context.h>
#include <ttrpc/event_loop.h>
#include <ttrpc/server.h>
#include <ttrpc/status.h>
#include <ttrpc/task.h>

#include <cstdio>
#include <string>

#include "echo.pb.h"
#include "echo.ttrpc.h"

namespace {

class EchoServer final : public bench::Echo {
 public:
  ttrpc::Task<ttrpc::Result<bench::EchoMessage>> Echo_(ttrpc::Context&,
                                                       const bench::EchoMessage& request) override {
    co_return request;
  }
  ttrpc::Task<ttrpc::Result<bench::EchoMessage>> Wait(ttrpc::Context& context,
                                                      const bench::EchoMessage&) override {
    co_await context.Cancelled();
    co_return context.status();
  }
};

void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

int Fail(const ttrpc::Status& status) {
  (void)std::fprintf(stderr, "error: %s\n", status.message().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    (void)std::fprintf(stderr, "usage: ttrpc-bench-server SOCKET\n");
    return 64;
  }
  RaiseDescriptorLimit();
  const auto address = ttrpc::Address::Parse(std::string("unix://") + argv[1]);
  if (!address) return Fail(address.error());
  ttrpc::EventLoop loop;
  EchoServer echo;
  ttrpc::Server server(loop.io());
  if (ttrpc::Status status = bench::RegisterEcho(server, echo); !status.ok()) return Fail(status);
  if (ttrpc::Status status = server.Listen(*address); !status.ok()) return Fail(status);
  loop.RunForever();
}
