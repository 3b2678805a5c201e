// SPDX-License-Identifier: Apache-2.0
//
// ListRoom: keeps a list in a reply of the admin service so short that it fits into a message,
// however long its entries are. One thread.
#pragma once

#include <cstddef>

#include "ttrpc/message_size.h"

namespace proxyd {

class ListRoom {
 public:
  // The rest of a message is for what stands around a list.
  static constexpr size_t kBytes = ttrpc::kDefaultMessageSize - 1024;

  // Whether the list has room for the last of its entries, which is removed if it has not.
  template <typename Entries>
  bool Keep(Entries* entries) {
    constexpr size_t kTagAndLength = 8;
    bytes_ += entries->rbegin()->ByteSizeLong() + kTagAndLength;
    if (bytes_ <= kBytes) return true;
    entries->RemoveLast();
    return false;
  }

 private:
  size_t bytes_ = 0;  // of the entries so far
};

}  // namespace proxyd
