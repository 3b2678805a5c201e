// SPDX-License-Identifier: Apache-2.0
#include "soak/client.h"

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <memory>
#include <random>
#include <vector>

#include "bench/socket_io.h"
#include "soak/connection.h"
#include "ttrpc/unique_fd.h"

namespace soak {

namespace {

constexpr int kEvents = 256;
constexpr int kTick = 10;                  // milliseconds
constexpr uint64_t kLongestAbsence = 500;  // milliseconds until a connection is opened again

class Client {
 public:
  Client(const ClientOptions& options, Board& board, const Content& content)
      : options_(options),
        board_(board),
        random_(options.seed),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        context_{.options = options,
                 .board = board,
                 .own = board.users[options.user],
                 .content = content,
                 .random = random_,
                 .epoll = epoll_.get()},
        places_(options.connections) {
    if (!epoll_) bench::FailErrno("epoll_create1");
  }

  void Run() {
    const uint64_t start = NowMilliseconds();
    for (size_t i = 0; i < places_.size(); ++i)
      places_[i].open_at = start + options_.ramp * i / places_.size();
    std::array<epoll_event, kEvents> events{};
    uint64_t next_tick = start;
    while (!finished_ || AnyOpen()) {
      const int ready = ::epoll_wait(epoll_.get(), events.data(), kEvents, kTick);
      if (ready < 0 && errno != EINTR) bench::FailErrno("epoll_wait");
      for (int i = 0; i < ready; ++i) {
        const epoll_event& event = events[static_cast<size_t>(i)];
        // Tick() replaces a connection that has ended, so that no event of this wake-up is for a
        // new one.
        places_[event.data.u64].connection->OnEvents(event.events);
      }
      const uint64_t now = NowMilliseconds();
      if (now < next_tick) continue;
      next_tick = now + kTick;
      Tick(now);
    }
  }

 private:
  struct Place {
    std::unique_ptr<Connection> connection;
    uint64_t open_at = 0;
  };

  bool AnyOpen() const {
    for (const Place& place : places_) {
      if (place.connection) return true;
    }
    return false;
  }

  void Tick(uint64_t now) {
    const bool finish = board_.stop && !finished_;
    finished_ = finished_ || finish;
    for (size_t i = 0; i < places_.size(); ++i) {
      Place& place = places_[i];
      if (finish && place.connection) place.connection->Finish();
      if (place.connection) {
        place.connection->Tick(now);
        if (place.connection->ended()) {
          place.connection.reset();
          place.open_at = now + random_() % kLongestAbsence;
        }
      } else if (!finished_ && now >= place.open_at) {
        if (++serial_ == kMaxConnections)
          bench::Fail("more connections than the board has room for");
        place.connection = std::make_unique<Connection>(context_, ChooseRole(i), i, serial_);
      }
    }
  }

  Role ChooseRole(size_t place) {
    // There is one prober in all, so that each reload is counted once.
    if (options_.user == 0 && place == 0) return Role::kProber;
    const uint64_t dice = random_() % 100;
    if (dice < 80) return Role::kPlain;
    if (dice < 82) return Role::kBulky;
    if (dice < 85) return Role::kSlow;
    if (dice < 87) return Role::kSilent;
    if (dice < 90) return Role::kGreedy;
    return Role::kLeaver;
  }

  const ClientOptions& options_;
  Board& board_;
  std::mt19937_64 random_;
  ttrpc::UniqueFd epoll_;
  ClientContext context_;
  std::vector<Place> places_;
  uint32_t serial_ = 0;
  bool finished_ = false;
};

}  // namespace

void RunClient(const ClientOptions& options, Board& board, const Content& content) {
  Client(options, board, content).Run();
}

}  // namespace soak
