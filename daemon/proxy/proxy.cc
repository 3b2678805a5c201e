// SPDX-License-Identifier: Apache-2.0
#include "proxy/proxy.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>

#include <utility>

#include "ttrpc/unique_fd.h"

namespace proxyd {

namespace {
// Peers get this long after drain_timeout to read the answers that end their calls.
constexpr auto kLastMoment = std::chrono::seconds(1);

uint64_t DescriptorLimit() {
  rlimit limit;
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}
}  // namespace

Proxy::Proxy(event_base* base, SnapshotPtr snapshot, Reports& reports)
    : drain_timeout_(snapshot->config.daemon.drain_timeout),
      worker_(base, std::move(snapshot),
              {.reports = reports, .accounting = accounting_, .descriptors = DescriptorLimit()}),
      listeners_(worker_.loop(), {.accepted =
                                      [this](size_t listener, ttrpc::UniqueFd peer) {
                                        worker_.Accept(listener, std::move(peer));
                                      },
                                  .paused = LogPause}),
      workloads_(base, worker_),
      drain_timer_(worker_.loop(),
                   [this] {
                     const InFlight left = in_flight();
                     spdlog::warn("drain timeout: closing {} peers with {} calls in flight",
                                  left.peers, left.calls);
                     worker_.EndDrain();
                     last_moment_.Start(kLastMoment);
                   }),
      last_moment_(worker_.loop(), [this] { worker_.Close(); }) {}

Proxy::~Proxy() = default;

ttrpc::Status Proxy::Listen(PassedSockets* passed) {
  const std::vector<SocketConfig> sockets = SocketsOf(config().listeners);
  auto made = ListenerSet::Make({}, sockets, passed);
  if (!made) return made.error();
  auto change = listeners_.Prepare(sockets, *std::move(made));
  if (!change) return change.error();
  static_cast<void>(listeners_.Commit(*std::move(change)));  // nothing was listening before
  if (const ttrpc::Status status = workloads_.Follow(); !status.ok()) {
    listeners_.Clear();
    return {status.code(), "discovery: " + status.message()};
  }
  return {};
}

std::vector<BoundSocket> Proxy::Reload(SnapshotPtr snapshot, ListenerSet::Change change) {
  std::vector<BoundSocket> gone = listeners_.Commit(std::move(change));
  worker_.Reload(std::move(snapshot));
  if (const ttrpc::Status status = workloads_.Follow(); !status.ok())
    spdlog::error("discovery: {}; new workloads are not found until the next reload",
                  status.message());
  return gone;
}

Proxy::InFlight Proxy::in_flight() const {
  InFlight in_flight{.peers = worker_.peers().size()};
  for (const Peer& peer : worker_.peers()) in_flight.calls += peer.calls().size();
  return in_flight;
}

void Proxy::Drain(std::function<void()> done) {
  drained_ = std::move(done);
  listeners_.Clear();
  workloads_.Clear();
  drain_timer_.Start(drain_timeout_);
  worker_.Drain([this] { Finish(); });
}

void Proxy::Finish() {
  drain_timer_.Stop();
  last_moment_.Stop();
  if (drained_) std::exchange(drained_, nullptr)();
}

}  // namespace proxyd
