// SPDX-License-Identifier: Apache-2.0
//
// A user who floods the audit affects no other user. With on_error = "refuse-calls" each call that
// reached a backend has its line, and one user's lines never cause another user's calls to be
// refused.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>
#include <vector>

#include "harness/proxy_test.h"

namespace integration {
namespace {

using nlohmann::json;

constexpr uid_t kFlooding = 1000;
constexpr uid_t kOther = 1001;
constexpr uid_t kLast = 1002;
constexpr size_t kBatch = 128;

constexpr char kRules[] = R"(
[[rule]]
name = "unary"
users = ["*"]
methods = ["/test.Unary/*"]
action = "allow"
backend = "back"
)";

// This call is refused before it reaches a backend. Its line is as long as a client can make it.
const Call kOverAtOnce = {.timeout_nano = -1,
                          .metadata = {{"traceparent", std::string(2048, '\x01')}}};
const Call kHold = {.method = "Hold"};
const Call kLongName = {.method = std::string(256, 'M')};

BackendReply EchoAllButHold(const WireMessage& message) {
  if (message.data.find("Hold") != std::string::npos) return {};
  return {.bytes = Encode(Response(message.stream_id, ""))};
}

class AuditSharesTest : public ProxyTest {
 protected:
  // The audit goes into a named pipe, which nobody reads before StartReading().
  void StartWithPipe(const std::string& keys) {
    const std::string path = folder_ / "pipe";
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    pipe_.reset(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(pipe_.valid());
    Start({.head = "[audit]\ncalls = \"all\"\ntarget = \"file:" + path + "\"\n" + keys,
           .rules = kRules,
           .server = {.script = EchoAllButHold}});
  }
  void StartReading() {
    reader_ = std::thread([this] {
      char bytes[65536];
      while (true) {
        const ssize_t n = ::read(pipe_.get(), bytes, sizeof bytes);
        if (n <= 0) return;
        const bool last = bytes[n - 1] == '\0';
        written_.append(bytes, static_cast<size_t>(last ? n - 1 : n));
        if (last) return;
        const std::string user = "\"uid\":" + std::to_string(kLast) + ",";
        const size_t before = written_.size() - static_cast<size_t>(n);
        if (written_.find(user, before - std::min(before, user.size())) != std::string::npos)
          last_is_read_ = true;
      }
    });
  }
  // Waits until everything that was audited so far has been read. The daemon writes lines in order,
  // so a line of a user who comes last shows that. At its end it would not wait for a slow reader.
  void AwaitReading() {
    RawPeer peer = Peer({.uid = kLast, .gid = kLast});
    EXPECT_TRUE(Eventually([&] {
      CallMany(peer, {});
      return last_is_read_.load() || HasFailure();
    }));
  }
  void TearDown() override {
    ProxyTest::TearDown();
    if (!reader_.joinable()) return;
    EXPECT_EQ(::write(pipe_.get(), "", 1), 1);
    reader_.join();
  }
  // Ends the daemon. Returns everything that the audit wrote.
  std::vector<json> Lines() {
    TearDown();
    std::vector<json> lines;
    std::istringstream text(written_);
    for (std::string line; std::getline(text, line);) lines.push_back(json::parse(line));
    return lines;
  }
  static size_t CountOf(const std::vector<json>& lines, uid_t uid, const std::string& code) {
    return static_cast<size_t>(std::count_if(lines.begin(), lines.end(), [&](const json& line) {
      return line.value("event", "") == "call" && line.value("uid", uid + 1) == uid &&
             line.value("code", "") == code;
    }));
  }

  // Sends a batch of calls and receives their answers. Returns how many a backend answered.
  static size_t CallMany(RawPeer& peer, const Call& call) {
    std::string bytes;
    for (uint32_t i = 0; i < kBatch; ++i) bytes += Encode(Request(2 * i + 1, call));
    EXPECT_TRUE(peer.Send(bytes));
    size_t answered = 0;
    for (size_t i = 0; i < kBatch; ++i) {
      const std::optional<WireMessage> answer = peer.Receive();
      if (!answer.has_value()) {
        ADD_FAILURE() << "the connection ended";
        break;
      }
      if (*answer == Response(answer->stream_id, "")) ++answered;
    }
    return answered;
  }
  // Makes calls until most of them are refused.
  static size_t CallUntilRefused(RawPeer& peer, const Call& call) {
    size_t answered = 0;
    EXPECT_TRUE(Eventually([&] {
      const size_t now = CallMany(peer, call);
      answered += now;
      return now < kBatch / 2 || HasFailure();
    }));
    return answered;
  }

  ttrpc::UniqueFd pipe_;
  std::thread reader_;
  std::string written_;
  std::atomic<bool> last_is_read_ = false;
};

TEST_F(AuditSharesTest, CallsThatEndAtOnceTakeNobodysPlace) {
  constexpr size_t kHeld = 50;
  StartWithPipe("on_error = \"refuse-calls\"\n");
  RawPeer other = Peer({.uid = kOther, .gid = kOther});
  for (uint32_t i = 0; i < kHeld; ++i) EXPECT_TRUE(other.Send(Request(2 * i + 1, kHold)));
  backend_->WaitForMessages(0, kHeld);

  // The queue and the pipe could not hold one line for each of these calls.
  RawPeer flooding = Peer({.uid = kFlooding, .gid = kFlooding});
  for (int i = 0; i < 80; ++i) EXPECT_EQ(CallMany(flooding, kOverAtOnce), 0U);
  RawPeer root = Peer();
  EXPECT_EQ(CallMany(root, {}), kBatch);
  RawPeer another = Peer({.uid = kOther, .gid = kOther});
  EXPECT_EQ(CallMany(another, {}), kBatch);

  other.Close();  // its calls end while nothing is written
  StartReading();
  AwaitReading();
  const std::vector<json> lines = Lines();
  EXPECT_EQ(CountOf(lines, kOther, "CANCELLED"), kHeld);
  EXPECT_EQ(CountOf(lines, kOther, "OK"), kBatch);
  EXPECT_EQ(CountOf(lines, 0, "OK"), kBatch);
  EXPECT_EQ(daemon_->log().find("lines are being lost"), std::string::npos);
}

TEST_F(AuditSharesTest, WhoFillsTheQueueIsRefusedAloneAndEachCallOfABackendHasItsLine) {
  StartWithPipe("on_error = \"refuse-calls\"\n");
  RawPeer flooding = Peer({.uid = kFlooding, .gid = kFlooding});
  const size_t answered = CallUntilRefused(flooding, kLongName);
  EXPECT_GT(answered, 1000U) << "it has a queue";
  RawPeer root = Peer();
  RawPeer other = Peer({.uid = kOther, .gid = kOther});
  EXPECT_EQ(CallMany(root, {}), kBatch);
  EXPECT_EQ(CallMany(other, {}), kBatch);
  const size_t more = CallMany(flooding, kLongName);
  EXPECT_LT(more, kBatch) << "what the others used is not left for it";

  StartReading();
  AwaitReading();
  const std::vector<json> lines = Lines();
  EXPECT_EQ(CountOf(lines, kFlooding, "OK"), answered + more);
  EXPECT_EQ(CountOf(lines, kOther, "OK"), kBatch);
  EXPECT_EQ(CountOf(lines, 0, "OK"), kBatch);
}

// Whether a call gets a line is decided when the call is allowed.
TEST_F(AuditSharesTest, ReloadNeitherTakesTheLineOfACallNorMakesOneOfNothing) {
  StartWithPipe("on_error = \"refuse-calls\"\n");
  RawPeer audited = Peer({.uid = kOther, .gid = kOther});
  EXPECT_TRUE(audited.Send(Request(1, kHold)));
  backend_->WaitForMessages(0, 1);
  const std::string head = "\ntarget = \"file:" + (folder_ / "pipe") + "\"\n";
  WriteConfig({.head = "[audit]\ncalls = \"none\"" + head, .rules = kRules});
  Reload("reloaded: ");
  RawPeer unaudited = Peer({.uid = kFlooding, .gid = kFlooding});
  EXPECT_TRUE(unaudited.Send(Request(1, kHold)));
  backend_->WaitForMessages(1, 1);
  audited.Close();
  StartReading();
  WriteConfig({.head = "[audit]\ncalls = \"all\"" + head, .rules = kRules});
  Reload("reloaded: ");
  unaudited.Close();
  const std::vector<json> lines = Lines();
  EXPECT_EQ(CountOf(lines, kOther, "CANCELLED"), 1U);
  EXPECT_EQ(CountOf(lines, kFlooding, "CANCELLED"), 0U);
}

TEST_F(AuditSharesTest, LinesOverTheBytesAreCountedAndReportedButThoseOfForwardedCalls) {
  constexpr size_t kRate = 4096;
  StartWithPipe("bytes_per_user = \"4KiB\"\n");
  StartReading();
  const auto start = std::chrono::steady_clock::now();
  RawPeer peer = Peer({.uid = kFlooding, .gid = kFlooding});
  constexpr size_t kBatches = 20;
  for (size_t i = 0; i < kBatches; ++i) {
    EXPECT_EQ(CallMany(peer, kOverAtOnce), 0U);
    EXPECT_EQ(CallMany(peer, {}), kBatch);
  }
  RawPeer other = Peer({.uid = kOther, .gid = kOther});
  EXPECT_EQ(CallMany(other, {}), kBatch);
  peer.Close();
  other.Close();
  const std::vector<json> lines = Lines();
  const auto took =
      std::chrono::ceil<std::chrono::seconds>(std::chrono::steady_clock::now() - start);
  EXPECT_EQ(CountOf(lines, kFlooding, "OK"), kBatches * kBatch)
      << "a backend answered each of these";
  size_t suppressed = 0;
  size_t ours = 0;
  size_t bytes = 0;
  for (const json& line : lines) {
    if (line.value("uid", uid_t{0}) != kFlooding || line.value("code", "") == "OK") continue;
    EXPECT_FALSE(line.contains("traceparent")) << "it is malformed";
    suppressed += line.value("suppressed", size_t{0});
    if (line.contains("suppressed")) continue;
    bytes += line.dump().size();
    ++ours;
  }
  EXPECT_EQ(ours + suppressed, kBatches * kBatch + 2)
      << "the two more are its connect and its disconnect";
  EXPECT_LE(bytes, kRate * static_cast<size_t>(took.count() + 1));
  EXPECT_EQ(CountOf(lines, kOther, "OK"), kBatch);
}

}  // namespace
}  // namespace integration
