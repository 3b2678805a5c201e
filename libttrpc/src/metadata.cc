// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/metadata.h"

namespace ttrpc {

namespace {

std::string Folded(std::string_view key) {
  std::string folded(key);
  std::transform(folded.begin(), folded.end(), folded.begin(), ToLowerAscii);
  return folded;
}

}  // namespace

Metadata::Metadata(std::initializer_list<std::pair<std::string_view, std::string_view>> entries) {
  for (const auto& [key, value] : entries) Append(key, value);
}

std::optional<std::string_view> Metadata::Get(std::string_view key) const {
  const std::string wanted = Folded(key);
  for (const Entry& entry : entries_) {
    if (entry.key == wanted) return entry.value;
  }
  return std::nullopt;
}

std::vector<std::string_view> Metadata::Values(std::string_view key) const {
  const std::string wanted = Folded(key);
  std::vector<std::string_view> values;
  for (const Entry& entry : entries_) {
    if (entry.key == wanted) values.emplace_back(entry.value);
  }
  return values;
}

void Metadata::Set(std::string_view key, std::string_view value) {
  // `value` may be a view of a value that Remove() destroys.
  std::string kept(value);
  std::string wanted = Folded(key);
  Remove(wanted);
  entries_.emplace_back(std::move(wanted), std::move(kept));
}

void Metadata::Append(std::string_view key, std::string_view value) {
  entries_.emplace_back(Folded(key), std::string(value));
}

void Metadata::Remove(std::string_view key) {
  const std::string wanted = Folded(key);
  std::erase_if(entries_, [&wanted](const Entry& entry) { return entry.key == wanted; });
}

void Metadata::AppendAsSent(std::string_view key, std::string_view value) {
  entries_.emplace_back(std::string(key), std::string(value));
}

}  // namespace ttrpc
