// SPDX-License-Identifier: Apache-2.0
#include "config/document.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "text/escape.h"

namespace proxyd {

using text::QuoteShort;

namespace {

template <size_t N>
bool Contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The element of `names` itself: Document's keys live as long as the program.
template <size_t N>
std::string_view Canonical(const std::array<std::string_view, N>& names, std::string_view name) {
  return *std::find(names.begin(), names.end(), name);
}

class Merger {
 public:
  explicit Merger(Diagnostics* errors) : errors_(errors) {
    for (const std::string_view name : kSections) document_.sections[name];
    for (const std::string_view name : kLists) document_.lists[name];
  }

  void Add(TomlValue file) {
    for (TomlEntry& entry : file.table) {
      if (Contains(kSections, entry.key)) {
        AddSection(Canonical(kSections, entry.key), entry);
      } else if (Contains(kOptionalSections, entry.key)) {
        AddSection(Canonical(kOptionalSections, entry.key), entry);
      } else if (Contains(kLists, entry.key)) {
        AddList(std::move(entry));
      } else {
        errors_->Add(entry.position,
                     "unknown key " + QuoteShort(entry.key) +
                         ", expected [daemon], [log], [audit], [limits], [timeouts], "
                         "[admin], [metrics], [[listener]], [[backend]] or [[rule]]");
      }
    }
  }

  void MarkIncomplete() { document_.complete = false; }
  Document Take() { return std::move(document_); }

 private:
  void AddSection(std::string_view name, TomlEntry& entry) {
    if (entry.value.kind != TomlValue::Kind::kTable) {
      errors_->Add(entry.position, entry.key + " is " + KindName(entry.value) +
                                       ", expected a table: [" + entry.key + "]");
      return;
    }
    TomlValue& section = document_.sections[name];
    if (section.table.empty()) section.position = entry.value.position;
    for (TomlEntry& added : entry.value.table) {
      const auto first =
          std::find_if(section.table.begin(), section.table.end(),
                       [&added](const TomlEntry& earlier) { return earlier.key == added.key; });
      if (first == section.table.end()) {
        section.table.push_back(std::move(added));
      } else {
        errors_->Add(added.position, "[" + entry.key + "] " + added.key +
                                         " is set twice, expected only at " +
                                         SourcePosition(first->position).ToString());
      }
    }
  }

  void AddList(TomlEntry entry) {
    const std::string expected = ", expected tables: [[" + entry.key + "]]";
    if (entry.value.kind != TomlValue::Kind::kArray) {
      errors_->Add(entry.position, entry.key + " is " + KindName(entry.value) + expected);
      document_.complete = false;
      return;
    }
    for (TomlValue& element : entry.value.array) {
      if (element.kind == TomlValue::Kind::kTable) {
        document_.lists[Canonical(kLists, entry.key)].push_back(std::move(element));
      } else {
        errors_->Add(element.position,
                     entry.key + " has " + KindName(element) + " in it" + expected);
      }
    }
  }

  static std::string KindName(const TomlValue& value) {
    return std::string(TomlKindName(value.kind));
  }

  Diagnostics* errors_;
  Document document_;
};

}  // namespace

Document MergeFiles(const std::vector<ConfigFile>& files, Diagnostics* errors) {
  Merger merger(errors);
  for (const ConfigFile& file : files) {
    auto parsed = ParseToml(file);
    if (auto* table = std::get_if<TomlValue>(&parsed)) {
      merger.Add(std::move(*table));
    } else {
      auto& error = std::get<ConfigError>(parsed);
      errors->Add(std::move(error.position), std::move(error.message));
      merger.MarkIncomplete();
    }
  }
  return merger.Take();
}

}  // namespace proxyd
