// SPDX-License-Identifier: Apache-2.0
//
// ttrpc-soak: the daemon under load, faults and change. run.sh tells what happens in it.
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

// Removed at the end, and if anything fails in between. bench::Fail() exits, which runs no
// destructors: what is left then shows why.
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
  app.add_option("--seconds", options.seconds, "of load")
      ->check(CLI::Range(5, 86400))
      ->capture_default_str();
  app.add_option("--connections", options.connections, "open at once")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--users", options.users, "whose connections they are")
      ->check(CLI::Range(size_t{1}, kMaxUsers))
      ->capture_default_str();
  app.add_option("--rate", options.calls_per_second, "calls a second, at most")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_option("--lost-after", options.lost_after,
                 "seconds without an answer, after which a call is lost")
      ->check(CLI::Range(1, 60))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "of all that is left to chance");
  app.add_flag("!--no-memory-check", options.check_memory, "its memory need not stay flat");
  CLI11_PARSE(app, argc, argv);
  if (::getuid() != 0) bench::Fail("must be root: the clients become other users");

  std::printf("%u connections of %u users, %llu s, seed %llu\n\n", options.connections,
              options.users, static_cast<unsigned long long>(options.seconds),
              static_cast<unsigned long long>(options.seed));
  // Before anyone forks, or it would be printed more than once.
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
