// SPDX-License-Identifier: Apache-2.0
//
// Daemon: the ttrpc-proxyd under test: its configurations, its process, and what /proc says of it.
// One thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace soak {

struct DaemonOptions {
  std::string program;
  std::string folder;  // of its sockets, its configuration and its log
  uint32_t users = 1;
  uint32_t connections_per_user = 1;
  uint32_t calls_per_connection = 1;
};

// The two sockets of a backend, by its place in kBackends.
std::string BackendSocket(const std::string& folder, size_t backend, bool other);

struct Sample {
  uint64_t resident = 0;  // bytes
  uint64_t descriptors = 0;
  double cpu_seconds = 0;
};

class Daemon {
 public:
  explicit Daemon(DaemonOptions options);
  // Kills it if it still runs.
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Both are good, and differ in rules, limits, listeners and the address of a backend.
  enum class Good { kFirst, kSecond };
  void Write(Good good) const;
  // Does not read, or does not hold together, in one of several ways.
  void WriteBad(uint64_t which) const;

  // Empty, or why it is not ready.
  std::string Start();
  std::string listen_socket() const { return options_.folder + "/soak.sock"; }

  void Signal(int number) const;
  Sample Look() const;
  bool Ended();
  // 128 and the signal that ended it; nothing: it did not end within this time.
  std::optional<int> WaitForExit(uint64_t milliseconds);

  // What it wrote, and how many lines of that have these words.
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
