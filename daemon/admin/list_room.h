// SPDX-License-Identifier: Apache-2.0
//
// ListRoom: limits a list in a reply of the admin service to what fits into a message, however long
// its entries are. It belongs to one thread. LinesThatFit() does the same for a list of lines, and
// counts the omitted ones in a last line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

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

// Returns as many of `lines` as fit into `room` bytes of a message. If some do not fit, a further
// line counts them; `kind` names what they are.
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
