// SPDX-License-Identifier: Apache-2.0
#include "config/method_set_table.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "config/rpc_names.h"
#include "config/table_reader.h"
#include "text/escape.h"

namespace proxyd {

using text::QuoteShort;

namespace {

constexpr std::string_view kLabel = "[method_sets]";

// The arrays of [method_sets] that are well formed, by the name of their set.
using SetArrays = std::map<std::string_view, const toml::array*>;

// Finds sets that name each other in a circle. The walk has a stack of its own, since a chain of
// sets may be very long.
class CircleFinder {
 public:
  // All arguments must outlive the finder.
  CircleFinder(const MethodSets& sets, const SetArrays& arrays, Diagnostics* errors)
      : sets_(sets), arrays_(arrays), errors_(errors) {}

  void Run() {
    for (const auto& [name, elements] : arrays_) {
      if (places_.emplace(name, 0).second) Walk(name);
    }
  }

 private:
  static constexpr size_t kDone = SIZE_MAX;
  struct Step {
    std::string_view set;
    size_t next = 0;  // the element of the set that is looked at next
  };

  void Walk(std::string_view start) {
    path_.push_back({.set = start});
    while (!path_.empty()) {
      const size_t element = path_.back().next++;
      const std::string_view set = path_.back().set;
      const std::vector<std::string>& written = sets_.find(set)->second;
      if (element == written.size()) {
        places_[set] = kDone;
        path_.pop_back();
        continue;
      }
      const auto inner = MethodSetOf(written[element]);
      if (!inner || !sets_.contains(*inner)) continue;
      const auto [place, is_new] = places_.emplace(*inner, path_.size());
      if (is_new) {
        path_.push_back({.set = *inner});
      } else if (place->second != kDone) {
        Report(place->second, element);
      }
    }
  }

  // The last set of the path names the one at `first` in its `element`.
  void Report(size_t first, size_t element) {
    constexpr size_t kMostShown = 10;
    const auto elements = arrays_.find(path_.back().set);
    if (elements == arrays_.end()) return;  // built-in sets name no sets
    const auto quoted = [this](size_t place) {
      return QuoteShort("@" + std::string(path_[place].set));
    };
    std::string what = "method set " + quoted(first) + " names itself";
    const size_t end = std::min(path_.size(), first + 1 + kMostShown);
    for (size_t place = first + 1; place < end; ++place)
      what += (place == first + 1 ? " through " : ", ") + quoted(place);
    if (end < path_.size()) what += ", …";
    errors_->Add(PositionOf(*elements->second->get(element)),
                 what + "; remove it here, or give the set another name");
  }

  const MethodSets& sets_;
  const SetArrays& arrays_;
  Diagnostics* errors_;
  // Where each set that was reached is on the path; kDone once it has left the path.
  std::map<std::string_view, size_t> places_;
  std::vector<Step> path_;  // from a set to one that it names
};

}  // namespace

void MethodSetTable::Read(const TomlTables& tables, bool complete, Diagnostics* errors) {
  SetArrays arrays;
  std::set<std::string_view> names;
  for (const toml::table* table : tables) {
    for (const auto& [key, value] : *table) {
      // A key that is set twice has an error of its own.
      if (!names.insert(key.str()).second) continue;
      if (!IsMethodSetName(key.str())) {
        errors->Add(PositionOf(key),
                    "method set " + QuoteShort(key.str()) +
                        " has no valid name; use at most 64 letters, digits, - and _");
        continue;
      }
      TableReader in(kLabel, {table}, errors);
      const toml::array* elements = in.FindStrings(
          key.str(), "use an array of patterns such as \"/package.Service/Method\", and of sets");
      // A set with an error still exists, so that the rules that name it have no error.
      std::vector<std::string>& written = sets_[std::string(key.str())];
      written.clear();
      if (elements == nullptr) continue;
      for (const toml::node& element : *elements) written.push_back(StringOf(element));
      arrays.emplace(key.str(), elements);
    }
  }
  for (const auto& [name, elements] : arrays) CheckElements(*elements, complete, errors);
  CircleFinder(sets_, arrays, errors).Run();
}

void MethodSetTable::CheckElements(const toml::array& elements, bool complete,
                                   Diagnostics* errors) const {
  for (const toml::node& element : elements) {
    const std::string& text = StringOf(element);
    if (const auto name = MethodSetOf(text)) {
      if (complete && Find(*name) == nullptr)
        errors->Add(PositionOf(element), Missing(text, errors));
    } else if (!ParseMethodPattern(text)) {
      errors->Add(PositionOf(element), NotAPattern(text));
    }
  }
}

const std::vector<std::string>* MethodSetTable::Find(std::string_view name) const {
  for (const MethodSets* sets : {&sets_, &TaskMethodSets()}) {
    if (const auto found = sets->find(name); found != sets->end()) return &found->second;
  }
  return nullptr;
}

bool MethodSetTable::Expand(std::string_view name, std::vector<MethodPattern>* methods) {
  if (Find(name) == nullptr) return false;
  std::set<std::string_view> seen = {name};
  std::vector<std::string_view> left = {name};
  while (!left.empty()) {
    const std::string_view set = left.back();
    left.pop_back();
    if (sets_.contains(set)) used_.emplace(set);
    for (const std::string& text : *Find(set)) {
      if (const auto inner = MethodSetOf(text)) {
        if (Find(*inner) != nullptr && seen.insert(*inner).second) left.push_back(*inner);
      } else if (auto pattern = ParseMethodPattern(text)) {
        methods->push_back(*std::move(pattern));
      }
    }
  }
  return true;
}

std::string MethodSetTable::NotAPattern(std::string_view text) const {
  std::string what = "method " + QuoteShort(text) + " is not a valid pattern; ";
  if (Find(text) != nullptr)
    return what + "did you mean " + QuoteShort("@" + std::string(text)) + "?";
  return what.append("use ").append(kMethodPatternForm);
}

std::string MethodSetTable::Missing(std::string_view text, Diagnostics* errors) const {
  const std::string what = "method set " + QuoteShort(text) + " does not exist; ";
  // Many unknown sets would otherwise be compared with many names.
  if (!errors->suggests()) return what + "define it in [method_sets]";
  const std::vector<std::string> names = MethodSetNames(MethodSetOf(text).value_or(text), sets_);
  return what + AdviseMethodSet(errors->Closest(text, names), names);
}

MethodSets MethodSetTable::Used() const {
  MethodSets used;
  for (const std::string& name : used_) used.emplace(name, sets_.find(name)->second);
  return used;
}

}  // namespace proxyd
