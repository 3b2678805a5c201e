// SPDX-License-Identifier: Apache-2.0
//
// Daemon: the ttrpc-proxyd under test, with its configurations, its process, and its resources as
// /proc shows them. One thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace soak {

struct DaemonOptions {
  std::string program;
  std::string folder;  // for its sockets, its configuration and its log
  uint32_t users = 1;
  uint32_t connections_per_user = 1;
  uint32_t calls_per_connection = 1;
};

// Returns one of the two sockets of a backend, which is an index of kBackends.
std::string BackendSocket(const std::string& folder, size_t backend, bool other);

struct Sample {
  uint64_t resident = 0;  // bytes
  uint64_t descriptors = 0;
  double cpu_seconds = 0;
};

class Daemon {
 public:
  explicit Daemon(DaemonOptions options);
  // Kills the daemon if it still runs.
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Both configurations are good. They differ in rules, limits, listeners and the address of a
  // backend.
  enum class Good { kFirst, kSecond };
  void Write(Good good) const;
  // Writes a file that cannot be parsed or is inconsistent, in one of several ways.
  void WriteBad(uint64_t which) const;

  // Returns why the daemon is not ready, or an empty string.
  std::string Start();
  std::string listen_socket() const { return options_.folder + "/soak.sock"; }

  void Signal(int number) const;
  Sample Look() const;
  bool Ended();
  // Returns the exit status, or 128 plus the signal that ended it, or nothing if it does not end in
  // this time.
  std::optional<int> WaitForExit(uint64_t milliseconds);

  // Return everything that the daemon wrote, and how many lines of it contain these words.
  std::string Log() const;
  uint64_t CountInLog(const std::string& words) const;

 private:
  void Replace(const std::string& text) const;
  std::string Configuration(Good good) const;

  DaemonOptions options_;
  std::string config_;
  std::string log_;
  pid_t pid_ = -1;
  std::optional<int> status_;
};

}  // namespace soak
