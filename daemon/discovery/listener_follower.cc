// SPDX-License-Identifier: Apache-2.0
#include "discovery/listener_follower.h"

#include <utility>

#include "discovery/found_text.h"
#include "text/escape.h"

namespace proxyd {

using ttrpc::ListeningSocket;
using ttrpc::Result;

namespace {

std::unique_ptr<Source> NewSource(const FollowedListener& listener, Inotify& inotify,
                                  Findings& findings) {
  switch (listener.source.source) {
    case DiscoverySource::kContainerd:
      return NewContainerdSource(listener.source, listener.annotations, inotify, findings);
    case DiscoverySource::kDirectory:
      return NewDirectorySource(listener.source, inotify, findings);
    case DiscoverySource::kKata:
      break;
  }
  return NewKataSource(listener.source, inotify, findings);
}

// Returns the key as it may be listed. Only names that are refused anyway differ.
WorkloadKey ShownKey(const WorkloadKey& key) {
  return {.name_space = text::Printable(key.name_space), .id = text::Printable(key.id)};
}

std::string ProblemOfKey(const WorkloadKey& key, DiscoverySource source) {
  if (source == DiscoverySource::kContainerd) {
    if (std::string problem = ProblemOfName(key.name_space); !problem.empty()) {
      return "its namespace cannot be used: " + problem;
    }
  }
  return ProblemOfName(key.id);
}

}  // namespace

ListenerFollower::ListenerFollower(FollowedListener listener, Inotify& inotify, Sink& sink)
    : listener_(std::move(listener)), sink_(sink), source_(NewSource(listener_, inotify, *this)) {
  if (listener_.front) maker_.emplace(*listener_.front, listener_.access);
}

ListenerFollower::~ListenerFollower() {
  for (auto& [key, entry] : entries_) {
    RemoveFront(&entry);
    ReportGone(key);
  }
}

void ListenerFollower::Start() {
  if (maker_) {
    if (ttrpc::Status status = maker_->TakeBase(); !status.ok()) Problem(status.message());
  }
  source_->Start();
}

bool ListenerFollower::CanBecome(const FollowedListener& next) const {
  return listener_.source == next.source && listener_.front == next.front;
}

void ListenerFollower::Become(FollowedListener next) {
  listener_ = std::move(next);
  if (maker_) maker_->SetAccess(listener_.access);
  source_->WantAnnotations(listener_.annotations);
  Retry();
}

void ListenerFollower::Retry() {
  source_->Retry();
  RetryFronts();
  if (!incomplete()) problems_.clear();
}

// The base may belong to another daemon that ends at any time.
bool ListenerFollower::incomplete() const {
  const bool lacks_front = !without_front_.empty() && (is_short_ || !maker_->owns_base());
  return lacks_front || source_->incomplete();
}

void ListenerFollower::FrontRemoved(const std::string& path) {
  if (!maker_) return;
  const std::vector<std::string> names = maker_->path().NamesBelowBase(path);
  if (names.empty()) return;
  maker_->RemoveEmpty(names);
  const auto owner = front_owners_.find(names);
  if (owner == front_owners_.end()) return;
  // A workload that has come again may have a new socket at the path by now.
  if (!maker_->IsFree(names)) return;
  owner->second->front.reset();
  front_owners_.erase(owner);
  RetryFronts();  // another workload may have wanted the path
}

void ListenerFollower::Here(Workload workload) {
  if (std::string problem = ProblemOfKey(workload.key, listener_.source.source); !problem.empty()) {
    workload.key = ShownKey(workload.key);
    workload.address.reset();
    workload.why = std::move(problem);
  }
  const auto [at, is_new] = entries_.try_emplace(workload.key);
  Entry& entry = at->second;
  if (!is_new && entry.found == workload) return;
  const bool was_good = !is_new && entry.is_good();
  entry.found = std::move(workload);
  if (!entry.found.why.empty()) {
    if (was_good) {
      RemoveFront(&entry);
      ReportGone(at->first);
    }
    entry.front_why.clear();
    without_front_.erase(at->first);
    return Report(entry, std::nullopt);
  }
  if (was_good) return Report(entry, std::nullopt);  // it keeps its socket
  Report(entry, MakeFront(&entry));
}

void ListenerFollower::Gone(const WorkloadKey& key) {
  auto at = entries_.find(key);
  if (at == entries_.end()) at = entries_.find(ShownKey(key));
  if (at == entries_.end()) return;
  RemoveFront(&at->second);
  ReportGone(at->first);
  without_front_.erase(at->first);
  entries_.erase(at);
  RetryFronts();  // another workload may have wanted the same path
}

void ListenerFollower::Problem(const std::string& what) {
  constexpr size_t kMostProblems = 64;
  if (problems_.size() >= kMostProblems && !problems_.contains(what)) problems_.clear();
  if (problems_.insert(what).second) sink_.PushProblem(listener_.key, what);
}

// Returns the socket, or none. `entry->front_why` then says why, unless none is needed.
std::optional<ListeningSocket> ListenerFollower::MakeFront(Entry* entry) {
  entry->front_why.clear();
  if (!maker_) return std::nullopt;
  const WorkloadKey& key = entry->found.key;
  Result<std::vector<std::string>> names = maker_->path().NamesFor(key);
  if (!names) {
    entry->front_why = names.error().message();
    return std::nullopt;
  }
  without_front_.insert(key);
  const auto owner = front_owners_.find(*names);
  if (owner != front_owners_.end()) {
    entry->front_why = "the path of its socket is that of " + owner->second->found.key.ToString();
    return std::nullopt;
  }
  Result<ListeningSocket> socket = maker_->Make(*names);
  // The errors of a shortage, of descriptors for example, are those without a code of their own.
  is_short_ |= !socket && socket.error().code() == ttrpc::StatusCode::kUnknown;
  if (!socket) {
    entry->front_why = socket.error().message();
    return std::nullopt;
  }
  without_front_.erase(key);
  front_owners_.emplace(*std::move(names), entry);
  entry->front = socket->files();
  return *std::move(socket);
}

// The loop still has the socket, and closes it when it learns of the change.
void ListenerFollower::RemoveFront(Entry* entry) {
  if (!entry->front) return;
  // The socket has been made with these names, so there is no error.
  const std::vector<std::string> names = maker_->path().NamesFor(entry->found.key).value();
  front_owners_.erase(names);
  maker_->Remove(names, *entry->front);
  entry->front.reset();
}

void ListenerFollower::RetryFronts() {
  if (without_front_.empty() || !maker_->TakeBase().ok()) return;
  is_short_ = false;
  // MakeFront() changes the set. During a shortage, a copy of all keys would be too costly for each
  // workload that ends.
  for (auto next = without_front_.begin(); next != without_front_.end();) {
    const WorkloadKey key = *next;
    Entry& entry = entries_.at(key);
    const std::string before = entry.front_why;
    std::optional<ListeningSocket> front = MakeFront(&entry);
    if (front || entry.front_why != before) Report(entry, std::move(front));
    if (is_short_) return;
    next = without_front_.upper_bound(key);
  }
}

void ListenerFollower::Report(const Entry& entry, std::optional<ListeningSocket> front) {
  WorkloadChange change;
  change.listener = listener_.key;
  change.workload = entry.found;
  if (change.workload.why.empty()) change.workload.why = entry.front_why;
  change.front = std::move(front);
  sink_.Push(std::move(change));
}

void ListenerFollower::ReportGone(const WorkloadKey& key) {
  WorkloadChange change;
  change.listener = listener_.key;
  change.kind = WorkloadChange::Kind::kGone;
  change.workload.key = key;
  sink_.Push(std::move(change));
}

}  // namespace proxyd
