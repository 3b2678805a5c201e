// SPDX-License-Identifier: Apache-2.0
//
// ttrpc-soak: tests the daemon under load, faults and change. run.sh describes the test.
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <random>
#include <string>

#include "bench/socket_io.h"
#include "soak/conductor.h"
#include "soak/report.h"

namespace soak {
namespace {

Board& MapBoard() {
  void* memory =
      ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) bench::FailErrno("mmap");
  return *new (memory) Board;
}

// The directory is removed at the end. After a failure it stays, and helps to find the cause:
// bench::Fail() exits without running destructors.
struct Folder {
  Folder() {
    if (::mkdtemp(path.data()) == nullptr || ::chmod(path.c_str(), 0711) != 0)
      bench::FailErrno("mkdtemp");
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string path = "/tmp/ttrpc-soak.XXXXXX";
};

int Run(int argc, char** argv) {
  SoakOptions options;
  options.seed = std::random_device()();
  CLI::App app{"Runs ttrpc-proxyd under load, faults and change, and reports."};
  app.add_option("--daemon", options.daemon, "ttrpc-proxyd")->required()->check(CLI::ExistingFile);
  app.add_option("--seconds", options.seconds, "how long the load lasts")
      ->check(CLI::Range(5, 86400))
      ->capture_default_str();
  app.add_option("--connections", options.connections, "how many connections are open at once")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--users", options.users, "how many users share the connections")
      ->check(CLI::Range(size_t{1}, kMaxUsers))
      ->capture_default_str();
  app.add_option("--rate", options.calls_per_second, "the most calls a second")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_option("--lost-after", options.lost_after,
                 "seconds after which a call without an answer is lost")
      ->check(CLI::Range(1, 60))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "the seed of all random choices");
  app.add_flag("!--no-memory-check", options.check_memory, "do not check that memory stays flat");
  CLI11_PARSE(app, argc, argv);
  if (::getuid() != 0) bench::Fail("must be root: the clients become other users");

  std::printf("%u connections of %u users, %llu s, seed %llu\n\n", options.connections,
              options.users, static_cast<unsigned long long>(options.seconds),
              static_cast<unsigned long long>(options.seed));
  // A child that inherited buffered output would print it again.
  (void)std::fflush(stdout);
  bench::RaiseDescriptorLimit();
  Board& board = MapBoard();
  const Folder folder;
  return Report(board, Conduct(options, folder.path, board)) ? 0 : 1;
}

}  // namespace
}  // namespace soak

int main(int argc, char** argv) {
  try {
    return soak::Run(argc, argv);
  } catch (const std::exception& error) {
    (void)std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
