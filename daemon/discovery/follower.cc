// SPDX-License-Identifier: Apache-2.0
#include "discovery/follower.h"

#include <event2/event.h>

#include <utility>

#include "discovery/follower_thread.h"

namespace proxyd {

using ttrpc::Status;
using ttrpc::StatusCode;

std::vector<FollowedListener> FollowedListenersOf(const Config& config) {
  std::vector<FollowedListener> followed;
  for (size_t i = 0; i < config.listeners.size(); ++i) {
    const ListenerConfig& listener = config.listeners[i];
    if (!listener.discovery) continue;
    FollowedListener next;
    next.name = listener.name;
    next.key = ToString(listener.address);
    next.source = *listener.discovery;
    if (const auto* front = std::get_if<SocketTemplate>(&listener.address)) next.front = *front;
    next.access = listener.access;
    for (const RuleConfig& rule : config.rules) {
      if (!rule.IsFor(i)) continue;
      for (const auto& [key, pattern] : rule.annotations) next.annotations.insert(key);
    }
    followed.push_back(std::move(next));
  }
  return followed;
}

Follower::Follower(event_base* base, Sink& sink) : sink_(sink), base_(base) {}

Follower::~Follower() {
  event_.reset();
  if (thread_ != nullptr) FollowerThread::Stop(thread_, kPatience);
}

Status Follower::SetListeners(std::vector<FollowedListener> listeners) {
  if (thread_ == nullptr) {
    if (listeners.empty()) return {};
    const auto thread = FollowerThread::Start();
    if (!thread) return thread.error();
    event_.reset(event_new(
        base_, (*thread)->results(), EV_READ | EV_PERSIST,
        [](evutil_socket_t, short, void* self) { static_cast<Follower*>(self)->Receive(); }, this));
    if (!event_ || event_add(event_.get(), nullptr) != 0) {
      event_.reset();
      FollowerThread::Stop(*thread, kPatience);
      return {StatusCode::kResourceExhausted, "the event loop cannot watch another descriptor"};
    }
    thread_ = *thread;
  }
  auto command = std::make_unique<FollowCommand>();
  command->listeners = std::move(listeners);
  thread_->Send(std::move(command));
  ++commanded_;
  return {};
}

void Follower::Remove(std::vector<ttrpc::ListeningSocket> fronts) {
  if (fronts.empty() || thread_ == nullptr) return;  // their destructors remove the paths
  auto command = std::make_unique<FollowCommand>();
  command->fronts = std::move(fronts);
  thread_->Send(std::move(command));
}

size_t Follower::stuck() { return FollowerThread::stuck(); }

void Follower::Receive() {
  const std::unique_ptr<FollowBatch> batch = thread_->Take();
  if (!batch) return;
  for (const auto& [listener, what] : batch->problems) sink_.OnDiscoveryProblem(listener, what);
  if (!batch->changes.empty()) sink_.OnWorkloads(std::move(batch->changes));
  if (batch->settled != 0 && batch->settled == commanded_) sink_.OnWorkloadsSettled();
}

}  // namespace proxyd
