// SPDX-License-Identifier: Apache-2.0
#include "proxy/user_name_reader.h"

#include <event2/event.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace proxyd {

UserNameReader::Request::Request(UserNameReader& reader, uid_t uid, DoneFunction done)
    : reader_(reader),
      done_(std::move(done)),
      place_(reader.waiting_.emplace(uid, this)),
      deadline_(
          [](void* self) {
            auto* const request = static_cast<Request*>(self);
            request->reader_.Answer(request, {});
          },
          this) {
  reader_.deadlines_.Start(&deadline_);
}

UserNameReader::Request::~Request() {
  if (place_) reader_.waiting_.erase(*place_);
}

UserNameReader::UserNameReader(ttrpc::IoLoop& loop, UserNames* names,
                               std::chrono::nanoseconds within)
    : loop_(loop), names_(names), deadlines_(loop, within) {}

std::optional<std::string> UserNameReader::ReadNow(uid_t uid) {
  if (names_ == nullptr) return std::string();
  // The pipe must be there before the question, so that its answer is reported.
  static_cast<void>(Start());
  return names_->Known(uid);
}

std::unique_ptr<UserNameReader::Request> UserNameReader::Read(uid_t uid, DoneFunction done) {
  return std::unique_ptr<Request>(new Request(*this, uid, std::move(done)));
}

// Without descriptors, no answer arrives and each peer waits until its deadline.
bool UserNameReader::Start() {
  if (event_) return true;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return false;
  ttrpc::UniqueFd answers(ends[0]);
  ttrpc::UniqueFd reports(ends[1]);
  ttrpc::EventPtr event(event_new(
      loop_.base(), answers.get(), EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* self) { static_cast<UserNameReader*>(self)->Receive(); },
      this));
  if (!event || event_add(event.get(), nullptr) != 0) return false;
  answers_ = std::move(answers);
  event_ = std::move(event);
  names_->ReportTo(std::move(reports));
  return true;
}

// Answers of names that nobody waits for are dropped: UserNames keeps them.
void UserNameReader::Receive() {
  std::array<uid_t, 64> uids;
  const ssize_t bytes = ::read(answers_.get(), uids.data(), sizeof uids);
  if (bytes <= 0) return;  // EINTR and EAGAIN: the loop calls again
  for (size_t i = 0; i < static_cast<size_t>(bytes) / sizeof(uid_t); ++i) {
    const auto first = waiting_.find(uids[i]);
    if (first == waiting_.end()) continue;
    const std::string name = names_->Known(uids[i]).value_or("");
    // An answered peer may leave or close others, so that no iterator stays valid.
    for (auto next = waiting_.find(uids[i]); next != waiting_.end();
         next = waiting_.find(uids[i])) {
      Answer(next->second, name);
    }
  }
}

void UserNameReader::Answer(Request* request, const std::string& name) {
  waiting_.erase(*std::exchange(request->place_, std::nullopt));
  request->deadline_.Stop();
  const DoneFunction done = request->done_;  // done() may destroy the request
  done(name);
}

}  // namespace proxyd
