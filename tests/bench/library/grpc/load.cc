// SPDX-License-Identifier: Apache-2.0
//
// ttrpc-bench-grpc-load: does for gRPC C++ what ttrpc-bench-load does for ttrpc, with the same
// options, payloads, checks of replies and output. One completion queue and one thread.
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "../../histogram.h"
#include "../../payload.h"
#include "echo.grpc.pb.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string socket;
  uint32_t connections = 1;
  uint32_t in_flight = 1;
  size_t payload = 64;
  double seconds = 1;
  double warmup = 0.2;
  uint32_t calls = 0;
  uint32_t waits = 0;
  double lost_after = 10;
  bool hold = false;
};

Clock::duration Seconds(double seconds) {
  return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

[[noreturn]] void Fail(const std::string& what) {
  (void)std::fprintf(stderr, "error: %s\n", what.c_str());
  (void)std::fflush(stderr);
  std::_Exit(1);  // no destructors, since calls are in flight
}

// The one call of a connection, or one call of Wait. The completion queue returns it as its tag.
struct Call {
  bool waits = false;
  size_t connection = 0;
  uint64_t counter = 0;
  Clock::time_point sent_at;
  std::optional<grpc::ClientContext> context;
  bench::EchoMessage request;
  bench::EchoMessage reply;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<bench::EchoMessage>> reader;
};

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options),
        pattern_(options.payload),
        calls_(size_t{options.in_flight} * options.connections),
        waits_(size_t{options.waits} * options.connections) {}

  void Run() {
    Connect();
    const Clock::time_point start = Clock::now();
    const bool by_count = options_.calls > 0;
    from_ = by_count ? start : start + Seconds(options_.warmup);
    until_ = by_count ? start + std::chrono::minutes(1) : from_ + Seconds(options_.seconds);
    StartAll();
    while (in_flight_ > 0) {
      void* tag = nullptr;
      bool ok = false;
      const auto next = queue_.AsyncNext(
          &tag, &ok, std::chrono::system_clock::now() + Seconds(options_.lost_after));
      if (next != grpc::CompletionQueue::GOT_EVENT) {
        Fail(std::to_string(in_flight_) + " calls lost: no reply");
      }
      HandleReply(*static_cast<Call*>(tag));
    }
    Print(by_count ? std::chrono::duration<double>(Clock::now() - start).count()
                   : options_.seconds);
  }

 private:
  void Connect() {
    for (uint32_t i = 0; i < options_.connections; ++i) {
      grpc::ChannelArguments arguments;
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL,
                       1);  // without this, all channels share one connection
      stubs_.push_back(bench::Echo::NewStub(grpc::CreateCustomChannel(
          "unix:" + options_.socket, grpc::InsecureChannelCredentials(), arguments)));
      made_.push_back(0);
    }
  }

  void StartAll() {
    for (size_t i = 0; i < waits_.size(); ++i) {
      Call& call = waits_[i];
      Prepare(call, i % options_.connections);
      call.waits = true;
      call.reader = stubs_[call.connection]->AsyncWait(&*call.context, call.request, &queue_);
      call.reader->Finish(&call.reply, &call.status, &call);
    }
    for (size_t i = 0; i < calls_.size(); ++i) Issue(calls_[i], i % options_.connections);
  }

  void Prepare(Call& call, size_t connection) {
    call.connection = connection;
    call.counter = ++counter_;
    call.context.emplace();
    call.request.mutable_data()->clear();
    pattern_.AppendDataTo(*call.request.mutable_data(), call.counter);
  }

  void Issue(Call& call, size_t connection) {
    const Clock::time_point now = Clock::now();
    if (options_.calls > 0 ? made_[connection] >= options_.calls : now >= until_) return;
    Prepare(call, connection);
    call.sent_at = now;
    ++made_[connection];
    ++in_flight_;
    call.reader = stubs_[connection]->AsyncEcho(&*call.context, call.request, &queue_);
    call.reader->Finish(&call.reply, &call.status, &call);
  }

  void HandleReply(Call& call) {
    if (!call.status.ok()) Fail("status: " + call.status.error_message());
    if (call.waits) Fail("an answer to Wait");
    if (!pattern_.MatchesData(call.reply.data(), call.counter))
      Fail("a reply is not what was sent");
    const Clock::time_point now = Clock::now();
    ++checked_;
    --in_flight_;
    if (now >= from_ && now < until_) {
      latency_.Add(static_cast<uint64_t>(
          std::chrono::duration_cast<std::chrono::nanoseconds>(now - call.sent_at).count()));
    }
    Issue(call, call.connection);
  }

  void Print(double seconds) const {
    (void)std::printf(
        "{\"calls\": %llu, \"seconds\": %.3f, \"calls_per_second\": %.1f, \"p50_us\": %.2f, "
        "\"p99_us\": %.2f, \"max_us\": %.2f, \"checked\": %llu}\n",
        static_cast<unsigned long long>(latency_.total()), seconds,
        static_cast<double>(latency_.total()) / seconds, latency_.Quantile(0.5) / 1e3,
        latency_.Quantile(0.99) / 1e3, static_cast<double>(latency_.max()) / 1e3,
        static_cast<unsigned long long>(checked_));
    (void)std::fflush(stdout);
  }

  Options options_;
  bench::PayloadPattern pattern_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<bench::Echo::Stub>> stubs_;
  std::vector<uint32_t> made_;  // how many calls each connection has made
  std::vector<Call> calls_;
  std::vector<Call> waits_;
  uint64_t counter_ = 0;
  uint64_t in_flight_ = 0;
  uint64_t checked_ = 0;
  Clock::time_point from_;
  Clock::time_point until_;
  bench::Histogram latency_;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Calls the gRPC echo server of the benchmark, checks each reply, measures."};
  app.add_option("--socket", options.socket)->required();
  app.add_option("--connections", options.connections);
  app.add_option("--in-flight", options.in_flight);
  app.add_option("--payload", options.payload);
  app.add_option("--seconds", options.seconds);
  app.add_option("--warmup", options.warmup);
  app.add_option("--calls", options.calls);
  app.add_option("--waits", options.waits);
  app.add_option("--lost-after", options.lost_after);
  app.add_flag("--hold", options.hold);
  CLI11_PARSE(app, argc, argv);
  Load load(options);
  load.Run();
  char ignored[64];
  while (options.hold && ::read(STDIN_FILENO, ignored, sizeof(ignored)) > 0) {
  }
  std::_Exit(0);  // no destructors, since calls of Wait are pending
}
