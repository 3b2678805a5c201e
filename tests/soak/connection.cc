// SPDX-License-Identifier: Apache-2.0
#include "soak/connection.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cstdio>
#include <vector>

#include "bench/wire.h"
#include "ttrpc/wire/message.h"

namespace soak {

namespace {

constexpr uint8_t kClose = ttrpc::kFlagRemoteClosed | ttrpc::kFlagNoData;
constexpr uint64_t kInvalidArgument = 3;
constexpr std::string_view kNotActive = "StreamID is no longer active";
constexpr size_t kMostPending = 1U << 20;  // a longer queue gets no new calls
constexpr uint32_t kMostPartsAtOnce = 3;
constexpr int kMostComplaints = 10;
constexpr uint64_t kLongestSilence = 19'000;  // milliseconds; the daemon closes after 10 s
constexpr int kCallsInSilence = 4;
constexpr uint64_t kLongestLate = 45'000;  // milliseconds; such a connection lives for less time
constexpr uint64_t kProbePause = 20;       // milliseconds
constexpr uint64_t kLongDeadline = 30'000;

struct Life {
  uint64_t shortest;  // milliseconds
  uint64_t longest;
};
Life LifeOf(Role role) {
  if (role == Role::kLeaver) return {.shortest = 200, .longest = 3000};
  if (role == Role::kProber) return {.shortest = 3'600'000, .longest = 3'600'001};
  return {.shortest = 5000, .longest = 40'000};
}

}  // namespace

Connection::Connection(ClientContext& context, Role role, uint64_t tag, uint32_t serial)
    : context_(context),
      role_(role),
      tag_(tag),
      serial_(serial),
      fd_(bench::ConnectUnix(context.options.socket)) {
  const uint64_t now = NowMilliseconds();
  const Life life = LifeOf(role);
  leave_at_ = now + life.shortest + Random(life.longest - life.shortest);
  next_start_ = now + Random(1000);
  ++context_.own.opened;
  ++context_.own.open;
  Watch();
}

// Calls

Kind Connection::ChooseKind() {
  if (role_ == Role::kProber) return Kind::kProbe;
  // A client that reads little needs more data than the sockets hold.
  if (unread_until_ != 0 || (role_ == Role::kBulky && Random(2) == 0)) return Kind::kLarge;
  const uint64_t dice = Random(100);
  if (dice < 50) return Kind::kSmall;
  if (dice < 55) return Kind::kFailing;
  if (dice < 63) return Kind::kLate;
  if (dice < 64 || (role_ == Role::kLeaver && dice < 75)) return Kind::kHeld;
  if (dice < 76) return Kind::kClientStream;
  if (dice < 88) return Kind::kServerStream;
  return Kind::kBidirectional;
}

Ask Connection::MakeAsk(Kind kind) {
  Ask ask;
  ask.token = Token(context_.options.user, serial_, next_call_++);
  ask.kind = kind;
  ask.size = static_cast<uint32_t>(Random(512));
  ask.reply_size = static_cast<uint32_t>(Random(Random(10) == 0 ? 16384 : 512));
  switch (kind) {
    case Kind::kLarge:
      ask.size = static_cast<uint32_t>(Random(Random(20) == 0 ? kMaxSize : 512U << 10));
      ask.reply_size = static_cast<uint32_t>(Random(Random(20) == 0 ? kMaxSize : 512U << 10));
      break;
    case Kind::kLate:
      ask.delay = static_cast<uint32_t>(Random(300));
      if (Random(3) == 0) ask.delay = Ask::kNever;
      break;
    case Kind::kHeld:
      ask.delay = Ask::kNever;
      break;
    case Kind::kClientStream:
    case Kind::kServerStream:
    case Kind::kBidirectional:
      ask.parts = static_cast<uint32_t>(Random(12));
      break;
    default:
      break;
  }
  return ask;
}

void Connection::StartCall(uint64_t now) {
  ClientCall call;
  call.ask = MakeAsk(ChooseKind());
  call.backend = static_cast<BackendKind>(Random(kBackends));
  if (call.ask.kind == Kind::kProbe) call.backend = BackendKind::kFailing;
  call.sent_at = now;
  call.above_limit = calls_.size() + 1 > context_.options.calls_per_connection;
  if (call.ask.kind == Kind::kLate) {
    call.timeout = 1 + Random(300);
  } else if (call.ask.kind != Kind::kHeld && Random(4) == 0) {
    call.timeout = kLongDeadline;
  }
  uint64_t& first_used = first_used_[static_cast<size_t>(call.backend)];
  if (first_used == 0) first_used = now;
  call.exposed_from = reads_late() ? first_used : now;
  const uint32_t id = next_id_;
  next_id_ += 2;
  SendRequest(id, call);
  calls_.emplace(id, call);
}

void Connection::SendRequest(uint32_t id, ClientCall& call) {
  const Kind kind = call.ask.kind;
  const bool streams = kind == Kind::kClientStream || kind == Kind::kBidirectional;
  std::string payload = context_.content.Of(call.ask);
  bench::OutgoingRequest request;
  request.stream_id = id;
  request.service = kServices[static_cast<size_t>(call.backend)];
  request.method = Method(kind);
  request.timeout_nano = call.timeout * 1'000'000;
  if (streams) request.flags = ttrpc::kFlagRemoteOpen;
  if (kind == Kind::kServerStream) request.flags = ttrpc::kFlagRemoteClosed;
  // A stream may begin without a payload. Then the first data message is the rest of the request.
  const bool ask_follows = streams && Random(2) == 0;
  if (!ask_follows) request.payload = payload;
  bench::AppendRequest(out_.bytes(), request);
  call.closed = !streams;
  if (!ask_follows) return;
  bench::AppendData(out_.bytes(), id, 0, payload);
  call.parts_sent = 1;
}

// The parts of a stream are sent one after the other, between other messages.
void Connection::SendParts(uint32_t id, ClientCall& call) {
  if (call.closed) return;
  for (uint32_t i = 0; i < kMostPartsAtOnce; ++i) {
    const uint32_t number = call.next_part;
    if (number == call.ask.parts) {
      bench::AppendData(out_.bytes(), id, kClose, {});
      call.closed = true;
      ++call.parts_sent;
      return;
    }
    bench::AppendData(
        out_.bytes(), id, 0,
        context_.content.Of({.token = call.ask.token, .number = number, .from_backend = 0},
                            call.ask.size));
    ++call.next_part;
    ++call.parts_sent;
  }
}

void Connection::StartCalls(uint64_t now) {
  if (role_ == Role::kProber) {
    if (calls_.empty()) StartCall(now);
    next_start_ = now + kProbePause;
    return;
  }
  const double each = context_.options.calls_per_second / context_.options.connections;
  uint64_t burst = 1 + Random(8);
  if (role_ == Role::kGreedy) burst = context_.options.calls_per_connection + Random(32);
  if (out_.pending() < kMostPending && calls_.size() <= context_.options.calls_per_connection) {
    for (uint64_t i = 0; i < burst; ++i) StartCall(now);
  }
  // The pause is between half and one and a half of the time that such a burst should take.
  const double pause = 1000.0 * static_cast<double>(burst) / each;
  next_start_ =
      now + 1 + static_cast<uint64_t>(pause * (0.5 + static_cast<double>(Random(1000)) / 1000));
}

// Answers

void Connection::OnMessage(const bench::Message& message, uint64_t now) {
  const uint32_t id = message.header.stream_id;
  const auto found = calls_.find(id);
  if (message.header.type == ttrpc::MessageType::kData && found != calls_.end())
    return OnData(id, found->second, message);
  bench::Reply reply;
  if (message.header.type == ttrpc::MessageType::kResponse &&
      bench::ParseReply(message.data, reply)) {
    return OnResponse(id, reply, now);
  }
  Complain(Token(context_.options.user, serial_, 0), "a message that no call asked for");
  ++context_.own.calls[0][static_cast<size_t>(Outcome::kWrong)];
}

void Connection::OnResponse(uint32_t id, const bench::Reply& reply, uint64_t now) {
  const auto found = calls_.find(id);
  if (found == calls_.end()) {
    const auto ended = answers_to_data_.find(id);
    if (ended != answers_to_data_.end() && reply.code == kInvalidArgument &&
        reply.status_message == kNotActive) {
      if (--ended->second == 0) answers_to_data_.erase(ended);
      return;
    }
    Complain(Token(context_.options.user, serial_, 0),
             "an answer on stream " + std::to_string(id) +
                 ", where no call waits for one: status " + std::to_string(reply.code) + ": " +
                 std::string(reply.status_message));
    ++context_.own.calls[0][static_cast<size_t>(Outcome::kWrong)];
    return;
  }
  const ClientCall& call = found->second;
  const Judgement judgement =
      Judge(context_.content, call, reply,
            {.now = now, .backend_in_trouble = InTrouble(context_.board, call)});
  if (judgement.outcome == Outcome::kWrong) Complain(call.ask.token, judgement.why);
  if (call.ask.kind == Kind::kProbe &&
      (judgement.outcome == Outcome::kOk || judgement.outcome == Outcome::kDenied)) {
    const int probe = static_cast<int>(judgement.outcome);
    if (last_probe_ >= 0 && probe != last_probe_) ++context_.own.reloads_seen;
    last_probe_ = probe;
  }
  if (call.parts_sent > 0 && reply.code != 0) answers_to_data_[id] = call.parts_sent;
  End(id, judgement.outcome);
}

void Connection::OnData(uint32_t id, ClientCall& call, const bench::Message& message) {
  const Ask& ask = call.ask;
  const bool streams = ask.kind == Kind::kServerStream || ask.kind == Kind::kBidirectional;
  if (message.header.flags == kClose && message.data.empty() && streams && call.closed &&
      call.parts_received == ask.parts) {
    return End(id, Outcome::kOk);
  }
  const Part part = {.token = ask.token, .number = call.parts_received++, .from_backend = 1};
  const bool asked_for = ask.kind == Kind::kServerStream || part.number < call.next_part;
  if (streams && asked_for && message.header.flags == 0 &&
      context_.content.Is(message.data, part, ask.reply_size)) {
    return;
  }
  Complain(ask.token, "data that is not part " + std::to_string(part.number) + " of the stream");
  End(id, Outcome::kWrong);
}

void Connection::End(uint32_t id, Outcome outcome) {
  const auto found = calls_.find(id);
  ++context_.own.calls[static_cast<size_t>(found->second.ask.kind)][static_cast<size_t>(outcome)];
  calls_.erase(found);
}

void Connection::Complain(uint64_t token, const std::string& what) {
  if (context_.complaints++ >= kMostComplaints) return;
  constexpr std::array<const char*, 7> kRoles = {"plain",  "bulky",  "slow",  "silent",
                                                 "greedy", "leaver", "prober"};
  std::string name = std::string(kRoles[static_cast<size_t>(role_)]) + ", user " +
                     std::to_string(UserOf(token)) + ", connection " +
                     std::to_string(ConnectionOf(token)) + ", call " +
                     std::to_string(static_cast<uint32_t>(token));
  for (const auto& [id, call] : calls_) {
    if (call.ask.token != token) continue;
    name.append(" (").append(Method(call.ask.kind)).append(" on ");
    name.append(kServices[static_cast<size_t>(call.backend)]).append(", stream ");
    name.append(std::to_string(id)).append(")");
  }
  (void)std::fprintf(stderr, "%s: %s\n", name.c_str(), what.c_str());
}

// Time

void Connection::Tick(uint64_t now) {
  if (ended()) return;
  PlayRole(now);
  if (!finishing_ && now >= next_start_) StartCalls(now);
  for (auto& [id, call] : calls_) {
    if (out_.pending() < kMostPending) SendParts(id, call);
  }
  // A client that reads late causes delays itself, so it must wait longer.
  const uint64_t patience = context_.options.lost_after + (reads_late() ? kLongestLate : 0);
  std::vector<uint32_t> lost;
  for (const auto& [id, call] : calls_) {
    if (call.ask.kind != Kind::kHeld && now > call.sent_at + patience) lost.push_back(id);
  }
  for (const uint32_t id : lost) {
    Complain(calls_.at(id).ask.token, "no answer");
    End(id, Outcome::kLost);
  }
  Flush();
  const bool held_only = std::all_of(calls_.begin(), calls_.end(), [](const auto& entry) {
    return entry.second.ask.kind == Kind::kHeld;
  });
  if (finishing_ && held_only) Leave();
}

void Connection::PlayRole(uint64_t now) {
  if (finishing_) return;
  if (now >= leave_at_) {
    // Half of the clients cancel their calls in flight, and the others wait for them.
    if (role_ == Role::kLeaver || Random(2) == 0) return Leave();
    return Finish();
  }
  if (unread_until_ != 0) {
    if (now < unread_until_) return;
    unread_until_ = 0;
    Watch();
  } else if (role_ == Role::kSilent && Random(500) == 0) {
    was_silent_ = true;
    unread_until_ = now + 1000 + Random(kLongestSilence);
    Watch();
    for (int i = 0; i < kCallsInSilence; ++i) StartCall(now);
  }
}

void Connection::Finish() {
  finishing_ = true;
  unread_until_ = 0;
  Watch();
}

// The socket

void Connection::OnEvents(uint32_t events) {
  if (ended()) return;
  if ((events & ~uint32_t{EPOLLOUT}) != 0) {
    if (in_.ReadFrom(fd_.get()) == bench::InBuffer::ReadResult::kEnd) return EndedByOthers();
    const uint64_t now = NowMilliseconds();
    while (const auto message = in_.NextMessage()) OnMessage(*message, now);
    if (role_ == Role::kSlow && !finishing_) unread_until_ = now + 10 + Random(100);
  }
  Flush();
}

void Connection::Flush() {
  if (ended()) return;
  if (!out_.Flush(fd_.get())) return EndedByOthers();
  Watch();
}

void Connection::Watch() {
  if (ended()) return;
  interest_.Set(context_.epoll, fd_.get(),
                (unread_until_ == 0 ? uint32_t{EPOLLIN} : 0U) |
                    (out_.pending() > 0 ? uint32_t{EPOLLOUT} : 0U),
                tag_);
}

void Connection::Leave() {
  while (!calls_.empty()) End(calls_.begin()->first, Outcome::kCancelled);
  fd_.reset();
  --context_.own.open;
  ++context_.own.closed_by_us;
}

// The daemon closed the connection: a backend that closes its peers was lost, or this client read
// nothing.
void Connection::EndedByOthers() {
  const size_t closing = static_cast<size_t>(BackendKind::kClosing);
  const BackendBoard& backend = context_.board.backends[closing];
  const uint64_t used = first_used_[closing];
  const bool backend_lost = used != 0 && (backend.down || backend.up_at + kGrace > used ||
                                          backend.cut_at[context_.options.user][serial_] != 0);
  Outcome outcome = Outcome::kCut;
  if (backend_lost) {
    ++context_.own.cut;
  } else if (was_silent_) {
    ++context_.own.closed_as_silent;
  } else {
    outcome = Outcome::kLost;
    ++context_.own.closed_unexplained;
    Complain(Token(context_.options.user, serial_, 0),
             "closed, for no reason, with " + std::to_string(calls_.size()) + " calls");
  }
  while (!calls_.empty()) End(calls_.begin()->first, outcome);
  fd_.reset();
  --context_.own.open;
}

}  // namespace soak
