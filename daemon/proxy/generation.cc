// SPDX-License-Identifier: Apache-2.0
#include "proxy/generation.h"

#include <algorithm>
#include <utility>

namespace proxyd {

Generation::Generation(ttrpc::IoLoop& loop, SnapshotPtr snapshot) : snapshot_(std::move(snapshot)) {
  for (const BackendConfig& backend : config().backends)
    backends_.push_back(MakeRef<Backend>(backend));
  for (const ListenerConfig& listener : config().listeners)
    deadlines_.push_back(MakeRef<PeerDeadlines>(loop, listener.timeouts));
}

Generation::Generation(ttrpc::IoLoop& loop, SnapshotPtr snapshot, const Generation& before)
    : snapshot_(std::move(snapshot)) {
  for (const BackendConfig& backend : config().backends) {
    const auto same = std::find_if(before.backends_.begin(), before.backends_.end(),
                                   [&](const auto& old) { return old->LeadsWhere(backend); });
    if (same == before.backends_.end()) {
      backends_.push_back(MakeRef<Backend>(backend));
    } else {
      (*same)->SetConfig(backend);
      backends_.push_back(*same);
    }
  }
  deadlines_.resize(config().listeners.size());
  for (size_t i = 0; i < before.deadlines_.size(); ++i) {
    const auto found = FindListener(before.config().listeners[i]);
    if (!found) continue;
    Ref<PeerDeadlines>& deadlines = deadlines_[*found];
    if (!deadlines) deadlines = before.deadlines_[i];
  }
  for (size_t i = 0; i < deadlines_.size(); ++i) {
    const TimeoutsConfig& timeouts = config().listeners[i].timeouts;
    if (deadlines_[i]) {
      deadlines_[i]->Set(timeouts);
    } else {
      deadlines_[i] = MakeRef<PeerDeadlines>(loop, timeouts);
    }
  }
}

bool Generation::Has(const Backend& backend) const {
  return std::any_of(backends_.begin(), backends_.end(),
                     [&backend](const auto& own) { return own.get() == &backend; });
}

std::optional<size_t> Generation::FindListener(const ListenerConfig& listener) const {
  const auto& all = config().listeners;
  auto found = std::find_if(all.begin(), all.end(), [&listener](const ListenerConfig& own) {
    return own.name == listener.name;
  });
  if (found == all.end()) {
    found = std::find_if(all.begin(), all.end(), [&listener](const ListenerConfig& own) {
      return own.address == listener.address;
    });
  }
  if (found == all.end()) return std::nullopt;
  return static_cast<size_t>(found - all.begin());
}

}  // namespace proxyd
