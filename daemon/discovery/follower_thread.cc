// SPDX-License-Identifier: Apache-2.0
#include "discovery/follower_thread.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <set>
#include <system_error>

namespace proxyd {

using ttrpc::ErrnoStatus;
using ttrpc::Result;
using ttrpc::Status;
using ttrpc::StatusCode;
using ttrpc::UniqueFd;

namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kBatch = 1024;        // changes, which the loop handles without a pause
constexpr size_t kMostWaiting = 8192;  // changes that wait for the loop

// A resource becomes free without an event. The delay doubles each time.
constexpr std::chrono::milliseconds kFirstRetry{250};
constexpr std::chrono::milliseconds kLongestRetry{60'000};

std::atomic<size_t> hanging_threads = 0;

void Signal(const UniqueFd& event) {
  const uint64_t one = 1;
  ssize_t written = 0;
  do {
    written = ::write(event.get(), &one, sizeof one);
  } while (written < 0 && errno == EINTR);
  // EAGAIN: the counter is at its end, so that the event is signalled already.
}

void Drain(const UniqueFd& event) {
  uint64_t count = 0;
  ssize_t got = 0;
  do {
    got = ::read(event.get(), &count, sizeof count);
  } while (got < 0 && errno == EINTR);
}

// Signals are for the thread that waits for them. Those of faults stay with the thread that caused
// them.
void BlockSignals(sigset_t* before) {
  sigset_t blocked;
  sigfillset(&blocked);
  for (const int fault : {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP}) {
    sigdelset(&blocked, fault);
  }
  pthread_sigmask(SIG_SETMASK, &blocked, before);
}

// Returns the time until `wake` for poll(2), rounded up.
int PollTimeout(const std::optional<PollSet::TimePoint>& wake) {
  if (!wake) return -1;
  const PollSet::TimePoint now = Clock::now();
  if (*wake <= now) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*wake - now);
  return static_cast<int>(std::min<int64_t>(left.count(), 60'000));
}

}  // namespace

// ---- on the loop's thread

Result<FollowerThread*> FollowerThread::Start() {
  std::unique_ptr<FollowerThread, void (*)(FollowerThread*)> self(
      new FollowerThread, [](FollowerThread* made) { delete made; });
  self->wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  self->results_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!self->wake_ || !self->results_) {
    return Status(StatusCode::kResourceExhausted,
                  ErrnoStatus(errno, "the thread of discovery").message());
  }
  auto inotify = Inotify::Create();
  if (!inotify) return Status(StatusCode::kResourceExhausted, inotify.error().message());
  self->inotify_ = *std::move(inotify);
  sigset_t before;
  BlockSignals(&before);
  Status status;
  try {
    self->thread_ = std::thread([thread = self.get()] { Run(thread); });
  } catch (const std::system_error& failure) {
    status = Status(StatusCode::kResourceExhausted,
                    ErrnoStatus(failure.code().value(), "the thread of discovery").message());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (!status.ok()) return status;
  return self.release();
}

void FollowerThread::Send(std::unique_ptr<FollowCommand> command) {
  FollowCommand* const added = command.release();
  added->next = commands_.load();
  while (!commands_.compare_exchange_weak(added->next, added)) {
  }
  Signal(wake_);
}

std::unique_ptr<FollowBatch> FollowerThread::Take() {
  Drain(results_);
  std::unique_ptr<FollowBatch> batch(batch_.exchange(nullptr));
  if (batch) Signal(wake_);  // the thread may have the next one
  return batch;
}

void FollowerThread::Stop(FollowerThread* self, std::chrono::nanoseconds patience) {
  const Clock::time_point deadline = Clock::now() + patience;
  self->stop_ = true;
  Signal(self->wake_);
  while (self->ending_ == Ending::kRunning && Clock::now() < deadline) {
    Drain(self->results_);
    if (self->ending_ != Ending::kRunning) break;  // it was signalled before it was drained
    pollfd end = {.fd = self->results_.get(), .events = POLLIN, .revents = 0};
    static_cast<void>(::poll(&end, 1, PollTimeout(deadline)));
  }
  std::thread thread = std::move(self->thread_);
  ++hanging_threads;
  if (self->ending_.exchange(Ending::kAbandoned) == Ending::kRunning) return thread.detach();
  --hanging_threads;
  thread.join();
  delete self;
}

size_t FollowerThread::stuck() { return hanging_threads; }

FollowerThread::~FollowerThread() {
  for (FollowCommand* command = commands_.exchange(nullptr); command != nullptr;) {
    const std::unique_ptr<FollowCommand> owned(command);
    command = owned->next;
  }
  delete batch_.exchange(nullptr);
}

// ---- on the thread

void FollowerThread::Run(FollowerThread* self) {
  self->Work();
  if (self->ending_.exchange(Ending::kDone) == Ending::kAbandoned) {
    delete self;
    --hanging_threads;
    return;
  }
  // The loop's thread joins this one before it destroys the object.
  Signal(self->results_);
}

void FollowerThread::Work() {
  while (!stop_) {
    Wait();
    Drain(wake_);
    CarryOut();
    if (!is_full()) {
      const bool complete = inotify_->Read();
      for (const auto& [key, listener] : listeners_) listener->source().AfterEvents(!complete);
    }
    const Clock::time_point now = Clock::now();
    for (const auto& [key, listener] : listeners_) listener->source().Advance(now);
    RetryIfDue();
    Flush();
    Settle();
  }
  CarryOut();
  // Their destructors remove the fronts. Nobody takes what they report.
  listeners_.clear();
  next_ = {};
}

bool FollowerThread::is_full() const { return next_.changes.size() >= kMostWaiting; }

void FollowerThread::Wait() {
  PollSet set;
  set.files.push_back({.fd = wake_.get(), .events = POLLIN, .revents = 0});
  if (!is_full()) {
    set.files.push_back({.fd = inotify_->fd(), .events = POLLIN, .revents = 0});
    for (const auto& [key, listener] : listeners_) listener->source().Prepare(&set);
  }
  if (retry_) set.WakeBy(*retry_);
  // An error other than EINTR is a lack of memory: the next iteration tries again.
  static_cast<void>(::poll(set.files.data(), set.files.size(), PollTimeout(set.wake)));
}

void FollowerThread::CarryOut() {
  FollowCommand* newest = commands_.exchange(nullptr);
  FollowCommand* oldest = nullptr;
  while (newest != nullptr) {
    FollowCommand* const next = std::exchange(newest->next, oldest);
    oldest = std::exchange(newest, next);
  }
  while (oldest != nullptr) {
    const std::unique_ptr<FollowCommand> command(oldest);
    oldest = command->next;
    if (command->listeners) SetListeners(*std::move(command->listeners));
    if (!command->fronts.empty()) Remove(std::move(command->fronts));
  }
}

void FollowerThread::SetListeners(std::vector<FollowedListener> listeners) {
  ++commanded_;
  std::map<std::string, FollowedListener> next;
  for (FollowedListener& listener : listeners) {
    std::string key = listener.key;
    next.emplace(std::move(key), std::move(listener));
  }
  // Removed listeners give up their directories before added ones take them.
  for (auto at = listeners_.begin(); at != listeners_.end();) {
    const auto same = next.find(at->first);
    const bool stays = same != next.end() && at->second->CanBecome(same->second);
    at = stays ? std::next(at) : listeners_.erase(at);
  }
  ListenerFollower::Sink& sink = *this;
  for (auto& [key, listener] : next) {
    auto [at, is_new] = listeners_.try_emplace(key);
    if (!is_new) {
      at->second->Become(std::move(listener));
      continue;
    }
    at->second = std::make_unique<ListenerFollower>(std::move(listener), *inotify_, sink);
    at->second->Start();
  }
}

void FollowerThread::Remove(std::vector<ttrpc::ListeningSocket> fronts) {
  for (ttrpc::ListeningSocket& front : fronts) {
    const std::string path = front.path();
    front.CloseAndUnlink();
    for (const auto& [key, listener] : listeners_) listener->FrontRemoved(path);
  }
  // Their descriptors are free now. One retry serves all of the removed fronts.
  retry_delay_ = kFirstRetry;
  if (retry_) retry_ = std::min(*retry_, Clock::now() + kFirstRetry);
}

void FollowerThread::RetryIfDue() {
  const bool incomplete =
      std::any_of(listeners_.begin(), listeners_.end(),
                  [](const auto& listener) { return listener.second->incomplete(); });
  if (!incomplete) {
    retry_.reset();
    return;
  }
  if (retry_ && Clock::now() < *retry_) return;
  if (retry_) {
    for (const auto& [key, listener] : listeners_) listener->Retry();
    retry_delay_ = std::min(2 * retry_delay_, kLongestRetry);
  } else {
    retry_delay_ = kFirstRetry;
  }
  retry_ = Clock::now() + retry_delay_;
}

bool FollowerThread::is_settled() const {
  return std::all_of(listeners_.begin(), listeners_.end(),
                     [](const auto& listener) { return listener.second->source().settled(); });
}

void FollowerThread::Push(WorkloadChange change) {
  next_.changes.push_back(std::move(change));
  if (next_.changes.size() >= kBatch) Flush();
}

void FollowerThread::PushProblem(const std::string& listener, const std::string& what) {
  next_.problems.emplace_back(listener, what);
}

// Passes the oldest changes to the loop, unless it has not taken those before.
void FollowerThread::Flush() {
  if (batch_ != nullptr) return;
  auto batch = std::make_unique<FollowBatch>();
  if (next_.changes.size() <= kBatch) {
    batch->changes = std::exchange(next_.changes, {});
  } else {
    const auto end = next_.changes.begin() + kBatch;
    batch->changes.assign(std::make_move_iterator(next_.changes.begin()),
                          std::make_move_iterator(end));
    next_.changes.erase(next_.changes.begin(), end);
  }
  batch->problems = std::exchange(next_.problems, {});
  batch->settled = std::exchange(next_.settled, 0);
  if (batch->changes.empty() && batch->problems.empty() && batch->settled == 0) return;
  batch_ = batch.release();
  Signal(results_);
}

// Reports that all workloads are reported, in the batch after the last one of their changes.
void FollowerThread::Settle() {
  if (settled_ == commanded_ || !next_.changes.empty() || !is_settled()) return;
  next_.settled = settled_ = commanded_;
  Flush();
}

}  // namespace proxyd
