// SPDX-License-Identifier: Apache-2.0
//
// System calls that fail. The tests take each call that the daemon makes during a conversation,
// each error that it may return, and each time that it is made. A fault costs at most what its row
// permits, nothing arrives that was not sent, and afterwards the daemon holds as many descriptors
// as before.
#include "harness/faults.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>
#include <tuple>

#include "harness/proc.h"
#include "harness/proxy_test.h"
#include "ttrpc/wire/request.h"

namespace integration {
namespace {

// The most that a fault may cost the conversation.
enum class Cost {
  kNothing,
  kCall,        // a call may fail with UNAVAILABLE
  kConnection,  // a call may fail, or a connection may end
};

struct Row {
  const char* name;
  Cost cost;
  std::vector<int> errors;  // errno; 0: a short read or write
};

struct CallRows {
  const char* name;
  FaultCall call;
  std::vector<Row> rows;
};

void PrintTo(const CallRows& rows, std::ostream* out) { *out << rows.name; }

// The errors are those of the manual pages, except those that report a mistake in the program.
const std::vector<CallRows> kCalls = {
    {"accept",
     FaultCall::kAccept,
     {{"none", Cost::kNothing, {EINTR, EAGAIN, ECONNABORTED, EMFILE, ENFILE, ENOMEM, ENOBUFS}},
      {"odd", Cost::kNothing, {ECONNRESET, EPERM, EPROTO}}}},
    {"connect",
     FaultCall::kConnect,
     {{"none", Cost::kNothing, {EINTR, EAGAIN}},
      {"fails", Cost::kCall, {ECONNREFUSED, ECONNRESET, ENOMEM, EMFILE, ENFILE, EPIPE}}}},
    {"socket", FaultCall::kSocket, {{"fails", Cost::kCall, {EMFILE, ENFILE, ENOMEM, ENOBUFS}}}},
    {"getsockopt", FaultCall::kGetsockopt, {{"closes", Cost::kConnection, {ENOMEM, ENOBUFS}}}},
    {"recv",
     FaultCall::kRecv,
     {{"none", Cost::kNothing, {0, EINTR, EAGAIN}},
      {"loses", Cost::kConnection, {ECONNRESET, ENOMEM}}}},
    {"readv",
     FaultCall::kReadv,
     {{"none", Cost::kNothing, {0, EINTR, EAGAIN}},
      {"loses", Cost::kConnection, {ECONNRESET, ENOMEM}}}},
    {"send",
     FaultCall::kSend,
     {{"none", Cost::kNothing, {0, EINTR, EAGAIN}},
      {"loses", Cost::kConnection, {EPIPE, ECONNRESET, ENOMEM, ENOBUFS}}}},
    {"sendmsg",
     FaultCall::kSendmsg,
     {{"none", Cost::kNothing, {0, EINTR, EAGAIN}},
      {"loses", Cost::kConnection, {EPIPE, ECONNRESET, ENOMEM, ENOBUFS}}}},
    {"epoll_ctl", FaultCall::kEpollAdd, {{"loses", Cost::kConnection, {ENOMEM, ENOSPC}}}},
    {"epoll_wait", FaultCall::kEpollWait, {{"none", Cost::kNothing, {EINTR}}}},
    // The log and the audit use write(2).
    {"write",
     FaultCall::kWrite,
     {{"none", Cost::kNothing, {0, EINTR, EAGAIN, EPIPE, ENOSPC, EIO}}}},
    {"poll", FaultCall::kPoll, {{"none", Cost::kNothing, {EINTR, ENOMEM}}}},
};

constexpr uint32_t kSmallId = 1;
constexpr uint32_t kLargeId = 7;
constexpr uint32_t kStreamId = 9;

// Returns bytes that differ by their position, so that a shift shows.
std::string Pattern(size_t size, unsigned seed) {
  std::string out(size, '\0');
  for (size_t i = 0; i < size; ++i) {
    out[i] = static_cast<char>(i * 7 + i / 256 + i / 65536 * 31 + seed);
  }
  return out;
}

// Messages that are sent together, and the answers to them.
struct Exchange {
  std::vector<WireMessage> sent;
  std::vector<WireMessage> answers;
};

Exchange UnaryCalls(const std::vector<uint32_t>& ids, size_t size) {
  Exchange exchange;
  for (const uint32_t id : ids) {
    const std::string payload = Pattern(size, id);
    exchange.sent.push_back(Request(id, {.payload = payload}));
    exchange.answers.push_back(Response(id, payload));
  }
  return exchange;
}

// The conversation has small messages, several at once (so that a write has several blocks), one
// that is larger than all buffers on the way (so that it comes in parts), and a stream.
std::vector<Exchange> Conversation() {
  const Call open = {.service = "test.Stream", .method = "Echo", .payload = "open"};
  const std::string data = Pattern(100'000, kStreamId);
  return {
      UnaryCalls({kSmallId}, 20),
      UnaryCalls({3, 5}, 15'000),
      UnaryCalls({kLargeId}, 300'000),
      {{Request(kStreamId, open, kOpen)}, {Data(kStreamId, "open")}},
      {{Data(kStreamId, data)}, {Data(kStreamId, data)}},
      {{CloseStream(kStreamId)}, {CloseStream(kStreamId)}},
  };
}

BackendReply EchoAll(const WireMessage& message) {
  if (message.type == kData) return {.bytes = Encode(message)};
  if ((message.flags & kOpen) == 0) return EchoDo(message);
  ttrpc::RequestView request;
  EXPECT_TRUE(ttrpc::ParseRequest(message.data, ttrpc::UnknownFieldAction::kRefuse, &request).ok());
  return {.bytes = Encode(Data(message.stream_id, std::string(request.payload)))};
}

class FaultsTest : public ProxyTest {
 protected:
  void SetUp() override {
    for (const Exchange& exchange : conversation_) {
      sent_.insert(sent_.end(), exchange.sent.begin(), exchange.sent.end());
    }
    faults_.emplace(folder_ / "faults");
    WriteConfig({.head = "[audit]\ncalls = \"all\"\n",
                 .backend = "on_disconnect = \"" + on_disconnect() + "\"\n"});
    RestartBackend();
    daemon_ =
        std::make_unique<DaemonProcess>(std::vector<std::string>{"--config", config_path()},
                                        DaemonSurroundings{.environment = faults_->environment()});
    ASSERT_TRUE(daemon_->WaitUntilReady());
  }

  virtual std::string on_disconnect() const { return "close-peers"; }

  // The backend records everything that it receives, so it is restarted now and then.
  void RestartBackend() { StartBackend({.script = EchoAll}); }

  // Converses as far as the fault permits. Returns false if the connection ended.
  bool Converse(RawPeer& peer, Cost cost) {
    for (const Exchange& exchange : conversation_) {
      if (!peer.Send(Encode(exchange.sent)) && cost != Cost::kConnection) {
        ADD_FAILURE() << "the daemon closed the connection";
      }
      std::vector<WireMessage> pending = exchange.answers;
      while (!pending.empty()) {
        const bool stream = pending[0].stream_id == kStreamId;
        switch (Answered(peer, &pending, cost)) {
          case Outcome::kWhole:
            break;
          case Outcome::kEnd:
            return false;
          case Outcome::kUnavailable:
            if (stream) return true;  // the stream has ended, so the rest would be refused
        }
      }
    }
    return true;
  }

  enum class Outcome { kWhole, kUnavailable, kEnd };

  // Receives one of the pending answers. They come in order if nothing fails; otherwise one of them
  // may be UNAVAILABLE.
  static Outcome Answered(RawPeer& peer, std::vector<WireMessage>* pending, Cost cost) {
    bool timed_out = false;
    std::string bytes = ReadUpTo(peer.fd(), kHeaderLength, &timed_out);
    if (bytes.size() == kHeaderLength) {
      const auto length = static_cast<size_t>(static_cast<unsigned char>(bytes[1]) << 16 |
                                              static_cast<unsigned char>(bytes[2]) << 8 |
                                              static_cast<unsigned char>(bytes[3]));
      bytes += ReadUpTo(peer.fd(), length, &timed_out);
    }
    EXPECT_FALSE(timed_out) << "no answer, and no end";
    const std::string expected = Encode(pending->front());
    if (bytes == expected) {
      pending->erase(pending->begin());
      return Outcome::kWhole;
    }
    const auto failed = std::find_if(pending->begin(), pending->end(), [&bytes](const auto& each) {
      return IsUnavailable(bytes, each.stream_id);
    });
    if (cost != Cost::kNothing && failed != pending->end()) {
      pending->erase(failed);
      return Outcome::kUnavailable;
    }
    EXPECT_TRUE(expected.starts_with(bytes)) << "bytes that the backend never sent";
    EXPECT_EQ(cost, Cost::kConnection) << "the connection ended";
    return Outcome::kEnd;
  }

  static bool IsUnavailable(const std::string& bytes, uint32_t id) {
    for (const char* text :
         {"backend \"back\" cannot be reached", "backend \"back\" disconnected"}) {
      if (bytes == Encode(StatusResponse(id, static_cast<int>(StatusCode::kUnavailable), text)))
        return true;
    }
    return false;
  }

  // The backend received a part of what was sent: in order, complete, and each message once.
  void ExpectOnlyWhatWasSent(size_t first_connection) {
    size_t next = 0;
    for (size_t i = first_connection; i < backend_->connections(); ++i) {
      for (const WireMessage& reached : backend_->WaitForLoss(i)) {
        const auto same = [&reached](const WireMessage& sent) {
          return sent.type == reached.type && sent.data == reached.data;
        };
        const auto from = sent_.begin() + static_cast<ptrdiff_t>(next);
        const auto found = std::find_if(from, sent_.end(), same);
        ASSERT_NE(found, sent_.end()) << "not sent, or not in this order: " << reached.stream_id;
        next = static_cast<size_t>(found - sent_.begin()) + 1;
      }
    }
  }

  // While the daemon waits before it dials the backend again, calls are UNAVAILABLE.
  void ExpectServed() {
    RawPeer peer = Peer();
    std::optional<WireMessage> answer;
    EXPECT_TRUE(Eventually([&peer, &answer] {
      answer = peer.Exchange(Echo(1));
      return !answer.has_value() || !IsUnavailable(Encode(*answer), 1);
    }));
    EXPECT_EQ(answer, Response(1, "echo"));
  }

  // Waits until the daemon has closed what it opened.
  void ExpectDescriptors(size_t count) {
    size_t now = 0;
    EXPECT_TRUE(Eventually([this, count, &now] {
      now = DescriptorsOf(daemon_->pid());
      return now == count;
    })) << now
        << " descriptors instead of " << count;
  }

  // Runs the conversation of a new peer with this fault. Returns false if the fault did not occur.
  bool RunWith(const Fault& fault, Cost cost) {
    const size_t before = DescriptorsOf(daemon_->pid());
    const size_t first_connection = backend_->connections();
    faults_->Arm(fault);
    {
      RawPeer peer = Peer();
      const bool whole = Converse(peer, cost);
      EXPECT_TRUE(whole || cost == Cost::kConnection);
    }
    ExpectDescriptors(before);
    // The calls of the log's thread may come later.
    EXPECT_TRUE(Eventually([this] { return faults_->seen() != 0; }))
        << "the daemon makes no such call";
    faults_->Disarm();
    if (cost == Cost::kNothing) {
      EXPECT_EQ(backend_->WaitForEnd(first_connection), sent_);
      EXPECT_EQ(backend_->connections(), first_connection + 1);
    } else {
      ExpectOnlyWhatWasSent(first_connection);
    }
    return faults_->fired() != 0;
  }

  const std::vector<Exchange> conversation_ = Conversation();
  std::vector<WireMessage> sent_;
  std::optional<Faults> faults_;
};

using Case = std::tuple<CallRows, std::string>;  // and the value of on_disconnect

class FaultOfEachCallTest : public FaultsTest, public ::testing::WithParamInterface<Case> {
 protected:
  std::string on_disconnect() const override { return std::get<1>(GetParam()); }

  // Makes the first such call fail, then the second, and so on until no call is left.
  void RunInTurn(Fault fault, Cost cost) {
    constexpr uint32_t kMost = 1000;  // a conversation makes tens of calls of each kind
    RestartBackend();
    RawPeer bystander = Peer();
    uint32_t id = 1;
    ExpectEcho(bystander, id);
    // The daemon looks up the name of a user on a thread, once, and opens files meanwhile.
    EXPECT_TRUE(Eventually([&] {
      ExpectEcho(bystander, id += 2);
      return daemon_->log().find("\"user\":\"root\"") != std::string::npos;
    }));
    const size_t before = DescriptorsOf(daemon_->pid());
    for (fault.first = 1; RunWith(fault, cost); ++fault.first) {
      SCOPED_TRACE("call " + std::to_string(fault.first));
      ExpectServed();
      ExpectDescriptors(before);
      ExpectEcho(bystander, id += 2);
      ASSERT_FALSE(HasFailure());
      ASSERT_LT(fault.first, kMost);
    }
    RecordProperty(::testing::PrintToString(fault.error), static_cast<int>(fault.first) - 1);
    bystander.Close();
    ExpectDescriptors(before - 2);
  }
};

TEST_P(FaultOfEachCallTest, CostsWhatItMust) {
  const CallRows& call = std::get<0>(GetParam());
  for (const Row& row : call.rows) {
    for (const int error : row.errors) {
      SCOPED_TRACE(std::string(row.name) + " " + (error == 0 ? "short" : strerrorname_np(error)));
      RunInTurn({.calls = FaultBit(call.call), .error = error}, row.cost);
      ASSERT_FALSE(HasFailure());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, FaultOfEachCallTest,
                         ::testing::Combine(::testing::ValuesIn(kCalls),
                                            ::testing::Values(std::string("close-peers"),
                                                              std::string("fail-calls"))),
                         [](const auto& each) {
                           const std::string mode = std::get<1>(each.param);
                           return std::string(std::get<0>(each.param).name) +
                                  (mode == "fail-calls" ? "_fail_calls" : "_close_peers");
                         });

constexpr uint32_t kReadsAndWrites = FaultBit(FaultCall::kRecv) | FaultBit(FaultCall::kReadv) |
                                     FaultBit(FaultCall::kSend) | FaultBit(FaultCall::kSendmsg) |
                                     FaultBit(FaultCall::kWrite);

class ManyFaultsTest : public FaultsTest {
 protected:
  // Each call must have a whole line in the audit, whichever writes failed.
  void ExpectAuditLines(size_t calls) {
    const auto is_call = [](const std::string& line) {
      if (!line.starts_with("{")) return false;
      const auto parsed = nlohmann::json::parse(line, nullptr, false);
      return !parsed.is_discarded() && parsed.value("event", "") == "call" &&
             parsed.value("code", "") == "OK";
    };
    EXPECT_EQ(daemon_->WaitForLines(calls, is_call).size(), calls);
  }
};

TEST_F(ManyFaultsTest, EveryThirdCallIsInterrupted) {
  const uint32_t calls = kReadsAndWrites | FaultBit(FaultCall::kAccept) |
                         FaultBit(FaultCall::kConnect) | FaultBit(FaultCall::kPoll) |
                         FaultBit(FaultCall::kEpollWait);
  EXPECT_TRUE(RunWith({.calls = calls, .error = EINTR, .every = 3}, Cost::kNothing));
  ExpectAuditLines(5);
}

TEST_F(ManyFaultsTest, EveryThirdCallWouldBlock) {
  const uint32_t calls =
      kReadsAndWrites | FaultBit(FaultCall::kAccept) | FaultBit(FaultCall::kConnect);
  EXPECT_TRUE(RunWith({.calls = calls, .error = EAGAIN, .every = 3}, Cost::kNothing));
  ExpectAuditLines(5);
}

TEST_F(ManyFaultsTest, EveryCallIsShort) {
  for (const uint32_t most : {997U, 65536U}) {
    EXPECT_TRUE(RunWith({.calls = kReadsAndWrites, .most = most, .every = 1}, Cost::kNothing));
  }
  ExpectAuditLines(10);
}

// The fault occurs during the start. The daemon either reports what is wrong and exits 1, or works.
class FaultAtStartTest : public ProxyTest {
 protected:
  // Returns false if the fault did not occur.
  bool RunWith(const Fault& fault) {
    faults_->Arm(fault);
    daemon_ =
        std::make_unique<DaemonProcess>(std::vector<std::string>{"--config", config_path()},
                                        DaemonSurroundings{.environment = faults_->environment()});
    const auto wrote = [this](const char* text) {
      return daemon_->log().find(text) != std::string::npos;
    };
    EXPECT_TRUE(Eventually([&wrote] { return wrote(" ready: ") || wrote(" error "); }));
    const bool fired = faults_->fired() != 0;
    faults_->Disarm();
    if (wrote(" error ")) {
      EXPECT_EQ(daemon_->WaitForExit(), 1);
    } else {
      RawPeer peer = Peer();
      ExpectEcho(peer, 1);
      daemon_->Signal(SIGTERM);
      EXPECT_EQ(daemon_->WaitForExit(), 0);
    }
    return fired;
  }

  std::optional<Faults> faults_;
};

TEST_F(FaultAtStartTest, IsSaidOrDoesNotMatter) {
  WriteConfig({});
  StartBackend();
  faults_.emplace(folder_ / "faults");
  for (const FaultCall call : {FaultCall::kSocket, FaultCall::kEpollAdd}) {
    uint32_t first = 1;
    while (RunWith({.calls = FaultBit(call), .error = ENOMEM, .first = first})) {
      SCOPED_TRACE("call " + std::to_string(first) + " of kind " +
                   std::to_string(static_cast<int>(call)));
      ASSERT_FALSE(HasFailure());
      ++first;
    }
    EXPECT_GT(first, 1U) << "the daemon makes no such call";
  }
}

}  // namespace
}  // namespace integration
