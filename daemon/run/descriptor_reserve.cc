// SPDX-License-Identifier: Apache-2.0
#include "run/descriptor_reserve.h"

#include <fcntl.h>

#include <chrono>
#include <utility>

namespace proxyd {

namespace {
constexpr auto kLentFor = std::chrono::seconds(1);
}  // namespace

DescriptorReserve::DescriptorReserve(ttrpc::IoLoop& loop) : timer_(loop, [this] { TakeBack(); }) {
  TakeBack();
}

void DescriptorReserve::Lend() {
  held_.clear();
  timer_.Start(kLentFor);
}

void DescriptorReserve::TakeBack() {
  timer_.Stop();
  while (held_.size() < kSize) {
    // Any file would do, since only the descriptor counts.
    ttrpc::UniqueFd one(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!one) return timer_.Start(kLentFor);
    held_.push_back(std::move(one));
  }
}

}  // namespace proxyd
