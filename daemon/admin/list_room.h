// SPDX-License-Identifier: Apache-2.0
//
// ListRoom: keeps a list in a reply of the admin service so short that it fits into a message,
// however long its entries are. LinesThatFit() does so for a list of lines, which says in words
// what is left out. One thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

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

// Returns as many of `lines` as fit into `room` bytes of a message; if these are not all, another
// one says how many `kind` more there are.
inline std::vector<std::string> LinesThatFit(const std::vector<std::string>& lines,
                                             std::string_view kind,
                                             size_t room = ListRoom::kBytes) {
  constexpr size_t kTagAndLength = 8;
  std::vector<std::string> fitting;
  size_t bytes = 0;
  for (const std::string& line : lines) {
    bytes += line.size() + kTagAndLength;
    if (bytes > room) {
      const size_t left = lines.size() - fitting.size();
      fitting.push_back("and " + std::to_string(left) + " more " + std::string(kind));
      break;
    }
    fitting.push_back(line);
  }
  return fitting;
}

}  // namespace proxyd
