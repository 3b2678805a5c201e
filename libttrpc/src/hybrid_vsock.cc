// SPDX-License-Identifier: Apache-2.0
#include "hybrid_vsock.h"

namespace ttrpc {

size_t HybridVsockAnswer::Take(std::string_view bytes) {
  size_t taken = 0;
  while (taken < bytes.size() && state_ == State::kIncomplete) {
    state_ = After(bytes[taken++]);
    ++length_;
  }
  return taken;
}

HybridVsockAnswer::State HybridVsockAnswer::After(char next) const {
  constexpr std::string_view kOk = "OK";
  if (length_ < kOk.size()) return next == kOk[length_] ? State::kIncomplete : State::kWrong;
  if (next == '\n') return State::kAccepted;
  if (length_ == kOk.size() && next != ' ') return State::kWrong;
  return length_ + 1 < kMaxLength ? State::kIncomplete : State::kWrong;
}

}  // namespace ttrpc
