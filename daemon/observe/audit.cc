// SPDX-License-Identifier: Apache-2.0
//
// The audit's thread. Records wait in the queue's buffer, which the thread exchanges for an empty
// one. Recording is therefore a short append, under a lock that is never held during a write. The
// thread may wait for its target until GiveUp() ends that.
#include "observe/audit.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <utility>

#include "observe/audit_line.h"
#include "observe/audit_queue.h"
#include "observe/blocked_signals.h"

namespace proxyd {
namespace {

using std::chrono::milliseconds;

// How long a line waits for others to be written with it. At full speed each write(2), and each
// wake-up of the thread, then serves hundreds of calls.
constexpr milliseconds kLinger{2};
constexpr milliseconds kRetryAfter{1000};
// How long the lines of one batch may wait for the user database, in total.
constexpr milliseconds kNamesWithin{100};
// How often the log reports lost lines. Their cause may last, and must not fill the log.
constexpr milliseconds kSayEvery{1000};

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

}  // namespace

AuditClock& SystemAuditClock() {
  static SystemClock clock;
  return clock;
}

class Audit::Writer {
 public:
  Writer(const AuditConfig& config, std::unique_ptr<AuditTarget> target, AuditClock& clock,
         UserNames* names);

  bool Reserve(uid_t uid, size_t bytes, AuditReservation* reservation);
  void Record(const AuditRecord& record, AuditReservation reservation);
  void Reopen();
  void Reconfigure(const AuditConfig& config, std::unique_ptr<AuditTarget> target);
  bool refusing_calls() const { return keep_failed_ && failing_; }
  uint64_t lost() const { return lost_; }
  bool failing() const { return failing_; }

  void Stop(std::chrono::steady_clock::time_point deadline);

 private:
  void Run();
  void WaitForWork(std::unique_lock<std::mutex>& lock);
  void TellSuppressed(AuditClock::Steady until);
  void ChangeRates();
  void Pushed(bool fits, bool was_empty);
  void Lose(size_t lines);
  void FillInNames();
  void TryToOpen();
  void WriteBatch();
  void DropKept();
  std::optional<AuditClock::Steady> say_lost_at() const;
  void SayLost();
  // The caller must hold mutex_. Returns whether there is work other than lines.
  bool told() const { return stop_ || reopen_ || reconfigured_; }

  AuditClock& clock_;
  UserNames* const names_;

  // Used by the thread alone, but `target_` changes under mutex_ so that others can call its
  // GiveUp().
  std::unique_ptr<AuditTarget> target_;
  AuditBatch batch_;       // being written, or kept after a failure to be offered again
  AuditBatch named_;       // the next batch, while names are filled in
  bool unopened_ = false;  // the target could not be reopened
  AuditClock::Steady retry_at_{};
  uint64_t lost_said_ = 0;
  AuditClock::Steady lost_said_at_{};

  std::atomic<bool> keep_failed_;  // true if on_error is "refuse-calls"
  std::atomic<uint64_t> lost_ = 0;
  // The log has that lines are being lost, but not how many.
  std::atomic<bool> losing_ = false;
  std::atomic<bool> full_ = false;     // a line did not fit, and nothing was taken out since
  std::atomic<bool> failing_ = false;  // the last Write() failed, or unopened_ is true

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable ended_;
  AuditQueue queue_;  // guarded by mutex_, like all members below
  bool reopen_ = false;
  bool reconfigured_ = false;
  AuditConfig config_;
  std::optional<AuditConfig> next_config_;    // has the rates to use next
  std::unique_ptr<AuditTarget> next_target_;  // the target to use next
  bool stop_ = false;
  bool done_ = false;

  std::thread thread_;  // last: it starts when the other members exist
};

Audit::Writer::Writer(const AuditConfig& config, std::unique_ptr<AuditTarget> target,
                      AuditClock& clock, UserNames* names)
    : clock_(clock),
      names_(names),
      target_(std::move(target)),
      keep_failed_(config.on_error == AuditConfig::OnError::kRefuseCalls),
      queue_(config),
      config_(config) {
  const BlockedSignals blocked;
  thread_ = std::thread([this] { Run(); });
}

bool Audit::Writer::Reserve(uid_t uid, size_t bytes, AuditReservation* reservation) {
  const bool refuse = keep_failed_;
  if (refuse && failing_) return false;
  if (!refuse && bytes == 0) return true;
  return queue_.shares().Reserve(uid, bytes, reservation) || !refuse;
}

void Audit::Writer::Record(const AuditRecord& record, AuditReservation reservation) {
  const AuditClock::Steady now = clock_.SteadyNow();
  if (!record.carried_out) {
    const std::lock_guard lock(mutex_);
    const bool told_later = queue_.next_due().has_value();
    if (!queue_.Admit(record, now)) {
      if (!told_later) wake_.notify_one();
      return;
    }
  }
  thread_local std::string packed;  // keeps its capacity, a few KiB at most
  packed.clear();
  PackAuditRecord(record, clock_.Now(), &packed);
  const AuditQueue::Entry entry = {
      .record = record, .packed = packed, .line_size = AuditLineSize(record)};
  const std::lock_guard lock(mutex_);
  const bool was_empty = queue_.waiting().empty();
  Pushed(queue_.Push(entry, std::move(reservation), now), was_empty);
}

// The caller must hold mutex_.
void Audit::Writer::Pushed(bool fits, bool was_empty) {
  if (!fits) {
    // If no lines were queued, reservations of calls in flight fill the queue: taking lines frees
    // nothing.
    full_ = !was_empty;
    Lose(1);
  } else if (was_empty) {
    wake_.notify_one();  // otherwise the thread is awake, or lingers for more lines
  }
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
  next_config_ = config;
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
    if (next_config_) ChangeRates();
    std::unique_ptr<AuditTarget> before;
    if (next_target_) before = std::exchange(target_, std::move(next_target_));
    // If a part of a batch was kept, writing it to the new target decides instead.
    if (before && std::exchange(unopened_, false) && batch_.empty()) failing_ = false;
    const bool fresh = batch_.empty();
    if (fresh) {
      queue_.Take(&batch_);
      full_ = false;
    }
    const bool stopping = stop_;
    const bool reopen = std::exchange(reopen_, false) && !before;
    reconfigured_ = false;
    lock.unlock();
    if (reopen) target_->Reopen();
    before.reset();
    if (reopen || (unopened_ && batch_.empty())) TryToOpen();
    if (fresh) FillInNames();
    WriteBatch();
    lock.lock();
    if (const auto due = say_lost_at(); due && *due <= clock_.SteadyNow()) SayLost();
    // At the end a failing target gets only one more attempt.
    last = stopping && (failing_ || queue_.waiting().empty()) && !next_target_;
  }
  if (const size_t left = batch_.count + queue_.waiting().count; left != 0) Lose(left);
  SayLost();
  done_ = true;
  ended_.notify_all();
}

void Audit::Writer::WaitForWork(std::unique_lock<std::mutex>& lock) {
  while (!told()) {
    const AuditClock::Steady now = clock_.SteadyNow();
    std::optional<AuditClock::Steady> until = queue_.next_due();
    if (const auto due = say_lost_at()) until = until ? std::min(*until, *due) : due;
    if (!batch_.empty() || (unopened_ && queue_.waiting().empty())) {
      until = until ? std::min(*until, retry_at_) : retry_at_;
    } else if (!queue_.waiting().empty()) {
      // This waits in real time: lingering is about the machine's speed, whatever clock a test
      // uses.
      wake_.wait_for(lock, kLinger, [this] { return told(); });
      return;
    }
    if (until && *until <= now) return;
    clock_.Wait(wake_, lock, until);
  }
}

// The caller must hold mutex_.
void Audit::Writer::TellSuppressed(AuditClock::Steady until) {
  while (true) {
    const bool was_empty = queue_.waiting().empty();
    const std::optional<bool> fits = queue_.PushSuppressed(until, clock_.Now());
    if (!fits) return;
    Pushed(*fits, was_empty);
  }
}

// The caller must hold mutex_. Reports first what the old limits held back.
void Audit::Writer::ChangeRates() {
  const AuditConfig next = *std::exchange(next_config_, std::nullopt);
  const AuditConfig before = std::exchange(config_, next);
  if (next.rate_per_user == before.rate_per_user && next.bytes_per_user == before.bytes_per_user)
    return;
  TellSuppressed(AuditClock::Steady::max());
  queue_.SetRates(next);
}

// Names are looked up on this thread, since it may wait for the user database and workers may not.
void Audit::Writer::FillInNames() {
  if (names_ == nullptr || batch_.empty()) return;
  const auto deadline = UserNames::Clock::now() + kNamesWithin;
  std::string_view records = batch_.records;
  auto last = static_cast<uid_t>(-1);  // has no name
  std::string name;
  while (!records.empty()) {
    UnpackedRecord unpacked = UnpackAuditRecord(&records);
    const uid_t uid = unpacked.record.uid;
    if (uid != last) name = names_->FindBy(uid, deadline);
    last = uid;
    unpacked.record.user = name;
    PackAuditRecord(unpacked.record, unpacked.time, &named_.records);
  }
  batch_.records.swap(named_.records);
  named_.Clear();
}

// The target is tried without a line to write, since there may be none while calls are refused.
void Audit::Writer::TryToOpen() {
  const bool was_unopened = std::exchange(unopened_, !target_->IsOpen());
  if (unopened_) retry_at_ = clock_.SteadyNow() + kRetryAfter;
  if (unopened_ || was_unopened) failing_ = unopened_;
}

void Audit::Writer::WriteBatch() {
  if (batch_.empty()) return;
  const bool written = target_->Write(batch_.records);
  if (written) {
    unopened_ = false;
  } else {
    DropKept();
    retry_at_ = clock_.SteadyNow() + kRetryAfter;
  }
  failing_ = !written;
  const std::lock_guard lock(mutex_);
  // A new target gets what the old one did not take.
  if (!written && (keep_failed_ || next_target_)) return;
  if (!written && batch_.count != 0) Lose(batch_.count);
  batch_.Clear();
}

// Removes the records of the batch that the target has written although it failed.
void Audit::Writer::DropKept() {
  const size_t kept = target_->kept();
  batch_.count -= CountAuditRecords(std::string_view(batch_.records).substr(0, kept));
  batch_.records.erase(0, kept);
}

// The caller must hold mutex_. Returns when to log how many lines were lost; none if every loss was
// reported, or more lines may yet be lost.
std::optional<AuditClock::Steady> Audit::Writer::say_lost_at() const {
  if (lost_ == lost_said_ || full_ || failing_) return std::nullopt;
  return lost_said_at_ + kSayEvery;
}

// The caller must hold mutex_, like Lose().
void Audit::Writer::SayLost() {
  const uint64_t lost = lost_;
  if (lost == lost_said_) return;
  losing_ = false;
  lost_said_at_ = clock_.SteadyNow();
  spdlog::warn("audit: {} lines were lost", lost - std::exchange(lost_said_, lost));
}

Audit::Audit(const AuditConfig& config, std::unique_ptr<AuditTarget> target, AuditClock& clock,
             UserNames* names)
    : calls_(config.calls),
      names_(names),
      writer_(std::make_unique<Writer>(config, std::move(target), clock, names)) {}

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

bool Audit::Reserve(uid_t uid, size_t bytes, AuditReservation* reservation) {
  return writer_->Reserve(uid, bytes, reservation);
}

void Audit::Record(const AuditRecord& record, AuditReservation reservation) {
  writer_->Record(record, std::move(reservation));
}

bool Audit::refusing_calls() const { return writer_->refusing_calls(); }

std::string Audit::UserName(uid_t uid) const {
  return names_ == nullptr ? std::string() : names_->Find(uid);
}

uint64_t Audit::lost() const { return writer_->lost(); }

bool Audit::failing() const { return writer_->failing(); }

void Audit::Reconfigure(const AuditConfig& config, std::unique_ptr<AuditTarget> target) {
  calls_ = config.calls;
  writer_->Reconfigure(config, std::move(target));
}

void Audit::Reopen() { writer_->Reopen(); }

}  // namespace proxyd
