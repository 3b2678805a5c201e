// SPDX-License-Identifier: Apache-2.0
#include "proxy/group_reader.h"

#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <system_error>
#include <utility>

#include "observe/blocked_signals.h"
#include "ttrpc/unix_credentials.h"

namespace proxyd {

using ttrpc::Result;
using ttrpc::Status;
using ttrpc::StatusCode;
using ttrpc::UniqueFd;

namespace {

// Nothing reports that a descriptor, or room for a thread, is available again.
constexpr auto kRetry = std::chrono::milliseconds(100);

Result<PeerGroups> Reduce(int socket, std::vector<gid_t>* buffer, size_t most,
                          const GroupFilterPtr& filter) {
  const auto groups = ttrpc::ReadUnixGroups(socket, buffer, most);
  if (!groups) return groups.error();
  return PeerGroups{.groups = filter->Reduce(*groups), .filter = filter};
}

// The client has closed its end, or half of it, which means the same.
bool HasLeft(int socket) {
  pollfd end = {.fd = socket, .events = POLLRDHUP, .revents = 0};
  return ::poll(&end, 1, 0) == 1;
}

}  // namespace

struct GroupReader::Job {
  UniqueFd socket;  // the thread's own duplicate
  GroupFilterPtr filter;
  std::optional<Result<PeerGroups>> result;
};

GroupReader::Request::Request(GroupReader& reader, uid_t uid, int socket, GroupFilterPtr filter,
                              DoneFunction done)
    : reader_(reader),
      uid_(uid),
      socket_(socket),
      filter_(std::move(filter)),
      done_(std::move(done)) {
  auto& queue = reader_.waiting_[uid_];
  place_ = queue.insert(queue.end(), this);
}

GroupReader::Request::~Request() {
  if (reader_.running_ == this) reader_.running_ = nullptr;
  if (!waiting_) return;
  const auto queue = reader_.waiting_.find(uid_);
  queue->second.erase(place_);
  if (queue->second.empty()) reader_.waiting_.erase(queue);
}

GroupReader::GroupReader(ttrpc::IoLoop& loop) : loop_(loop), next_(loop, [this] { Next(); }) {}

GroupReader::~GroupReader() {
  if (!thread_.joinable()) return;
  jobs_.reset();  // makes the thread end
  thread_.join();
  Job* job = nullptr;
  if (busy_ && ::read(results_.get(), &job, sizeof job) == sizeof job) delete job;
}

Result<PeerGroups> GroupReader::ReadNow(int socket, const GroupFilterPtr& filter) {
  if (filter->empty()) return PeerGroups{.groups = {}, .filter = filter};
  return Reduce(socket, &buffer_, kMostAtOnce, filter);
}

std::unique_ptr<GroupReader::Request> GroupReader::Read(uid_t uid, int socket,
                                                        GroupFilterPtr filter, DoneFunction done) {
  std::unique_ptr<Request> request(
      new Request(*this, uid, socket, std::move(filter), std::move(done)));
  if (!busy_ && !next_.active()) next_.Start(std::chrono::nanoseconds(0));
  return request;
}

bool GroupReader::Start() {
  if (thread_.joinable()) return true;
  int to_thread[2];
  if (::pipe2(to_thread, O_CLOEXEC) != 0) return false;
  UniqueFd thread_jobs(to_thread[0]);
  UniqueFd jobs(to_thread[1]);
  int from_thread[2];
  if (::pipe2(from_thread, O_CLOEXEC) != 0) return false;
  UniqueFd results(from_thread[0]);
  UniqueFd thread_results(from_thread[1]);
  event_.reset(event_new(
      loop_.base(), results.get(), EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* self) { static_cast<GroupReader*>(self)->Receive(); },
      this));
  if (event_add(event_.get(), nullptr) != 0) return false;
  const BlockedSignals blocked;
  try {
    thread_ = std::thread([in = std::move(thread_jobs), out = std::move(thread_results)] {
      std::vector<gid_t> buffer;
      Job* job = nullptr;
      while (::read(in.get(), &job, sizeof job) == sizeof job) {
        job->result = Reduce(job->socket.get(), &buffer, ttrpc::kMaxUnixGroups, job->filter);
        job->socket.reset();
        if (::write(out.get(), &job, sizeof job) != sizeof job) return;
      }
    });
  } catch (const std::system_error&) {
    event_.reset();
    return false;
  }
  jobs_ = std::move(jobs);
  results_ = std::move(results);
  return true;
}

void GroupReader::Next() {
  if (busy_ || waiting_.empty()) return;
  auto queue = waiting_.upper_bound(last_user_);
  if (queue == waiting_.end()) queue = waiting_.begin();
  Request* const request = queue->second.front();
  if (HasLeft(request->socket_)) {
    Take(queue);
    // Only one per wake-up: a flood of clients that leave must not delay the rest of the loop.
    next_.Start(std::chrono::nanoseconds(0));
    const DoneFunction done = request->done_;  // done() may destroy the request
    return done(Status(StatusCode::kCancelled, "the peer has left"));
  }
  // The peer's descriptor may be closed meanwhile, and its number used for another file.
  UniqueFd socket;
  if (Start()) socket.reset(::fcntl(request->socket_, F_DUPFD_CLOEXEC, 0));
  if (!socket) return next_.Start(kRetry);
  auto job = std::make_unique<Job>();
  job->socket = std::move(socket);
  job->filter = request->filter_;
  Job* const pointer = job.get();
  // A pipe always has room for one pointer.
  if (::write(jobs_.get(), &pointer, sizeof pointer) != sizeof pointer) return next_.Start(kRetry);
  static_cast<void>(job.release());  // the thread owns it until it returns it
  Take(queue);
  running_ = request;
  busy_ = true;
}

// Removes the first request of this user's queue.
void GroupReader::Take(Queues::iterator queue) {
  last_user_ = queue->first;
  queue->second.front()->waiting_ = false;
  queue->second.pop_front();
  if (queue->second.empty()) waiting_.erase(queue);
}

void GroupReader::Receive() {
  Job* pointer = nullptr;
  if (::read(results_.get(), &pointer, sizeof pointer) != sizeof pointer) return;
  const std::unique_ptr<Job> job(pointer);
  busy_ = false;
  if (Request* const request = std::exchange(running_, nullptr)) {
    const DoneFunction done = request->done_;  // done() may destroy the request
    done(*std::move(job->result));
  }
  Next();
}

}  // namespace proxyd
