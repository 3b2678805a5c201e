// SPDX-License-Identifier: Apache-2.0
//
// KataMonitor: the shim-monitor.sock of a Kata sandbox. It answers each HTTP request by a script.
// One thread accepts and answers, one connection after the other. Any thread may call the public
// functions.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "harness/identity.h"
#include "harness/recording_backend.h"
#include "ttrpc/unique_fd.h"

namespace integration {

// Returns a whole answer with this body.
std::string HttpAnswer(const std::string& body, const std::string& status = "200 OK");

class KataMonitor {
 public:
  // Gets the connection after its request was read. It is closed when the script returns.
  using Script = std::function<void(int fd)>;

  // Listens on `directory`/shim-monitor.sock, and makes the directory.
  KataMonitor(const std::string& directory, Script script, const Identity& owner = {});
  // Answers with these bytes.
  KataMonitor(const std::string& directory, std::string answer);
  // Closes the connection that is being answered and removes the socket.
  ~KataMonitor();
  KataMonitor(const KataMonitor&) = delete;
  KataMonitor& operator=(const KataMonitor&) = delete;

  // Waits for at least `count` requests, and returns all of them with their headers.
  std::vector<std::string> WaitForRequests(size_t count) const;

 private:
  void Accept();
  void Answer(const ttrpc::UniqueFd& fd);

  const std::string path_;
  const Script script_;
  ttrpc::UniqueFd listener_;
  std::thread thread_;

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  bool stopping_ = false;
  int answering_ = -1;  // borrowed from Accept()
  std::vector<std::string> requests_;
};

// Returns options for the agent of a sandbox behind hybrid vsock: it expects a request for port
// 1024, and answers each call with `name`.
RecordingBackend::Options AgentAnswersAs(const std::string& name);

}  // namespace integration
