// SPDX-License-Identifier: Apache-2.0
//
// TopDenied: which user was denied which method most often. Users and methods come from hostile
// peers, so the list has a fixed size, and no user fills more than an eighth of it. A new pair that
// finds no room replaces the least frequent one and continues its count. The counts of frequent
// pairs are therefore right, or too high by the count that was replaced. It is used on the worker's
// thread.
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
    size_t hash = 0;  // the hash of uid, service and method
  };

  void Count(uid_t uid, std::string_view service, std::string_view method);

  // Returns at most `most` entries, the most frequent first.
  std::vector<Entry> Top(size_t most) const;

 private:
  Entry& RoomFor(uid_t uid);

  std::vector<Entry> entries_;
};

}  // namespace proxyd
