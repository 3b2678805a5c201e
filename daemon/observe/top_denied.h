// SPDX-License-Identifier: Apache-2.0
//
// TopDenied: which user was denied which method most often. Users and methods come from hostile
// peers, so that the list has a fixed size, of which no user fills more than an eighth: a pair that
// finds no room takes the place of the least frequent one and goes on counting from there. The
// counts of frequent pairs are thereby right, or too high by what the place had counted. On the
// worker's thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace proxyd {

class TopDenied {
 public:
  static constexpr size_t kEntries = 128;
  static constexpr size_t kEntriesOfAUser = kEntries / 8;

  struct Entry {
    uid_t uid = 0;
    std::string service;
    std::string method;
    uint64_t count = 0;
    size_t hash = 0;  // of all three
  };

  void Count(uid_t uid, std::string_view service, std::string_view method);

  // At most `most`, the most frequent first.
  std::vector<Entry> Top(size_t most) const;

 private:
  Entry& RoomFor(uid_t uid);

  std::vector<Entry> entries_;
};

}  // namespace proxyd
