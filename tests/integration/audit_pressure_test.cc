// SPDX-License-Identifier: Apache-2.0
//
// The audit cannot be used as a weapon: neither a flood of denials nor a blocked target delays a
// call, unless the configuration says that calls are to be refused then.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "harness/proxy_test.h"

namespace integration {
namespace {

using nlohmann::json;

// Long lines fill a target sooner.
const Call kLongLine = {.method = std::string(256, 'M')};

BackendReply EchoLong(const WireMessage& message) {
  if (message.data.find(kLongLine.method) == std::string::npos) return EchoDo(message);
  return {.bytes = Encode(Response(message.stream_id, ""))};
}

constexpr size_t kBatch = 128;

class AuditPressureTest : public ProxyTest {
 protected:
  // Sends calls together and receives their answers. Returns how many were refused because of the
  // audit; the backend must have answered the others.
  static size_t CallMany(RawPeer& peer) {
    std::string bytes;
    for (uint32_t i = 0; i < kBatch; ++i) {
      bytes += Encode(Request(2 * i + 1, kLongLine));
    }
    EXPECT_TRUE(peer.Send(bytes));
    size_t refused = 0;
    for (size_t i = 0; i < kBatch; ++i) {
      const std::optional<WireMessage> answer = peer.Receive();
      if (!answer.has_value()) {
        ADD_FAILURE() << "the connection ended";
        break;
      }
      if (*answer == Response(answer->stream_id, "")) continue;
      EXPECT_THAT(answer, IsStatus(answer->stream_id, StatusCode::kUnavailable,
                                   "the audit cannot record this call"));
      ++refused;
    }
    return refused;
  }

  // Returns how many calls were answered until the first was refused, or until `done`.
  static size_t CallUntil(RawPeer& peer, const std::function<bool()>& done) {
    size_t answered = 0;
    size_t refused = 0;
    EXPECT_TRUE(Eventually([&] {
      refused = CallMany(peer);
      answered += kBatch - refused;
      return refused != 0 || done() || HasFailure();
    }));
    return answered;
  }
  static size_t CallUntilRefused(RawPeer& peer) {
    return CallUntil(peer, [] { return false; });
  }

  bool Logged(const std::string& text) const {
    return daemon_->log().find(text) != std::string::npos;
  }
};

TEST_F(AuditPressureTest, FloodOfDenialsIsHeldToTheRate) {
  constexpr size_t kRate = 20;
  constexpr size_t kDenials = 5000;
  Start({.head = "[audit]\ncalls = \"denied\"\nrate_per_user = " + std::to_string(kRate) + "\n"});
  const auto start = std::chrono::steady_clock::now();
  RawPeer flooding = Peer();
  RawPeer other = Peer();
  const std::string denied = Encode(Request(1, {.service = "test.Denied"}));
  for (size_t i = 0; i < kDenials; i += kBatch / 4) {
    const size_t count = std::min(kBatch / 4, kDenials - i);
    for (size_t j = 0; j < count; ++j) EXPECT_TRUE(flooding.Send(denied));
    ExpectEcho(other, static_cast<uint32_t>(2 * i + 1));
    for (size_t j = 0; j < count; ++j) {
      EXPECT_THAT(flooding.Receive(), IsStatus(1, StatusCode::kPermissionDenied, ::testing::_));
    }
  }
  flooding.Close();
  other.Close();
  daemon_->Signal(SIGTERM);
  EXPECT_EQ(daemon_->WaitForExit(), 0);
  const auto took =
      std::chrono::ceil<std::chrono::seconds>(std::chrono::steady_clock::now() - start);
  size_t lines = 0;
  size_t told = 0;
  size_t suppressed = 0;
  std::istringstream log(daemon_->log());
  for (std::string line; std::getline(log, line);) {
    if (!line.starts_with("{")) continue;
    const json parsed = json::parse(line);
    EXPECT_EQ(parsed.value("uid", -1), 0);
    EXPECT_EQ(parsed.value("event", ""), "deny");
    suppressed += parsed.value("suppressed", size_t{0});
    (parsed.contains("suppressed") ? told : lines) += 1;
  }
  const auto seconds = static_cast<size_t>(took.count());
  EXPECT_GE(lines, kRate);
  EXPECT_LE(lines, kRate * (seconds + 1));
  EXPECT_GE(told, 1U);
  EXPECT_LE(told, seconds + 1);
  EXPECT_EQ(lines + suppressed, kDenials);
}

// The audit writes to a named pipe that is open and that nobody reads.
class BlockedTargetTest : public AuditPressureTest {
 protected:
  void StartWithPipe(const std::string& on_error) {
    const std::string path = folder_ / "pipe";
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    pipe_.reset(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_TRUE(pipe_.valid());
    Start({.head = "[audit]\ncalls = \"all\"\ntarget = \"file:" + path + "\"\non_error = \"" +
                   on_error + "\"\n",
           .server = {.script = EchoLong}});
  }
  // Reads the pipe until the daemon has ended, which TearDown() waits for.
  void StartReading() {
    reader_ = std::thread([this] {
      char bytes[65536];
      while (true) {
        const ssize_t n = ::read(pipe_.get(), bytes, sizeof bytes);
        if (n <= 0 || bytes[n - 1] == '\0') return;
      }
    });
  }
  void TearDown() override {
    AuditPressureTest::TearDown();
    if (!reader_.joinable()) return;
    EXPECT_EQ(::write(pipe_.get(), "", 1), 1);
    reader_.join();
  }

  ttrpc::UniqueFd pipe_;
  std::thread reader_;
};

TEST_F(BlockedTargetTest, LosesLinesAndNoCallIsHeldUp) {
  StartWithPipe("drop");
  RawPeer peer = Peer();
  CallUntil(peer, [this] { return Logged("audit: lines are being lost"); });
  EXPECT_EQ(CallMany(peer), 0U);
  EXPECT_EQ(CallMany(peer), 0U);
  StartReading();
  daemon_->WaitForLines(1, [](const std::string& line) {
    return line.find("audit: ") != std::string::npos &&
           line.find(" lines were lost") != std::string::npos;
  });
  EXPECT_EQ(CallMany(peer), 0U);
  // The failure is logged once, not once for each line.
  EXPECT_EQ(daemon_
                ->WaitForLines(1,
                               [](const std::string& line) {
                                 return line.find("lines are being lost") != std::string::npos;
                               })
                .size(),
            1U);
}

TEST_F(BlockedTargetTest, RefusesCallsIfAskedToUntilItIsReadAgain) {
  StartWithPipe("refuse-calls");
  RawPeer peer = Peer();
  EXPECT_GT(CallUntilRefused(peer), 1000U) << "it has a queue";
  // A line takes less room than was reserved for it, so a few more calls fit.
  EXPECT_TRUE(Eventually([&peer] { return CallMany(peer) == kBatch; }));
  RawPeer another = Peer();
  std::optional<WireMessage> answer;
  EXPECT_TRUE(Eventually([&another, &answer] {
    answer = another.Exchange(Echo(1));
    return answer != Response(1, "echo");
  }));
  EXPECT_THAT(answer, IsStatus(1, StatusCode::kUnavailable, "the audit cannot record this call"));
  StartReading();
  EXPECT_TRUE(Eventually([&peer] { return CallMany(peer) == 0; }));
  ExpectEcho(another, 3);
}

// The start must not wait for a reader either.
TEST_F(AuditPressureTest, PipeThatNobodyHasOpenedEndsTheStart) {
  const std::string path = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  WriteConfig({.head = "[audit]\ntarget = \"file:" + path + "\"\n"});
  const CommandResult result = RunDaemon({"--config", config_path()});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, ::testing::HasSubstr(path));
}

// A service's standard error is a socket of journald, which may hang. The audit goes there, too.
TEST_F(AuditPressureTest, BlockedLogHoldsUpNoCall) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const ttrpc::UniqueFd read_end(ends[0]);
  ttrpc::UniqueFd write_end(ends[1]);
  WriteConfig({.head = "[audit]\ncalls = \"all\"\n"});
  StartBackend({.script = EchoLong});
  daemon_ = std::make_unique<DaemonProcess>(std::vector<std::string>{"--config", config_path()},
                                            DaemonSurroundings{.standard_error = write_end.get()});
  write_end.reset();
  std::string log;
  const auto read_until = [&](std::string_view text) {
    std::string bytes(65536, '\0');
    while (log.find(text) == std::string::npos && WaitUntilReadable(read_end.get())) {
      const ssize_t n = ::recv(read_end.get(), bytes.data(), bytes.size(), 0);
      if (n <= 0) break;
      log = log.substr(log.rfind('\n') + 1) + bytes.substr(0, static_cast<size_t>(n));
    }
    return log.find(text) != std::string::npos;
  };
  ASSERT_TRUE(read_until("ready: "));

  RawPeer peer = Peer();
  constexpr size_t kMoreThanFits = 20U << 20;  // 8 MiB wait, and 8 MiB are being written
  for (size_t bytes = 0; bytes < kMoreThanFits; bytes += kBatch * 500) {
    ASSERT_EQ(CallMany(peer), 0U);
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_TRUE(read_until(" lines were lost"));
  // The log is blocked again, and the daemon still ends.
  for (int i = 0; i < 10; ++i) EXPECT_EQ(CallMany(peer), 0U);
  peer.Close();
  daemon_->Signal(SIGTERM);
  EXPECT_EQ(daemon_->WaitForExit(), 0) << "the daemon waits for a log that nobody reads";
}

// A file system of a few pages, mounted on a directory of the test.
class SmallDisk {
 public:
  explicit SmallDisk(std::string path) : path_(std::move(path)) {
    std::filesystem::create_directory(path_);
    EXPECT_EQ(::mount("none", path_.c_str(), "tmpfs", 0, "size=256k"), 0) << strerror(errno);
  }
  ~SmallDisk() { ::umount2(path_.c_str(), MNT_DETACH); }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  std::string file() const { return path_ + "/audit.log"; }
  // Leaves only the rest to the audit's file.
  void Fill(size_t bytes) { std::ofstream(path_ + "/filler") << std::string(bytes, 'x'); }
  void MakeRoom() {
    // The disk grows to a size that is always sufficient.
    EXPECT_EQ(::mount("none", path_.c_str(), "tmpfs", MS_REMOUNT, "size=256m"), 0);
  }

 private:
  const std::string path_;
};

class FullDiskTest : public AuditPressureTest {
 protected:
  void StartOnDisk(const std::string& on_error) {
    disk_.emplace(folder_ / "disk");
    disk_->Fill(128U << 10);
    Start({.head = "[audit]\ncalls = \"all\"\ntarget = \"file:" + disk_->file() +
                   "\"\non_error = \"" + on_error + "\"\n",
           .server = {.script = EchoLong}});
  }
  // Ends the daemon. Returns how many lines are about calls that the backend answered.
  size_t CallsInTheFile() {
    AuditPressureTest::TearDown();
    size_t count = 0;
    std::istringstream lines(ReadFile(disk_->file()));
    for (std::string line; std::getline(lines, line);) {
      const json parsed = json::parse(line, nullptr, false);
      EXPECT_FALSE(parsed.is_discarded()) << "a part of a line: " << line;
      if (parsed.is_discarded()) break;
      if (parsed.value("event", "") == "call" && parsed.value("code", "") == "OK") ++count;
    }
    return count;
  }

  std::optional<SmallDisk> disk_;
};

TEST_F(FullDiskTest, LosesLinesAndNoCallIsHeldUp) {
  StartOnDisk("drop");
  RawPeer peer = Peer();
  size_t answered = CallUntil(peer, [this] { return Logged("No space left on device"); });
  EXPECT_EQ(CallMany(peer), 0U);
  disk_->MakeRoom();
  answered += kBatch;
  answered += CallUntil(peer, [this] { return Logged("audit: writing "); });
  peer.Close();
  const size_t written = CallsInTheFile();
  EXPECT_GT(written, 0U);
  EXPECT_LT(written, answered);
  EXPECT_TRUE(Logged(" lines were lost"));
}

TEST_F(FullDiskTest, RefusesCallsIfAskedToAndLosesNoLine) {
  StartOnDisk("refuse-calls");
  RawPeer peer = Peer();
  size_t answered = CallUntilRefused(peer);
  EXPECT_EQ(CallMany(peer), kBatch);
  disk_->MakeRoom();
  // No calls are made meanwhile: each refusal would need a line, and the number of lines is
  // limited.
  daemon_->WaitForLines(
      1, [](const std::string& line) { return line.find("audit: writing ") != std::string::npos; });
  // The daemon logs the line a moment before it accepts calls again.
  EXPECT_TRUE(Eventually([&peer, &answered] {
    const size_t refused = CallMany(peer);
    answered += kBatch - refused;
    return refused == 0;
  }));
  peer.Close();
  EXPECT_EQ(CallsInTheFile(), answered);
  EXPECT_FALSE(Logged("lines were lost"));
}

}  // namespace
}  // namespace integration
