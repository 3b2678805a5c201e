// SPDX-License-Identifier: Apache-2.0
#include "soak/backend.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "bench/socket_io.h"
#include "bench/wire.h"
#include "ttrpc/unique_fd.h"
#include "ttrpc/wire/message.h"

namespace soak {

namespace {

constexpr int kEvents = 256;
constexpr int kTick = 20;                      // milliseconds
constexpr size_t kHighWater = 1U << 20;        // a client with more unread replies is not read
constexpr uint32_t kRequestsForACut = 4000;    // requests on average between two cuts
constexpr uint32_t kRequestsForAPause = 1000;  // requests on average between two pauses
constexpr uint64_t kLongestPause = 1500;       // milliseconds
constexpr uint64_t kCodeAborted = 10;
constexpr uint64_t kCodeInternal = 13;
constexpr uint8_t kClose = ttrpc::kFlagRemoteClosed | ttrpc::kFlagNoData;
constexpr std::string_view kUidKey = "ttrpc-proxy-uid";

// A request, and the uid that the daemon adds to it.
struct SeenRequest {
  bench::Request request;
  std::optional<std::string_view> uid;
};

std::optional<SeenRequest> Read(std::string_view data) {
  SeenRequest seen;
  if (!bench::ParseRequest(data, seen.request)) return std::nullopt;
  bench::FieldReader fields(data);
  for (bench::Field field; fields.Next(field);) {
    if (field.number != 5) continue;
    bench::FieldReader pair(field.bytes);
    std::string_view key;
    std::string_view value;
    for (bench::Field half; pair.Next(half);) (half.number == 1 ? key : value) = half.bytes;
    if (key == kUidKey) seen.uid = value;
  }
  return seen;
}

class Backend {
 public:
  Backend(const BackendOptions& options, Board& board, const Content& content)
      : options_(options),
        board_(board.backends[static_cast<size_t>(options.kind)]),
        content_(content),
        random_(options.seed),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (!epoll_) bench::FailErrno("epoll_create1");
    for (const std::string& path : options.sockets) {
      listeners_.push_back(bench::ListenUnix(path));
      bench::Interest().Set(epoll_.get(), listeners_.back().get(), EPOLLIN,
                            static_cast<uint64_t>(listeners_.back().get()));
    }
  }

  [[noreturn]] void Run() {
    std::array<epoll_event, kEvents> events{};
    for (;;) {
      const int ready = ::epoll_wait(epoll_.get(), events.data(), kEvents, kTick);
      if (ready < 0 && errno != EINTR) bench::FailErrno("epoll_wait");
      for (int i = 0; i < ready; ++i) {
        const epoll_event& event = events[static_cast<size_t>(i)];
        const auto tag = static_cast<size_t>(event.data.u64);
        if (tag < connections_.size() && connections_[tag]) {
          Serve(tag, event.events);
        } else {
          AcceptAll(static_cast<int>(tag));
        }
      }
      Tick(NowMilliseconds());
    }
  }

 private:
  struct Stream {
    std::optional<Ask> ask;  // without a payload in the request, the first data message has it
    Kind kind;
    uint32_t parts = 0;
  };

  struct Connection {
    ttrpc::UniqueFd fd;
    uint64_t serial = 0;
    bench::InBuffer in;
    bench::OutBuffer out;
    bench::Interest interest;
    std::unordered_map<uint32_t, Stream> streams;
    std::optional<uint64_t> token;  // the token of a call on this connection
    uint64_t paused_until = 0;
  };

  // A reply to send later. Its connection may have ended by then.
  struct Later {
    size_t tag;
    uint64_t serial;
    uint32_t stream_id;
    Ask ask;
  };

  // The tag of a listener is its descriptor, and no connection has that descriptor.
  void AcceptAll(int listener) {
    if (std::none_of(listeners_.begin(), listeners_.end(),
                     [listener](const auto& l) { return l.get() == listener; })) {
      return;  // closed earlier in this wake-up
    }
    for (;;) {
      ttrpc::UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd) {
        if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR) return;
        bench::FailErrno("accept");
      }
      const auto tag = static_cast<size_t>(fd.get());
      if (connections_.size() <= tag) connections_.resize(tag + 1);
      connections_[tag] = std::make_unique<Connection>();
      connections_[tag]->fd = std::move(fd);
      connections_[tag]->serial = ++serial_;
      Watch(tag);
    }
  }

  void Serve(size_t tag, uint32_t events) {
    Connection& connection = *connections_[tag];
    // epoll reports an end in any case; during a pause it can wait.
    const bool paused = connection.paused_until != 0;
    if (paused && (events & (EPOLLHUP | EPOLLERR)) != 0) connection.paused_until = 0;
    const bool readable = (events & ~uint32_t{EPOLLOUT}) != 0;
    const bool alive = (!readable || Receive(tag)) && connection.out.Flush(connection.fd.get());
    alive ? Watch(tag) : connections_[tag].reset();
  }

  bool Receive(size_t tag) {
    Connection& connection = *connections_[tag];
    if (connection.in.ReadFrom(connection.fd.get()) == bench::InBuffer::ReadResult::kEnd)
      return false;
    while (const auto message = connection.in.NextMessage()) {
      if (message->header.type == ttrpc::MessageType::kRequest) {
        OnRequest(tag, *message);
        if (random_() % kRequestsForACut == 0 && connection.token) return Cut(connection);
        if (random_() % kRequestsForAPause == 0)
          connection.paused_until = NowMilliseconds() + random_() % kLongestPause;
      } else {
        OnData(tag, *message);
      }
    }
    return true;
  }

  // Records the cut on the board before it happens. Returns false if the connection must be closed.
  bool Cut(const Connection& connection) {
    const uint64_t token = *connection.token;
    const bool shared = options_.kind == BackendKind::kShared;
    board_.cut_at[UserOf(token)][shared ? 0 : ConnectionOf(token)] = NowMilliseconds();
    ++board_.cuts;
    return false;
  }

  void Mangled(size_t tag, uint32_t stream_id, const std::string& what) {
    ++board_.mangled;
    (void)std::fprintf(stderr, "backend %s: mangled: %s\n",
                       kBackendNames[static_cast<size_t>(options_.kind)], what.c_str());
    bench::AppendStatus(connections_[tag]->out.bytes(), stream_id, kCodeInternal,
                        "mangled: " + what);
    connections_[tag]->streams.erase(stream_id);
  }

  void OnRequest(size_t tag, const bench::Message& message) {
    ++board_.requests;
    const uint32_t id = message.header.stream_id;
    Connection& connection = *connections_[tag];
    const auto seen = Read(message.data);
    if (!seen) return Mangled(tag, id, "a request that does not parse");
    if (seen->request.service != kServices[static_cast<size_t>(options_.kind)])
      return Mangled(tag, id, "a request for somebody else");
    if (connection.streams.contains(id)) return Mangled(tag, id, "a stream id in use");
    const bool open = (message.header.flags & ttrpc::kFlagRemoteOpen) != 0;
    if (open && seen->request.payload.empty()) {
      const Kind kind = seen->request.method == Method(Kind::kBidirectional) ? Kind::kBidirectional
                                                                             : Kind::kClientStream;
      if (seen->request.method != Method(kind)) return Mangled(tag, id, "an open unary call");
      connection.streams.emplace(id, Stream{.ask = std::nullopt, .kind = kind});
      return;
    }
    const std::optional<Ask> ask = content_.ReadAsk(seen->request.payload);
    if (!ask || Method(ask->kind) != seen->request.method)
      return Mangled(tag, id, "a request that no client sends");
    if (options_.checks_uid && seen->uid != std::to_string(kFirstUid + UserOf(ask->token)))
      return Mangled(tag, id, "another user's request");
    connection.token = ask->token;
    if (open) {
      connection.streams.emplace(id, Stream{.ask = ask, .kind = ask->kind});
    } else {
      Answer(tag, id, *ask);
    }
  }

  void OnData(size_t tag, const bench::Message& message) {
    const uint32_t id = message.header.stream_id;
    Connection& connection = *connections_[tag];
    const auto found = connection.streams.find(id);
    if (found == connection.streams.end()) return Mangled(tag, id, "data for no stream");
    Stream& stream = found->second;
    if (!stream.ask) {
      stream.ask = content_.ReadAsk(message.data);
      if (!stream.ask || stream.ask->kind != stream.kind)
        return Mangled(tag, id, "data that no client sends first");
      connection.token = stream.ask->token;
      return;
    }
    const Ask ask = *stream.ask;
    if ((message.header.flags & ttrpc::kFlagNoData) == 0) {
      const Part part = {.token = ask.token, .number = stream.parts++, .from_backend = 0};
      if (!content_.Is(message.data, part, ask.size))
        return Mangled(tag, id, "data that no client sends");
      if (ask.kind == Kind::kBidirectional) SendPart(connection, id, ask, part.number);
    }
    if ((message.header.flags & ttrpc::kFlagRemoteClosed) == 0) return;
    if (stream.parts != ask.parts) return Mangled(tag, id, "a stream with a part missing");
    connection.streams.erase(found);
    if (ask.kind == Kind::kBidirectional) {
      bench::AppendData(connection.out.bytes(), id, kClose, {});
    } else {
      Reply(connection, id, ask, ask.parts);
    }
  }

  void SendPart(Connection& connection, uint32_t id, const Ask& ask, uint32_t number) {
    bench::AppendData(
        connection.out.bytes(), id, 0,
        content_.Of({.token = ask.token, .number = number, .from_backend = 1}, ask.reply_size));
  }

  void Reply(Connection& connection, uint32_t id, const Ask& ask, uint32_t number) {
    bench::AppendReply(
        connection.out.bytes(), id,
        content_.Of({.token = ask.token, .number = number, .from_backend = 1}, ask.reply_size));
  }

  // Answers a call whose whole request is in one message.
  void Answer(size_t tag, uint32_t id, const Ask& ask) {
    Connection& connection = *connections_[tag];
    if (ask.delay == Ask::kNever) return;
    if (ask.delay > 0) {
      later_.emplace(NowMilliseconds() + ask.delay,
                     Later{.tag = tag, .serial = connection.serial, .stream_id = id, .ask = ask});
      return;
    }
    switch (ask.kind) {
      case Kind::kFailing:
        return bench::AppendStatus(connection.out.bytes(), id, kCodeAborted,
                                   Content::StatusText(ask.token));
      case Kind::kServerStream:
        for (uint32_t i = 0; i < ask.parts; ++i) SendPart(connection, id, ask, i);
        return bench::AppendData(connection.out.bytes(), id, kClose, {});
      default:
        return Reply(connection, id, ask, 0);
    }
  }

  void Tick(uint64_t now) {
    while (!later_.empty() && later_.begin()->first <= now) {
      const Later later = later_.begin()->second;
      later_.erase(later_.begin());
      Connection* connection = connections_[later.tag].get();
      if (connection == nullptr || connection->serial != later.serial) continue;
      Reply(*connection, later.stream_id, later.ask, 0);
      Serve(later.tag, EPOLLOUT);
    }
    for (size_t tag = 0; tag < connections_.size(); ++tag) {
      if (!connections_[tag] || connections_[tag]->paused_until == 0 ||
          connections_[tag]->paused_until > now) {
        continue;
      }
      connections_[tag]->paused_until = 0;
      Watch(tag);
    }
  }

  void Watch(size_t tag) {
    Connection& connection = *connections_[tag];
    const size_t pending = connection.out.pending();
    const bool reads = pending < kHighWater && connection.paused_until == 0;
    connection.interest.Set(
        epoll_.get(), connection.fd.get(),
        (reads ? uint32_t{EPOLLIN} : 0U) | (pending > 0 ? uint32_t{EPOLLOUT} : 0U), tag);
  }

  const BackendOptions& options_;
  BackendBoard& board_;
  const Content& content_;
  std::mt19937_64 random_;
  ttrpc::UniqueFd epoll_;
  std::vector<ttrpc::UniqueFd> listeners_;
  std::vector<std::unique_ptr<Connection>> connections_;  // indexed by descriptor
  std::multimap<uint64_t, Later> later_;
  uint64_t serial_ = 0;
};

}  // namespace

void RunBackend(const BackendOptions& options, Board& board, const Content& content) {
  BackendBoard& own = board.backends[static_cast<size_t>(options.kind)];
  Backend backend(options, board, content);
  if (own.kills != 0) own.up_at = NowMilliseconds();
  own.down = false;
  backend.Run();
}

}  // namespace soak
