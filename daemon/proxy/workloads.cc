// SPDX-License-Identifier: Apache-2.0
#include "proxy/workloads.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <utility>
#include <variant>

#include "config/socket_template.h"
#include "proxy/bound_socket.h"
#include "proxy/front.h"
#include "proxy/listener.h"
#include "ttrpc/address.h"
#include "ttrpc/wire/acceptor.h"

namespace proxyd {

namespace {

// Many fronts may pause at once if descriptors run out.
constexpr auto kLogPauseEvery = std::chrono::seconds(1);

const SocketTemplate* TemplateOf(const ListenerState& listener) {
  return std::get_if<SocketTemplate>(&listener.config.address);
}

// Removes the directories of placeholders above a front that is gone, if they are empty. The
// follower's thread does the same, but a process that exits does not wait for it.
void RemoveEmptyDirectories(const SocketTemplate& front, std::string path) {
  const size_t base = FrontBaseOf(front).size();
  for (size_t slash = path.rfind('/'); slash != std::string::npos && slash > base;
       slash = path.rfind('/')) {
    path.resize(slash);
    if (::unlinkat(AT_FDCWD, path.c_str(), AT_REMOVEDIR) != 0) return;
  }
}

}  // namespace

Workloads::Workloads(event_base* base, Worker& worker)
    : worker_(worker),
      follower_(base, *this),
      last_calls_(worker.loop(), [this] { OnLastCalls(); }) {}

Workloads::~Workloads() { Clear(); }

// Listeners are matched by address, like those of a Generation. One that follows something else now
// counts as removed and added.
ttrpc::Status Workloads::Follow() {
  const Generation& generation = *worker_.generation();
  const std::vector<ListenerConfig>& listeners = generation.config().listeners;
  FollowedByKey next;
  for (size_t i = 0; i < listeners.size(); ++i) {
    if (!listeners[i].discovery) continue;
    const std::string key = ToString(listeners[i].address);
    next.emplace(key, TakeOver(listeners[i], generation.listener(i), key));
  }
  bool changed = false;
  for (auto& [key, gone] : followed_) changed |= StopFollowing(gone);
  followed_ = std::move(next);
  RemoveFronts();
  if (changed) worker_.OnWorkloadsChanged();
  settled_ = followed_.empty();
  return follower_.SetListeners(FollowedListenersOf(generation.config()));
}

Workloads::Followed Workloads::TakeOver(const ListenerConfig& listener, Ref<ListenerState> state,
                                        const std::string& key) {
  Followed followed = {
      .listener = std::move(state), .source = *listener.discovery, .access = listener.access};
  const auto before = followed_.find(key);
  if (before == followed_.end() || before->second.source != followed.source) {
    spdlog::info("listener \"{}\": following workloads, for {}", listener.name, key);
    return followed;
  }
  followed.access_changed =
      before->second.access_changed || before->second.access != followed.access;
  if (before->second.access != followed.access) {
    for (const auto& [name, workload] : followed.listener->workloads.all)
      SetAccess(followed, *workload);
  }
  followed_.erase(before);
  return followed;
}

// The peers of a removed listener stay, whether it discovers or not. At a socket for all they find
// no workload any more; at a workload's own socket they keep it. If the listener is not removed but
// follows something else, its workloads are gone.
bool Workloads::StopFollowing(Followed& followed) {
  ListenerState& listener = *followed.listener;
  bool changed = false;
  for (const auto& [key, state] : listener.workloads.all) {
    if (listener.index || state->at_shared_socket) {
      changed |= Leave(state);
    } else {
      TakeFront(*state);
    }
  }
  listener.workloads = {};
  return changed;
}

// The tables stay, so that calls that arrive during a drain are answered as always.
void Workloads::Clear() {
  static_cast<void>(follower_.SetListeners({}));
  for (auto& [key, followed] : followed_) {
    const SocketTemplate* const front = TemplateOf(*followed.listener);
    if (front == nullptr) continue;
    for (const auto& [name, state] : followed.listener->workloads.all) {
      if (!state->listener) continue;
      TakeFront(*state);
      removed_.back().CloseAndUnlink();
      RemoveEmptyDirectories(*front, PathOf(*front, name.name_space, name.id));
    }
  }
  followed_.clear();
  removed_.clear();
  leaving_.clear();
  last_calls_.Stop();
  settled_ = true;
}

void Workloads::OnWorkloadsSettled() {
  settled_ = true;
  for (auto& [key, followed] : followed_) followed.access_changed = false;
}

void Workloads::OnWorkloads(std::vector<WorkloadChange> changes) {
  bool changed = false;
  for (WorkloadChange& change : changes) {
    const auto found = followed_.find(change.listener);
    if (found == followed_.end()) {
      if (change.front) removed_.push_back(*std::move(change.front));
    } else if (change.kind == WorkloadChange::Kind::kGone) {
      changed |= Go(*found->second.listener, change.workload.key);
    } else {
      changed |= Come(found->second, std::move(change));
    }
  }
  RemoveFronts();
  if (changed) worker_.OnWorkloadsChanged();
}

void Workloads::OnDiscoveryProblem(const std::string& listener, const std::string& what) {
  const auto found = followed_.find(listener);
  if (found == followed_.end()) return;
  spdlog::warn("listener \"{}\": some workloads cannot be found: {}",
               found->second.listener->config.name, what);
}

bool Workloads::Come(Followed& followed, WorkloadChange change) {
  ListenerState& listener = *followed.listener;
  WorkloadTable& table = listener.workloads;
  Ref<WorkloadState>& state = table.all[change.workload.key];
  const bool is_new = !state;
  if (is_new) {
    state = MakeRef<WorkloadState>();
    state->since = std::chrono::system_clock::now();
    state->at_shared_socket = TemplateOf(listener) == nullptr;
  }
  const Noted before = {.why = std::move(state->workload.why),
                        .config_problem = std::move(state->workload.config_problem)};
  if (!before.why.empty()) --table.faulty;
  const bool moved = state->Set(std::move(change.workload));
  if (!state->workload.why.empty()) ++table.faulty;
  if (is_new)
    spdlog::debug("listener \"{}\": workload {} found", listener.config.name, state->name);
  Note(listener, *state, before);
  if (change.front) Listen(followed, *state, *std::move(change.front));
  return moved && !is_new;
}

// Each problem is logged once.
void Workloads::Note(const ListenerState& listener, const WorkloadState& state,
                     const Noted& before) const {
  const std::string& why = state.workload.why;
  if (!why.empty() && why != before.why) {
    spdlog::warn("listener \"{}\": workload {} cannot be used: {}", listener.config.name,
                 state.name, why);
  }
  const std::string& config = state.workload.config_problem;
  if (!config.empty() && config != before.config_problem) {
    spdlog::warn("listener \"{}\": workload {} has no annotations: {}", listener.config.name,
                 state.name, config);
  }
}

bool Workloads::Go(ListenerState& listener, const WorkloadKey& key) {
  const auto found = listener.workloads.all.find(key);
  if (found == listener.workloads.all.end()) return false;
  const Ref<WorkloadState> state = std::move(found->second);
  listener.workloads.all.erase(found);
  if (!state->workload.why.empty()) --listener.workloads.faulty;
  spdlog::debug("listener \"{}\": workload {} gone", listener.config.name, state->name);
  return Leave(state);
}

bool Workloads::Leave(const Ref<WorkloadState>& state) {
  state->gone = true;
  TakeFront(*state);
  const bool used = state->peers > 0 || !state->backends.empty();
  state->RetireBackends();
  if (state->peers > 0) {
    leaving_.push_back({.workload = state, .until = worker_.loop().Now() + kLastCalls});
    if (!last_calls_.active()) last_calls_.Start(kLastCalls);
  }
  return used;
}

void Workloads::Listen(Followed& followed, WorkloadState& state, ttrpc::ListeningSocket socket) {
  const SocketTemplate* const front = TemplateOf(*followed.listener);
  if (front == nullptr || state.listener) {  // the follower makes one front, for a template only
    removed_.push_back(std::move(socket));
    return;
  }
  ttrpc::AcceptorCallbacks callbacks;
  // Both states live as long as the front: see TakeFront().
  callbacks.accepted = [this, listener = followed.listener.get(),
                        workload = &state](ttrpc::UniqueFd peer) {
    worker_.AcceptAtFront(Ref<ListenerState>(listener), Ref<WorkloadState>(workload),
                          std::move(peer));
  };
  callbacks.paused = [this, listener = followed.listener.get()](int error_number) {
    OnPaused(*listener, error_number);
  };
  state.listener = std::make_unique<Front>(worker_.loop(), std::move(socket), std::move(callbacks));
  if (followed.access_changed) SetAccess(followed, state);
}

void Workloads::OnPaused(const ListenerState& listener, int error_number) {
  if (error_number == 0 || worker_.loop().Now() < log_pause_again_) return;
  log_pause_again_ = worker_.loop().Now() + kLogPauseEvery;
  LogPause("listener \"" + listener.config.name + "\"", error_number);
}

// A front whose access cannot be changed is removed, since it would let in clients that it must
// not.
void Workloads::SetAccess(const Followed& followed, WorkloadState& state) {
  if (!state.listener) return;
  auto address = ttrpc::Address::Parse("unix://" + state.front());
  ttrpc::Status status;
  if (!address) {
    status = address.error();
  } else {
    const SocketConfig socket = {
        .label = {}, .index = 0, .address = *std::move(address), .access = followed.access};
    status = state.listener->SetAccess(*AccessOf(socket));
  }
  if (status.ok()) return;
  spdlog::error(
      "listener \"{}\": removed the socket of workload {}: cannot change who may connect: {}",
      followed.listener->config.name, state.name, status.message());
  TakeFront(state);
}

void Workloads::TakeFront(WorkloadState& state) {
  if (!state.listener) return;
  removed_.push_back(state.listener->TakeSocket());
  state.listener.reset();
}

void Workloads::RemoveFronts() {
  if (removed_.empty()) return;
  follower_.Remove(std::exchange(removed_, {}));
}

void Workloads::OnLastCalls() {
  const auto now = std::chrono::steady_clock::now();
  bool peers_left = false;
  while (!leaving_.empty() && leaving_.front().until <= now) {
    WorkloadState& workload = *leaving_.front().workload;
    workload.calls_over = true;
    peers_left |= workload.peers > 0;
    leaving_.pop_front();
  }
  if (peers_left) worker_.EndGone();
  if (!leaving_.empty()) last_calls_.Start(leaving_.front().until - now);
}

void Workloads::ForEach(
    const std::function<void(const std::string& listener, const WorkloadState&)>& visit) const {
  const Generation& generation = *worker_.generation();
  for (size_t i = 0; i < generation.config().listeners.size(); ++i) {
    const ListenerState& listener = *generation.listener(i);
    for (const auto& [key, state] : listener.workloads.all) visit(listener.config.name, *state);
  }
}

const WorkloadTable* Workloads::TableOf(std::string_view name) const {
  const Generation& generation = *worker_.generation();
  for (size_t i = 0; i < generation.config().listeners.size(); ++i) {
    const ListenerState& listener = *generation.listener(i);
    if (listener.config.name == name) return &listener.workloads;
  }
  return nullptr;
}

size_t Workloads::served(std::string_view listener) const {
  const WorkloadTable* const table = TableOf(listener);
  return table == nullptr ? 0 : table->all.size() - table->faulty;
}

size_t Workloads::faulty(std::string_view listener) const {
  const WorkloadTable* const table = TableOf(listener);
  return table == nullptr ? 0 : table->faulty;
}

}  // namespace proxyd
