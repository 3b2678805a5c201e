// SPDX-License-Identifier: Apache-2.0
#include "proxy/pressure_plan.h"

#include <algorithm>
#include <tuple>

namespace proxyd {

namespace {

class Plan {
 public:
  explicit Plan(const PressureView& view) : view_(view), named_(view.peers.size()) {}

  std::vector<PressureClosing> Make() {
    for (size_t i = 0; i < view_.peers.size(); ++i) {
      const PressedPeer& peer = view_.peers[i];
      if (peer.held == 0) continue;
      if (peer.stuck_since < view_.stuck_before || view_.stuck_before == kAnyone)
        candidates_.push_back(i);
    }
    std::stable_sort(candidates_.begin(), candidates_.end(),
                     [this](size_t a, size_t b) { return Rank(a) < Rank(b); });
    CloseForUsers();
    CloseForAll();
    return std::move(closings_);
  }

 private:
  const PressedUser& UserOf(size_t peer) const { return view_.users[view_.peers[peer].user]; }

  std::tuple<bool, bool, uint64_t, uint64_t> Rank(size_t index) const {
    const PressedPeer& peer = view_.peers[index];
    const bool over = UserOf(index).over.has_value();
    const bool light = peer.held < view_.light_below;
    return {!over, over && light, peer.stuck_since, ~peer.held};
  }

  void Close(size_t peer, Limit limit) {
    named_[peer] = true;
    freed_ += view_.peers[peer].held;
    closings_.push_back({.peer = peer, .limit = limit});
  }

  void CloseForUsers() {
    std::vector<uint64_t> excess(view_.users.size());
    for (size_t i = 0; i < excess.size(); ++i) excess[i] = view_.users[i].excess;
    for (const size_t peer : candidates_) {
      uint64_t& left = excess[view_.peers[peer].user];
      if (left == 0) continue;
      left -= std::min(left, view_.peers[peer].held);
      Close(peer, Limit::kBufferedPerUser);
    }
  }

  void CloseForAll() {
    for (const size_t peer : candidates_) {
      if (freed_ >= view_.excess) return;
      if (!named_[peer] && !UserOf(peer).root) Close(peer, Limit::kBuffered);
    }
  }

  const PressureView& view_;
  std::vector<size_t> candidates_;  // the first to be closed in front
  std::vector<bool> named_;
  uint64_t freed_ = 0;
  std::vector<PressureClosing> closings_;
};

}  // namespace

std::vector<PressureClosing> WhomToClose(const PressureView& view) { return Plan(view).Make(); }

}  // namespace proxyd
