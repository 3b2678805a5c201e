// SPDX-License-Identifier: Apache-2.0
//
// ListRoom: limits a list in a reply of the admin service to what fits into a message, however long
// its entries are. It belongs to one thread.
#pragma once

#include <cstddef>

#include "ttrpc/message_size.h"

namespace proxyd {

class ListRoom {
 public:
  // The rest of the message is for the other fields of the reply.
  static constexpr size_t kBytes = ttrpc::kDefaultMessageSize - 1024;

  // Counts the last entry. Removes it and returns false if the list has no room for it.
  template <typename Entries>
  bool Keep(Entries* entries) {
    constexpr size_t kTagAndLength = 8;
    bytes_ += entries->rbegin()->ByteSizeLong() + kTagAndLength;
    if (bytes_ <= kBytes) return true;
    entries->RemoveLast();
    return false;
  }

 private:
  size_t bytes_ = 0;  // size of the entries so far
};

}  // namespace proxyd
