// SPDX-License-Identifier: Apache-2.0
#include "observe/user_names.h"

#include <pwd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "observe/blocked_signals.h"

namespace proxyd {

namespace {

constexpr size_t kMostRecord = size_t{1} << 20;  // bytes of a user's entry

std::atomic<size_t> stuck_threads{0};

}  // namespace

// Its mutex is never held while the database is asked.
class UserNames::Core {
 public:
  explicit Core(LookUp look_up) : look_up_(std::move(look_up)) {}

  std::string Find(uid_t uid, std::optional<Clock::time_point> deadline);
  std::optional<std::string> Known(uid_t uid);
  void ReportTo(ttrpc::UniqueFd pipe);
  // Called when the owner is destroyed. Returns true if there is no thread, and the caller must
  // delete this.
  bool Leave();

 private:
  struct Entry {
    std::string name;
    Clock::time_point until;
  };

  void Ask(uid_t uid);
  bool StartThread();
  void Run();
  void Keep(uid_t uid, std::string name);
  void Report(uid_t uid);

  const LookUp look_up_;
  std::mutex mutex_;  // guards all members below
  std::condition_variable asked_;
  std::condition_variable answered_;
  std::unordered_map<uid_t, Entry> known_;
  std::deque<uid_t> order_;  // the uids in known_, the oldest first
  std::deque<uid_t> waiting_;
  std::unordered_set<uid_t> asked_for_;  // the uids in waiting_, and the one being looked up
  bool running_ = false;                 // the thread exists
  bool busy_ = false;                    // the thread is asking the database
  bool hangs_ = false;                   // a caller has waited in vain
  bool left_ = false;
  ttrpc::UniqueFd answers_;  // see ReportTo()
};

std::string UserNames::Core::Find(uid_t uid, std::optional<Clock::time_point> deadline) {
  if (uid == static_cast<uid_t>(-1)) return {};
  std::unique_lock lock(mutex_);
  const auto found = known_.find(uid);
  if (found != known_.end() && Clock::now() < found->second.until) return found->second.name;
  Ask(uid);
  // An old name is better than none.
  if (found != known_.end()) return found->second.name;
  if (!deadline || hangs_ || !asked_for_.contains(uid)) return {};
  if (!answered_.wait_until(lock, *deadline, [&] { return known_.contains(uid); })) {
    hangs_ = true;
    return {};
  }
  return known_.at(uid).name;
}

std::optional<std::string> UserNames::Core::Known(uid_t uid) {
  if (uid == static_cast<uid_t>(-1)) return std::string();
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(uid);
  if (found != known_.end() && Clock::now() < found->second.until) return found->second.name;
  Ask(uid);
  return std::nullopt;
}

void UserNames::Core::ReportTo(ttrpc::UniqueFd pipe) {
  const std::lock_guard lock(mutex_);
  answers_ = std::move(pipe);
}

// The caller must hold mutex_. The reader may have gone, and EPIPE then means nothing: the thread
// blocks SIGPIPE like every other signal.
void UserNames::Core::Report(uid_t uid) {
  if (!answers_) return;
  while (::write(answers_.get(), &uid, sizeof uid) < 0 && errno == EINTR) {
  }
}

// The caller must hold mutex_.
void UserNames::Core::Ask(uid_t uid) {
  if (waiting_.size() >= kWaiting || asked_for_.contains(uid) || !StartThread()) return;
  asked_for_.insert(uid);
  waiting_.push_back(uid);
  asked_.notify_one();
}

// The caller must hold mutex_. A sandbox does not confine threads that existed before it, so the
// thread is started by the first question, when the sandbox is in force.
bool UserNames::Core::StartThread() {
  if (running_) return true;
  const BlockedSignals blocked;
  try {
    std::thread([this] { Run(); }).detach();
  } catch (const std::system_error&) {
    return false;  // the next question tries again
  }
  running_ = true;
  return true;
}

void UserNames::Core::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    asked_.wait(lock, [this] { return left_ || !waiting_.empty(); });
    if (left_) break;
    const uid_t uid = waiting_.front();
    waiting_.pop_front();
    busy_ = true;
    lock.unlock();
    std::string name = look_up_(uid);
    lock.lock();
    busy_ = false;
    hangs_ = false;
    asked_for_.erase(uid);
    Keep(uid, std::move(name));
    Report(uid);
    answered_.notify_all();
    if (left_) {
      --stuck_threads;
      break;
    }
  }
  lock.unlock();
  delete this;
}

// The caller must hold mutex_.
void UserNames::Core::Keep(uid_t uid, std::string name) {
  const Clock::time_point until = Clock::now() + (name.empty() ? kWithoutName : kWithName);
  const bool is_new = known_.insert_or_assign(uid, Entry{std::move(name), until}).second;
  if (!is_new) return;
  order_.push_back(uid);
  if (order_.size() <= kNames) return;
  known_.erase(order_.front());
  order_.pop_front();
}

bool UserNames::Core::Leave() {
  const std::lock_guard lock(mutex_);
  left_ = true;
  if (busy_) ++stuck_threads;
  asked_.notify_one();
  return !running_;
}

UserNames::UserNames(LookUp look_up) : core_(new Core(std::move(look_up))) {}

UserNames::~UserNames() {
  if (core_->Leave()) delete core_;
}

std::string UserNames::Find(uid_t uid) { return core_->Find(uid, std::nullopt); }

std::string UserNames::FindBy(uid_t uid, Clock::time_point deadline) {
  return core_->Find(uid, deadline);
}

std::optional<std::string> UserNames::Known(uid_t uid) { return core_->Known(uid); }

void UserNames::ReportTo(ttrpc::UniqueFd pipe) { core_->ReportTo(std::move(pipe)); }

size_t UserNames::stuck() { return stuck_threads; }

std::string UserNames::LookUpUserName(uid_t uid) {
  std::vector<char> buffer(1024);
  passwd record = {};
  passwd* found = nullptr;
  while (::getpwuid_r(uid, &record, buffer.data(), buffer.size(), &found) == ERANGE &&
         buffer.size() < kMostRecord) {
    buffer.resize(buffer.size() * 2);
  }
  return found == nullptr ? std::string() : std::string(found->pw_name);
}

}  // namespace proxyd
