// SPDX-License-Identifier: Apache-2.0
#include "config/differences.h"

#include <array>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "config/load.h"

namespace proxyd {

namespace {

using std::string_view;

// The tables of one kind: the quoted names, or `[section]`, in their order, and the text of each.
struct Tables {
  std::vector<string_view> names;
  std::unordered_map<string_view, string_view> texts;

  void Add(string_view name, string_view text) {
    names.push_back(name);
    texts.emplace(name, text);
  }
};

constexpr std::array<std::pair<string_view, string_view>, 3> kComparedLists = {
    {{"[[rule]]", "rule"}, {"[[listener]]", "listener"}, {"[[backend]]", "backend"}}};

// The output of PrintConfig(), split into tables.
struct Printed {
  std::array<Tables, kComparedLists.size()> lists;
  Tables sections;

  void Add(string_view table) {
    constexpr string_view kName = "name = ";
    const size_t end = table.find('\n');
    const string_view header = table.substr(0, end);
    for (size_t i = 0; i < kComparedLists.size(); ++i) {
      if (header != kComparedLists[i].first) continue;
      string_view name = table.substr(end + 1);
      name = name.substr(kName.size(), name.find('\n') - kName.size());
      return lists[i].Add(name, table);
    }
    sections.Add(header, table);
  }
};

// Every empty line separates two tables, since line feeds in strings are escaped.
Printed TakeApart(string_view text) {
  constexpr string_view kBetween = "\n\n";
  if (text.ends_with('\n')) text.remove_suffix(1);
  Printed printed;
  while (!text.empty()) {
    const size_t end = text.find(kBetween);
    printed.Add(text.substr(0, end));
    text.remove_prefix(end == text.npos ? text.size() : end + kBetween.size());
  }
  return printed;
}

class Line {
 public:
  // `kind` is the word for the tables of a list. It is empty for sections, each of which is named.
  void Add(string_view kind, const std::vector<string_view>& names, string_view verb) {
    if (kind.empty()) {
      for (const string_view name : names) Append(std::string(name), verb);
    } else if (names.size() == 1) {
      Append(std::string(kind).append(" ").append(names.front()), verb);
    } else if (!names.empty()) {
      Append(std::to_string(names.size()).append(" ").append(kind).append("s"), verb);
    }
  }
  void Append(const std::string& what, string_view verb) {
    text_.append(text_.empty() ? "" : ", ").append(what).append(" ").append(verb);
  }
  std::string Take() && { return text_.empty() ? "nothing changed" : std::move(text_); }

 private:
  std::string text_;
};

// Whether the tables that are in both have the same order.
bool HaveOneOrder(const Tables& before, const Tables& after) {
  auto next = before.names.begin();
  for (const string_view name : after.names) {
    if (before.texts.count(name) == 0) continue;
    while (after.texts.count(*next) == 0) ++next;
    if (*next != name) return false;
    ++next;
  }
  return true;
}

void Compare(string_view kind, const Tables& before, const Tables& after, Line* line) {
  std::vector<string_view> changed;
  std::vector<string_view> added;
  std::vector<string_view> removed;
  for (const string_view name : after.names) {
    const auto found = before.texts.find(name);
    if (found == before.texts.end()) {
      added.push_back(name);
    } else if (found->second != after.texts.at(name)) {
      changed.push_back(name);
    }
  }
  for (const string_view name : before.names) {
    if (after.texts.count(name) == 0) removed.push_back(name);
  }
  line->Add(kind, changed, "changed");
  line->Add(kind, added, "added");
  line->Add(kind, removed, "removed");
}

// Names are left out, since the user database may give them other ids now.
Config WithIdsOnly(Config config) {
  const auto drop_names = [](SocketAccess* access) {
    access->owner_name.clear();
    access->group_name.clear();
  };
  for (ListenerConfig& listener : config.listeners) drop_names(&listener.access);
  for (BackendConfig& backend : config.backends) backend.user_names.clear();
  for (RuleConfig& rule : config.rules) {
    for (std::optional<IdSet>* ids : {&rule.users, &rule.groups}) {
      if (*ids) (*ids)->names.clear();
    }
  }
  if (config.admin) {
    drop_names(&config.admin->access);
    config.admin->users.names.clear();
  }
  if (config.metrics) drop_names(&config.metrics->access);
  return config;
}

}  // namespace

std::string Differences(const Config& before, const Config& after) {
  const std::string texts[] = {PrintConfig(WithIdsOnly(before)), PrintConfig(WithIdsOnly(after))};
  const Printed old = TakeApart(texts[0]);
  const Printed next = TakeApart(texts[1]);
  Line line;
  for (size_t i = 0; i < kComparedLists.size(); ++i) {
    Compare(kComparedLists[i].second, old.lists[i], next.lists[i], &line);
    // The order of listeners and backends has no meaning.
    const bool of_rules = i == 0;
    if (of_rules && !HaveOneOrder(old.lists[i], next.lists[i])) line.Append("rules", "reordered");
  }
  Compare("", old.sections, next.sections, &line);
  return std::move(line).Take();
}

}  // namespace proxyd
