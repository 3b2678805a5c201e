// SPDX-License-Identifier: Apache-2.0
//
// DescriptorReserve: a few descriptors that peers cannot take, so that a daemon that has none left
// can still be reloaded and open its log anew. On the loop's thread.
#pragma once

#include <vector>

#include "ttrpc/io_loop.h"
#include "ttrpc/timer.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

class DescriptorReserve {
 public:
  // As many as files, folders, sockets and look-ups of names need at a time.
  static constexpr size_t kSize = 16;

  // `loop` must outlive it.
  explicit DescriptorReserve(ttrpc::IoLoop& loop);
  DescriptorReserve(const DescriptorReserve&) = delete;
  DescriptorReserve& operator=(const DescriptorReserve&) = delete;

  // They are free, for a second or until TakeBack(). Peers may be faster, which is no worse than
  // without.
  void Lend();
  // Those that cannot be had now are taken once they can.
  void TakeBack();

 private:
  std::vector<ttrpc::UniqueFd> held_;
  ttrpc::Timer timer_;
};

}  // namespace proxyd
