// SPDX-License-Identifier: Apache-2.0
#include "observe/output_thread.h"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "observe/blocked_signals.h"

namespace proxyd {
namespace {

using Clock = OutputThread::Clock;

// A buffer that a burst made larger than this is freed afterwards.
constexpr size_t kKeptBytes = size_t{256} << 10U;
constexpr std::chrono::seconds kReportLostEvery{1};

std::atomic<size_t> stuck_threads = 0;

}  // namespace

class OutputThread::Core {
 public:
  void Replace(std::unique_ptr<LogOutput> output);
  void SetFormat(LogFormat format);
  void Push(LogLine line);
  void Reopen();
  void GiveUp();
  WriteResult Write(std::string_view lines, const std::atomic<bool>& given_up);
  bool Stop(Clock::time_point deadline);
  void Release();  // replaces the destructor; see OutputThread::core_

 private:
  enum class Job { kNone, kReopen, kReport, kLine, kRaw };

  // A thread and its work. Only the thread uses it, except that others read `line` and `job` and
  // set the output's deadline, under the mutex.
  struct Hand {
    std::unique_ptr<LogOutput> output;
    bool waiting = true;  // for its predecessor
    bool stuck = false;   // counted as stuck; its results are ignored
    Job job = Job::kNone;
    LogLine line;
    std::string text;
    uint64_t raw_number = 0;
    bool busy() const { return job != Job::kNone; }
  };
  struct RawJob {
    enum class State { kNone, kWaiting, kInHand, kDone };
    State state = State::kNone;
    uint64_t number = 0;
    std::string_view lines;  // borrowed from the caller of Write()
    std::string copy;        // the unwritten part, for a thread to take; may be empty
    WriteResult result;
  };
  using Lock = std::unique_lock<std::mutex>;

  static void Run(Core* self, std::unique_ptr<Hand> hand);
  bool EnsureThread();
  void TakeOver(Hand* hand, Lock& lock);
  void Serve(Hand* hand, Lock& lock);
  bool Leave(Hand* hand, Lock& lock);
  void LeaveAlone(Hand* hand);
  void TakeBack(Hand* hand);
  void Begin(Hand* hand, Job job);
  void WriteRaw(Hand* hand, Lock& lock);
  bool WriteLine(Hand* hand, Lock& lock, Job job);
  bool IsLossDue() const;
  void ReportLost(Hand* hand, Lock& lock);

  std::mutex mutex_;  // guards all members below
  std::condition_variable work_;
  std::condition_variable changed_;
  Hand* active_ = nullptr;       // its thread does the work
  Hand* predecessor_ = nullptr;  // its thread has yet to return its work
  std::unique_ptr<LogOutput> next_output_;
  LogFormat format_ = LogFormat::kText;
  bool reopen_ = false;
  std::deque<LogLine> lines_;
  RawJob raw_;
  uint64_t lost_ = 0;  // log lines
  uint64_t lost_reported_ = 0;
  Clock::time_point reported_at_{};
  std::optional<Clock::time_point> stop_;
  bool stopped_ = false;
  bool released_ = false;
  size_t threads_ = 0;  // all that use this object
  size_t live_ = 0;     // those that are not stuck
};

// Functions for the callers.

void OutputThread::Core::Replace(std::unique_ptr<LogOutput> output) {
  const Lock lock(mutex_);
  std::swap(next_output_, output);  // closes an output that no thread has used
  if (active_ == nullptr || active_->waiting) return;
  predecessor_ = std::exchange(active_, nullptr);
  if (predecessor_->busy()) predecessor_->output->SetDeadline(Clock::time_point::min());
  EnsureThread();
  work_.notify_all();
}

void OutputThread::Core::SetFormat(LogFormat format) {
  const Lock lock(mutex_);
  format_ = format;
}

void OutputThread::Core::Push(LogLine line) {
  const Lock lock(mutex_);
  if (stop_) return;
  if (lines_.size() == kQueueLines) {
    lines_.pop_front();
    ++lost_;
  }
  lines_.push_back(std::move(line));
  if (EnsureThread()) work_.notify_one();
}

void OutputThread::Core::Reopen() {
  const Lock lock(mutex_);
  reopen_ = true;
  if (EnsureThread()) work_.notify_one();
}

void OutputThread::Core::GiveUp() {
  const Lock lock(mutex_);
  if (raw_.state == RawJob::State::kWaiting) raw_.state = RawJob::State::kDone;
  if (active_ != nullptr && active_->job == Job::kRaw)
    active_->output->SetDeadline(Clock::time_point::min());
  changed_.notify_all();
}

WriteResult OutputThread::Core::Write(std::string_view lines, const std::atomic<bool>& given_up) {
  std::string copy(lines);  // made before the lock is taken
  Lock lock(mutex_);
  if (given_up || stopped_) return {.error = ECANCELED, .kept = 0};
  if (!EnsureThread()) return {.error = EAGAIN, .kept = 0};
  raw_ = {.state = RawJob::State::kWaiting,
          .number = raw_.number + 1,
          .lines = lines,
          .copy = std::move(copy),
          .result = {.error = ECANCELED, .kept = 0}};
  work_.notify_one();
  const auto done = [this] { return raw_.state == RawJob::State::kDone; };
  changed_.wait(lock, [&] { return done() || given_up || stopped_; });
  if (raw_.state == RawJob::State::kInHand && !stopped_) changed_.wait_for(lock, kGrace, done);
  raw_.state = RawJob::State::kNone;
  raw_.lines = {};
  return raw_.result;
}

bool OutputThread::Core::Stop(Clock::time_point deadline) {
  Lock lock(mutex_);
  stop_ = deadline;
  if (active_ != nullptr && active_->busy()) active_->output->SetDeadline(deadline);
  work_.notify_all();
  const bool ended = changed_.wait_until(lock, deadline + kGrace, [this] { return live_ == 0; });
  if (active_ != nullptr) LeaveAlone(std::exchange(active_, nullptr));
  if (predecessor_ != nullptr) LeaveAlone(std::exchange(predecessor_, nullptr));
  stopped_ = true;
  changed_.notify_all();
  return ended;
}

void OutputThread::Core::Release() {
  {
    const Lock lock(mutex_);
    released_ = true;
    stop_ = Clock::time_point::min();
    if (active_ != nullptr && active_->busy()) active_->output->SetDeadline(*stop_);
    work_.notify_all();
    if (threads_ != 0) return;
  }
  delete this;
}

// Functions of the thread. They hold the lock except while the output is in use.

// Returns false if there is no thread and none can be started now.
bool OutputThread::Core::EnsureThread() {
  if (active_ != nullptr) return true;
  if (stop_ || !next_output_) return false;
  auto hand = std::make_unique<Hand>();
  Hand* const starting = hand.get();
  try {
    const BlockedSignals blocked;
    std::thread(Run, this, std::move(hand)).detach();
  } catch (const std::system_error&) {
    return false;
  }
  active_ = starting;
  ++threads_;
  ++live_;
  return true;
}

void OutputThread::Core::Run(Core* self, std::unique_ptr<Hand> hand) {
  bool last = false;
  {
    Lock lock(self->mutex_);
    self->TakeOver(hand.get(), lock);
    self->Serve(hand.get(), lock);
    last = self->Leave(hand.get(), lock);
  }
  if (last) delete self;
}

// Gives an output that is still writing the time to report how far it got.
void OutputThread::Core::TakeOver(Hand* hand, Lock& lock) {
  changed_.wait_for(lock, kGrace, [this] { return predecessor_ == nullptr; });
  if (hand->stuck) return;
  if (predecessor_ != nullptr) {
    TakeBack(predecessor_);
    LeaveAlone(std::exchange(predecessor_, nullptr));
  }
  hand->waiting = false;
  hand->output = std::move(next_output_);
}

void OutputThread::Core::Serve(Hand* hand, Lock& lock) {
  while (active_ == hand) {
    if (std::exchange(reopen_, false)) {
      Begin(hand, Job::kReopen);
      lock.unlock();
      hand->output->Reopen();
      lock.lock();
      hand->job = Job::kNone;
    } else if (raw_.state == RawJob::State::kWaiting) {
      WriteRaw(hand, lock);
    } else if (!lines_.empty()) {
      hand->line = std::move(lines_.front());
      lines_.pop_front();
      WriteLine(hand, lock, Job::kLine);
    } else if (stop_) {
      active_ = nullptr;
    } else {
      work_.wait(lock);
    }
    if (active_ == hand && IsLossDue()) ReportLost(hand, lock);
  }
}

// Returns true if no other thread uses this object any more.
bool OutputThread::Core::Leave(Hand* hand, Lock& lock) {
  if (predecessor_ == hand) {
    predecessor_ = nullptr;
    changed_.notify_all();
  }
  std::unique_ptr<LogOutput> output = std::move(hand->output);
  lock.unlock();
  output.reset();  // may take as long as a write
  lock.lock();
  if (hand->stuck) {
    --stuck_threads;
  } else {
    --live_;
  }
  changed_.notify_all();
  return --threads_ == 0 && released_;
}

void OutputThread::Core::LeaveAlone(Hand* hand) {
  if (std::exchange(hand->stuck, true)) return;
  --live_;
  ++stuck_threads;
}

void OutputThread::Core::TakeBack(Hand* hand) {
  if (hand->job == Job::kLine) lines_.push_front(hand->line);
  if (hand->job == Job::kRaw && raw_.number == hand->raw_number &&
      raw_.state == RawJob::State::kInHand)
    raw_.state = RawJob::State::kWaiting;
}

void OutputThread::Core::Begin(Hand* hand, Job job) {
  hand->job = job;
  hand->output->SetDeadline(stop_.value_or(Clock::time_point::max()));
}

void OutputThread::Core::WriteRaw(Hand* hand, Lock& lock) {
  Begin(hand, Job::kRaw);
  raw_.state = RawJob::State::kInHand;
  hand->raw_number = raw_.number;
  hand->text = std::move(raw_.copy);
  raw_.copy.clear();
  // An abandoned thread has kept the copy.
  if (hand->text.empty()) hand->text.assign(raw_.lines.substr(raw_.result.kept));
  lock.unlock();
  const WriteResult result = hand->output->WriteRaw(hand->text);
  lock.lock();
  hand->job = Job::kNone;
  if (hand->text.capacity() > kKeptBytes) std::string().swap(hand->text);
  if (hand->stuck || raw_.number != hand->raw_number || raw_.state != RawJob::State::kInHand)
    return;
  raw_.result.kept += result.error == 0 ? raw_.lines.size() - raw_.result.kept : result.kept;
  // A write that ended because the output was replaced continues with the next output.
  const bool goes_on = result.error != 0 && active_ != hand;
  raw_.state = goes_on ? RawJob::State::kWaiting : RawJob::State::kDone;
  if (!goes_on) raw_.result.error = result.error;
  changed_.notify_all();
}

// Returns false if the output did not take the line.
bool OutputThread::Core::WriteLine(Hand* hand, Lock& lock, Job job) {
  Begin(hand, job);
  const LogFormat format = format_;
  lock.unlock();
  hand->text.clear();
  AppendLogLine(hand->line, format, hand->output->keeps_time_and_level(), &hand->text);
  const int error = hand->output->Write(hand->line.level, hand->text);
  lock.lock();
  hand->job = Job::kNone;
  if (error == 0) return true;
  if (hand->stuck || job == Job::kReport) return false;
  if (active_ == hand) {
    ++lost_;
  } else {
    lines_.push_front(std::move(hand->line));  // for the next output
  }
  return false;
}

// Losses are reported when the queue is empty, and at least each second while it never is.
bool OutputThread::Core::IsLossDue() const {
  return lost_ != lost_reported_ &&
         (lines_.empty() || Clock::now() - reported_at_ >= kReportLostEvery);
}

// If the report itself is lost, that does not count as a loss: it is repeated.
void OutputThread::Core::ReportLost(Hand* hand, Lock& lock) {
  const uint64_t lost = lost_;
  hand->line = {.time = spdlog::log_clock::now(),
                .level = spdlog::level::warn,
                .message = fmt::format("log: {} lines were lost", lost - lost_reported_)};
  reported_at_ = Clock::now();
  if (WriteLine(hand, lock, Job::kReport) && !hand->stuck) lost_reported_ = lost;
}

// The public functions.

OutputThread::OutputThread() : core_(new Core) {}

OutputThread::~OutputThread() { core_->Release(); }

void OutputThread::Replace(std::unique_ptr<LogOutput> output) { core_->Replace(std::move(output)); }

void OutputThread::SetFormat(LogFormat format) { core_->SetFormat(format); }

void OutputThread::Push(LogLine line) { core_->Push(std::move(line)); }

void OutputThread::Reopen() { core_->Reopen(); }

void OutputThread::GiveUp() { core_->GiveUp(); }

WriteResult OutputThread::Write(std::string_view lines, const std::atomic<bool>& given_up) {
  return core_->Write(lines, given_up);
}

bool OutputThread::Stop(Clock::time_point deadline) { return core_->Stop(deadline); }

size_t OutputThread::stuck() { return stuck_threads; }

ttrpc::Status OutputThread::CheckReplaceable() {
  if (stuck_threads < kMostStuck) return {};
  return {ttrpc::StatusCode::kResourceExhausted, "needs a restart: writes to " +
                                                     std::to_string(kMostStuck) +
                                                     " earlier log and audit targets still hang"};
}

}  // namespace proxyd
