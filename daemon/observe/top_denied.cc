// SPDX-License-Identifier: Apache-2.0
#include "observe/top_denied.h"

#include <algorithm>
#include <functional>

namespace proxyd {

namespace {

size_t HashOf(uid_t uid, std::string_view service, std::string_view method) {
  const std::hash<std::string_view> hash;
  return (hash(service) * 31 + hash(method)) * 31 + uid;
}

}  // namespace

void TopDenied::Count(uid_t uid, std::string_view service, std::string_view method) {
  const size_t hash = HashOf(uid, service, method);
  for (Entry& entry : entries_) {
    const bool same = entry.hash == hash && entry.uid == uid && entry.service == service &&
                      entry.method == method;
    if (!same) continue;
    ++entry.count;
    return;
  }
  Entry& entry = RoomFor(uid);
  entry.uid = uid;
  entry.service = service;
  entry.method = method;
  entry.hash = hash;
  ++entry.count;
}

TopDenied::Entry& TopDenied::RoomFor(uid_t uid) {
  Entry* least = nullptr;
  Entry* least_of_user = nullptr;
  size_t of_user = 0;
  for (Entry& entry : entries_) {
    if (least == nullptr || entry.count < least->count) least = &entry;
    if (entry.uid != uid) continue;
    ++of_user;
    if (least_of_user == nullptr || entry.count < least_of_user->count) least_of_user = &entry;
  }
  if (of_user >= kEntriesOfAUser) return *least_of_user;
  if (entries_.size() >= kEntries) return *least;
  return entries_.emplace_back();
}

std::vector<TopDenied::Entry> TopDenied::Top(size_t most) const {
  std::vector<Entry> top = entries_;
  std::sort(top.begin(), top.end(),
            [](const Entry& a, const Entry& b) { return a.count > b.count; });
  if (top.size() > most) top.resize(most);
  return top;
}

}  // namespace proxyd
