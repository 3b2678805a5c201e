// SPDX-License-Identifier: Apache-2.0
//
// Audit's queue and its thread. Lines wait in one buffer, which the thread swaps for its own empty
// one: recording a line is a short append under a lock that is never held while anything is
// written. The thread may wait for its target, but not longer than that is wanted (GiveUp()).
#include "observe/audit.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include "observe/audit_line.h"
#include "observe/blocked_signals.h"
#include "observe/rate_limiter.h"

namespace proxyd {
namespace {

using std::chrono::milliseconds;

// What may wait: some hundred milliseconds of every call at full speed, and a bound on memory
// (twice this, with what is being written).
constexpr size_t kQueueBytes = size_t{4} << 20U;
constexpr size_t kQueueLines = 16384;
// A buffer that a burst made larger than this is given back when things are quiet again.
constexpr size_t kKeptBytes = size_t{256} << 10U;
// How long a line waits for others to be written with: at full speed each write(2), and each waking
// of the thread, then serves hundreds of calls.
constexpr milliseconds kLinger{2};
constexpr milliseconds kRetryAfter{1000};

class SystemClock final : public AuditClock {
 public:
  std::chrono::system_clock::time_point Now() override { return std::chrono::system_clock::now(); }
  Steady SteadyNow() override { return std::chrono::steady_clock::now(); }
  void Wait(std::condition_variable& wake, std::unique_lock<std::mutex>& lock,
            std::optional<Steady> until) override {
    if (until) {
      wake.wait_until(lock, *until);
    } else {
      wake.wait(lock);
    }
  }
};

bool IsRateLimited(const AuditRecord& record) {
  return record.event == AuditEvent::kRefuse || record.event == AuditEvent::kDeny ||
         record.enforced == false;
}

uint64_t RandomSeed() {
  std::random_device device;
  return (uint64_t{device()} << 32U) | device();
}

}  // namespace

AuditClock& SystemAuditClock() {
  static SystemClock clock;
  return clock;
}

class Audit::Writer {
 public:
  Writer(const AuditConfig& config, std::unique_ptr<AuditTarget> target, AuditClock& clock);

  void Record(const AuditRecord& record);
  void Reopen();
  void Reconfigure(const AuditConfig& config, std::unique_ptr<AuditTarget> target);
  bool refusing_calls() const { return keep_failed_ && (full_ || failing_); }
  uint64_t lost() const { return lost_; }

  void Stop(std::chrono::steady_clock::time_point deadline);

 private:
  struct Lines {
    std::string text;
    size_t count = 0;
    bool empty() const { return text.empty(); }
    void Clear();
  };

  void Run();
  void WaitForWork(std::unique_lock<std::mutex>& lock);
  void TellSuppressed(AuditClock::Steady until);
  void ChangeRate();
  void Push(std::string_view line);
  void Lose(size_t lines);
  void WriteBatch();
  void DropKept();
  void SayLost();
  // Under mutex_: there is something to do that is no line.
  bool told() const { return stop_ || reopen_ || reconfigured_; }

  AuditClock& clock_;

  // The thread's own. `target_` changes under mutex_, so that others may have it give up.
  std::unique_ptr<AuditTarget> target_;
  Lines batch_;  // being written; or what failed, kept to be offered again
  AuditClock::Steady retry_at_{};
  uint64_t lost_said_ = 0;

  std::atomic<bool> keep_failed_;  // on_error = "refuse-calls"
  std::atomic<uint64_t> lost_ = 0;
  std::atomic<bool> losing_ = false;   // said that lines are being lost, not yet how many
  std::atomic<bool> full_ = false;     // a line did not fit, and nothing was taken out since
  std::atomic<bool> failing_ = false;  // the last Write() failed

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable ended_;
  Lines pending_;  // guarded by mutex_, as are all below
  RateLimiter limiter_;
  bool reopen_ = false;
  bool reconfigured_ = false;
  uint32_t rate_;
  std::optional<uint32_t> next_rate_;         // that is to count
  std::unique_ptr<AuditTarget> next_target_;  // that is to be written to
  bool stop_ = false;
  bool done_ = false;

  std::thread thread_;  // last: starts when all else stands
};

Audit::Writer::Writer(const AuditConfig& config, std::unique_ptr<AuditTarget> target,
                      AuditClock& clock)
    : clock_(clock),
      target_(std::move(target)),
      keep_failed_(config.on_error == AuditConfig::OnError::kRefuseCalls),
      limiter_(config.rate_per_user, RandomSeed()),
      rate_(config.rate_per_user) {
  const BlockedSignals blocked;
  thread_ = std::thread([this] { Run(); });
}

void Audit::Writer::Lines::Clear() {
  if (text.capacity() > kKeptBytes && text.size() < kKeptBytes / 4) {
    std::string().swap(text);
  }
  text.clear();
  count = 0;
}

void Audit::Writer::Record(const AuditRecord& record) {
  if (IsRateLimited(record)) {
    // Before the line is made: a flood of denials costs a look-up each.
    const std::lock_guard lock(mutex_);
    const bool told_later = limiter_.next_due().has_value();
    if (!limiter_.Admit(record.uid, record.event, clock_.SteadyNow())) {
      if (!told_later) wake_.notify_one();
      return;
    }
  }
  thread_local std::string line;  // keeps its capacity, some KiB at most
  line.clear();
  AppendAuditLine(record, clock_.Now(), &line);
  const std::lock_guard lock(mutex_);
  Push(line);
}

// Under mutex_.
void Audit::Writer::Push(std::string_view line) {
  if (pending_.text.size() + line.size() > kQueueBytes || pending_.count == kQueueLines) {
    full_ = true;
    Lose(1);
    return;
  }
  // Otherwise it is awake, or lingers for more.
  if (pending_.empty()) wake_.notify_one();
  pending_.text.append(line);
  ++pending_.count;
}

void Audit::Writer::Lose(size_t lines) {
  lost_ += lines;
  if (!losing_.exchange(true)) spdlog::error("audit: lines are being lost");
}

void Audit::Writer::Reopen() {
  const std::lock_guard lock(mutex_);
  reopen_ = true;
  wake_.notify_one();
}

void Audit::Writer::Reconfigure(const AuditConfig& config, std::unique_ptr<AuditTarget> target) {
  const std::lock_guard lock(mutex_);
  keep_failed_ = config.on_error == AuditConfig::OnError::kRefuseCalls;
  if (config.rate_per_user != rate_) next_rate_ = config.rate_per_user;
  if (target) {
    std::swap(next_target_, target);
    target_->GiveUp();
  }
  reconfigured_ = true;
  wake_.notify_one();
}

void Audit::Writer::Stop(std::chrono::steady_clock::time_point deadline) {
  {
    std::unique_lock lock(mutex_);
    stop_ = true;
    wake_.notify_one();
    if (!ended_.wait_until(lock, deadline, [this] { return done_; })) {
      target_->GiveUp();
      if (next_target_) next_target_->GiveUp();
    }
  }
  thread_.join();
}

void Audit::Writer::Run() {
  std::unique_lock lock(mutex_);
  bool last = false;
  while (!last) {
    WaitForWork(lock);
    TellSuppressed(stop_ ? AuditClock::Steady::max() : clock_.SteadyNow());
    if (next_rate_) ChangeRate();
    std::unique_ptr<AuditTarget> before;
    if (next_target_) before = std::exchange(target_, std::move(next_target_));
    if (batch_.empty()) {
      std::swap(batch_, pending_);
      full_ = false;
    }
    const bool stopping = stop_;
    const bool reopen = std::exchange(reopen_, false);
    reconfigured_ = false;
    lock.unlock();
    if (reopen && !before) target_->Reopen();
    before.reset();
    WriteBatch();
    lock.lock();
    // At the end a target that fails gets one chance more, not as many as it likes.
    last = stopping && (failing_ || pending_.empty()) && !next_target_;
  }
  if (const size_t left = batch_.count + pending_.count; left != 0) Lose(left);
  SayLost();
  done_ = true;
  ended_.notify_all();
}

void Audit::Writer::WaitForWork(std::unique_lock<std::mutex>& lock) {
  while (!told()) {
    const AuditClock::Steady now = clock_.SteadyNow();
    std::optional<AuditClock::Steady> until = limiter_.next_due();
    if (!batch_.empty()) {
      until = until ? std::min(*until, retry_at_) : retry_at_;
    } else if (!pending_.empty()) {
      // In real time: lingering is about the machine's speed, whatever clock a test gives.
      wake_.wait_for(lock, kLinger, [this] { return told(); });
      return;
    }
    if (until && *until <= now) return;
    clock_.Wait(wake_, lock, until);
  }
}

// Under mutex_.
void Audit::Writer::TellSuppressed(AuditClock::Steady until) {
  std::string line;
  while (const std::optional<RateLimiter::Suppressed> told = limiter_.TakeSuppressed(until)) {
    line.clear();
    AppendSuppressedLine(*told, clock_.Now(), &line);
    Push(line);
  }
}

// Under mutex_. What the old limit held back is told first.
void Audit::Writer::ChangeRate() {
  TellSuppressed(AuditClock::Steady::max());
  rate_ = *std::exchange(next_rate_, std::nullopt);
  limiter_ = RateLimiter(rate_, RandomSeed());
}

void Audit::Writer::WriteBatch() {
  if (batch_.empty()) return;
  const bool written = target_->Write(batch_.text);
  if (!written) DropKept();
  if (!written) retry_at_ = clock_.SteadyNow() + kRetryAfter;
  failing_ = !written;
  const std::lock_guard lock(mutex_);
  // What a target that is being replaced did not take is the next one's.
  if (!written && (keep_failed_ || next_target_)) return;
  if (!written && batch_.count != 0) Lose(batch_.count);
  batch_.Clear();
  if (written && !full_) SayLost();
}

// The lines of the batch that the target has although it failed.
void Audit::Writer::DropKept() {
  const std::string_view kept = std::string_view(batch_.text).substr(0, target_->kept());
  batch_.count -= static_cast<size_t>(std::count(kept.begin(), kept.end(), '\n'));
  batch_.text.erase(0, kept.size());
}

// Once things go well again: how many. Under mutex_, as Lose().
void Audit::Writer::SayLost() {
  const uint64_t lost = lost_;
  if (lost == lost_said_) return;
  losing_ = false;
  spdlog::warn("audit: {} lines were lost", lost - std::exchange(lost_said_, lost));
}

Audit::Audit(const AuditConfig& config, std::unique_ptr<AuditTarget> target, AuditClock& clock)
    : calls_(config.calls), writer_(std::make_unique<Writer>(config, std::move(target), clock)) {}

Audit::~Audit() { Stop(); }

void Audit::Stop(std::chrono::steady_clock::time_point deadline) {
  if (!writer_) return;
  writer_->Stop(deadline);
  writer_.reset();
}

bool Audit::Wants(AuditEvent event, std::optional<bool> enforced,
                  std::optional<AuditCalls> rule_override) const {
  switch (rule_override.value_or(calls_)) {
    case AuditCalls::kNone:
      return false;
    case AuditCalls::kDenied:
      return event == AuditEvent::kRefuse || event == AuditEvent::kDeny || enforced == false;
    case AuditCalls::kAll:
      return true;
  }
  return true;
}

void Audit::Record(const AuditRecord& record) { writer_->Record(record); }

bool Audit::refusing_calls() const { return writer_->refusing_calls(); }

uint64_t Audit::lost() const { return writer_->lost(); }

void Audit::Reconfigure(const AuditConfig& config, std::unique_ptr<AuditTarget> target) {
  calls_ = config.calls;
  writer_->Reconfigure(config, std::move(target));
}

void Audit::Reopen() { writer_->Reopen(); }

}  // namespace proxyd
