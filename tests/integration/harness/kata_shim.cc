// SPDX-License-Identifier: Apache-2.0
#include "harness/kata_shim.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "harness/io.h"
#include "harness/shims_test.h"

namespace integration {

namespace {

constexpr char kEndOfRequest[] = "\r\n\r\n";
constexpr size_t kLongestRequest = 4096;

// The other side may close at any time. The destructor ends this with shutdown(2).
std::string ReadRequest(int fd) {
  std::string request;
  while (request.size() < kLongestRequest && !request.ends_with(kEndOfRequest)) {
    char byte = 0;
    const ssize_t got = ::recv(fd, &byte, 1, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    request += byte;
  }
  return request;
}

}  // namespace

std::string HttpAnswer(const std::string& body, const std::string& status) {
  return "HTTP/1.1 " + status +
         "\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

KataMonitor::KataMonitor(const std::string& directory, Script script, const Identity& owner)
    : path_(directory + "/shim-monitor.sock"), script_(std::move(script)) {
  std::filesystem::create_directories(directory);
  ::unlink(path_.c_str());
  listener_ = Bind(path_);
  constexpr int kBacklog = 16;
  int result = -1;
  RunAs(owner, [this, &result] { result = ::listen(listener_.get(), kBacklog); });
  if (result != 0) ADD_FAILURE() << "cannot listen on " << path_ << ": " << std::strerror(errno);
  thread_ = std::thread([this] { Accept(); });
}

KataMonitor::KataMonitor(const std::string& directory, std::string answer)
    : KataMonitor(directory, [answer = std::move(answer)](int fd) { SendAll(fd, answer); }) {}

KataMonitor::~KataMonitor() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (answering_ >= 0) ::shutdown(answering_, SHUT_RDWR);
  }
  ::shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
  ::unlink(path_.c_str());
}

void KataMonitor::Accept() {
  while (true) {
    const ttrpc::UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    {
      const std::lock_guard lock(mutex_);
      if (!fd || stopping_) return;
      answering_ = fd.get();
    }
    Answer(fd);
    const std::lock_guard lock(mutex_);
    answering_ = -1;
  }
}

void KataMonitor::Answer(const ttrpc::UniqueFd& fd) {
  std::string request = ReadRequest(fd.get());
  if (!request.ends_with(kEndOfRequest)) return;
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(std::move(request));
  }
  changed_.notify_all();
  script_(fd.get());
}

std::vector<std::string> KataMonitor::WaitForRequests(size_t count) const {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, kDeadline, [this, count] { return requests_.size() >= count; }))
    ADD_FAILURE() << "the monitor waited in vain for a request";
  return requests_;
}

RecordingBackend::Options AgentAnswersAs(const std::string& name) {
  RecordingBackend::Options options = AnswersAs(name);
  options.greet = [](int fd) {
    bool timed_out = false;
    const std::string expected = "CONNECT 1024\n";
    const std::string got = ReadUpTo(fd, expected.size(), &timed_out);
    if (got.empty()) return false;  // a peer that was closed at once
    EXPECT_EQ(got, expected);
    return SendAll(fd, "OK 1073741824\n");
  };
  return options;
}

}  // namespace integration
