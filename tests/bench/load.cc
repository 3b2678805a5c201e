// SPDX-License-Identifier: Apache-2.0
//
// ttrpc-bench-load: the command line of the load generator. It prints one JSON object on standard
// output. If a single reply is wrong or missing, it prints nothing there and exits 1. One thread.
#include <grp.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>

#include "generator.h"

namespace {

void Print(const bench::LoadResult& result) {
  (void)std::printf(
      "{\"calls\": %llu, \"seconds\": %.3f, \"calls_per_second\": %.1f, \"p50_us\": %.2f, "
      "\"p99_us\": %.2f, \"p999_us\": %.2f, \"max_us\": %.2f, \"checked\": %llu}\n",
      static_cast<unsigned long long>(result.calls), result.seconds,
      static_cast<double>(result.calls) / result.seconds, result.latency.Quantile(0.5) / 1e3,
      result.latency.Quantile(0.99) / 1e3, result.latency.Quantile(0.999) / 1e3,
      static_cast<double>(result.latency.max()) / 1e3,
      static_cast<unsigned long long>(result.checked));
  (void)std::fflush(stdout);
}

// The parent process keeps this standard input open for as long as the connections should stay.
void WaitForEndOfInput() {
  char ignored[64];
  while (::read(STDIN_FILENO, ignored, sizeof(ignored)) > 0) {
  }
}

void Become(uint32_t id) {
  if (::setgroups(0, nullptr) != 0 || ::setresgid(id, id, id) != 0 || ::setresuid(id, id, id) != 0)
    bench::FailErrno("cannot become user " + std::to_string(id));
}

int Run(int argc, char** argv) {
  bench::LoadOptions options;
  bool hold = false;
  uint32_t user = 0;
  CLI::App app{"Calls the echo backend of the benchmark, checks each reply, measures."};
  app.add_option("--socket", options.socket, "path of the Unix socket to call")->required();
  app.add_option("--connections", options.connections, "connections")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--in-flight", options.in_flight, "calls in flight on each connection")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--payload", options.payload, "bytes of data in each request")
      ->check(CLI::Range(bench::PayloadPattern::kMinSize, bench::kMaxPayloadSize))
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "time to measure")
      ->check(CLI::Range(0.01, 600.0))
      ->capture_default_str();
  app.add_option("--warmup", options.warmup, "time before that, not measured")
      ->check(CLI::Range(0.0, 600.0))
      ->capture_default_str();
  app.add_option("--calls", options.calls,
                 "make this many calls on each connection, for as long as that takes");
  app.add_option("--status", options.status, "code of the status that each call must end with")
      ->capture_default_str();
  app.add_option("--waits", options.waits,
                 "before that, make this many calls of Wait, which is never answered, on each");
  app.add_option("--lost-after", options.lost_after,
                 "seconds without any reply, after which calls in flight count as lost")
      ->check(CLI::Range(0.1, 600.0))
      ->capture_default_str();
  app.add_option("--task", options.task.id,
                 "call State of containerd's Task service for the task of this id");
  app.add_option("--namespace", options.task.name_space, "the namespace of that task")
      ->capture_default_str();
  app.add_option("--user", user, "become this uid, and the gid of that number, before connecting");
  app.add_flag("--hold", hold, "keep the connections open until standard input ends");
  CLI11_PARSE(app, argc, argv);

  bench::RaiseDescriptorLimit();
  if (user != 0) Become(user);
  bench::Generator generator(options);
  Print(generator.Run());
  if (hold) WaitForEndOfInput();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Run(argc, argv);
  } catch (const std::exception& error) {
    (void)std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
