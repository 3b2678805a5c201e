// SPDX-License-Identifier: Apache-2.0
#include "config/toml.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>

#include "config/repair.h"
#include "config/words.h"
#include "text/closest.h"
#include "text/escape.h"

namespace proxyd {

using text::OneLine;
using text::QuoteShort;

namespace {

// Lines and columns are counted from 1, and columns in code points, as the library counts them.
struct TextPosition {
  unsigned line = 1;
  unsigned column = 1;
};

TextPosition TextPositionOf(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  const auto is_start = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  const auto in_line = before.substr(line_start);
  return {
      .line = static_cast<unsigned>(std::count(before.begin(), before.end(), '\n')) + 1,
      .column = static_cast<unsigned>(std::count_if(in_line.begin(), in_line.end(), is_start)) + 1};
}

// Returns the offset after the string that begins at `start`. A string that is not closed ends with
// its line, or with the text if it may have several lines.
size_t SkipString(std::string_view text, size_t start) {
  const char quote = text[start];
  const bool escapes = quote == '"';
  const std::string_view rest = text.substr(start);
  const bool many_lines = rest.starts_with("\"\"\"") || rest.starts_with("'''");
  const std::string_view end = rest.substr(0, many_lines ? 3 : 1);
  size_t at = start + end.size();
  while (at < text.size()) {
    if (escapes && text[at] == '\\') {
      at += 2;
    } else if (text.substr(at).starts_with(end)) {
      at += end.size();
      // Up to two more quotes belong to the content of a multi-line string.
      for (int more = 0; many_lines && more < 2 && at < text.size() && text[at] == quote; ++more) {
        ++at;
      }
      return at;
    } else if (!many_lines && text[at] == '\n') {
      return at;
    } else {
      ++at;
    }
  }
  return text.size();
}

// Finds the first key with more than kMaxKeyParts parts. Dots in strings and comments do not count.
// The result is exact while the text is valid TOML. One pass is enough for any text.
std::optional<TextPosition> FindLongKey(std::string_view text) {
  constexpr std::string_view kBetweenKeys = "\n=,[]{}";
  constexpr std::string_view kBlanks = " \t\r";
  constexpr size_t kNone = std::string_view::npos;
  size_t start = kNone;  // where the current key begins
  int parts = 1;
  size_t at = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (kBetweenKeys.find(c) != std::string_view::npos) {
      start = kNone;
      parts = 1;
    } else if (kBlanks.find(c) == std::string_view::npos) {
      if (start == kNone) start = at;
      if (c == '.' && ++parts > kMaxKeyParts) return TextPositionOf(text, start);
      if (c == '"' || c == '\'') {
        at = SkipString(text, at);
        continue;
      }
    }
    ++at;
  }
  return std::nullopt;
}

template <size_t N>
const std::string_view* FindName(const std::array<std::string_view, N>& names,
                                 std::string_view name) {
  const auto* const found = std::find(names.begin(), names.end(), name);
  return found != names.end() ? found : nullptr;
}

// The section header that a user must write for this name: `[log]`, `[[rule]]`.
std::string HeaderOf(std::string_view name) {
  const bool is_list = FindName(kLists, name) != nullptr;
  return std::string(is_list ? "[[" : "[").append(name).append(is_list ? "]]" : "]");
}

// The names of all sections and lists.
std::vector<std::string> AllNames() {
  std::vector<std::string> names(kSections.begin(), kSections.end());
  names.insert(names.end(), kOptionalSections.begin(), kOptionalSections.end());
  names.insert(names.end(), kLists.begin(), kLists.end());
  return names;
}

// The maps of the document have elements of kSections, kOptionalSections and kLists as keys, which
// live as long as the program.
class Merger {
 public:
  explicit Merger(Diagnostics* errors) : errors_(errors) {
    for (const std::string_view name : kSections) document_.sections[name];
    for (const std::string_view name : kLists) document_.lists[name];
  }

  // `file` must not move while the document exists.
  void Add(const toml::table& file) {
    for (const auto& [key, value] : file) {
      const auto* section = FindName(kSections, key);
      if (section == nullptr) section = FindName(kOptionalSections, key);
      if (section != nullptr) {
        AddSection(key, value, &document_.sections[*section]);
      } else if (const auto* list = FindName(kLists, key)) {
        AddList(key, value, &document_.lists[*list]);
      } else {
        errors_->Add(PositionOf(key), Unknown(key, value));
      }
    }
  }

  void MarkIncomplete() { document_.complete = false; }
  Document Take(std::vector<toml::table> files) {
    document_.files = std::move(files);
    return std::move(document_);
  }

 private:
  std::string Unknown(const toml::key& key, const toml::node& value) {
    const std::vector<std::string> names = AllNames();
    std::vector<std::string> headers;
    headers.reserve(names.size());
    for (const std::string& name : names) headers.push_back(HeaderOf(name));
    if (!value.is_table() && !value.is_array_of_tables()) {
      return "unknown key " + QuoteShort(key) + " outside any section; put it in " +
             Enumerate(headers);
    }
    const std::string closest = errors_->Closest(key, names);
    return "unknown section " + QuoteShort(key) + "; " +
           (closest.empty() ? "use " + Enumerate(headers)
                            : "did you mean " + HeaderOf(closest) + "?");
  }

  void AddSection(const toml::key& name, const toml::node& value, TomlTables* section) {
    const toml::table* added = value.as_table();
    if (added == nullptr) {
      errors_->Add(PositionOf(name),
                   Is(name, value) + "; write it as a section: " + HeaderOf(name));
      return;
    }
    for (const auto& entry : *added) {
      const auto& key = entry.first;
      const auto first =
          std::find_if(section->begin(), section->end(),
                       [&key](const auto* earlier) { return earlier->contains(key); });
      if (first == section->end()) continue;
      errors_->Add(PositionOf(key), std::string(key) + " in " + HeaderOf(name) +
                                        " is already set at " +
                                        PositionOf((*first)->find(key)->first).ToString() +
                                        "; remove one of the two");
    }
    // The position of a section is that of its first table with a key, so empty tables are dropped.
    if (!section->empty() && section->back()->empty()) section->pop_back();
    section->push_back(added);
  }

  void AddList(const toml::key& name, const toml::node& value,
               std::vector<const toml::table*>* list) {
    const std::string advice = "; write each " + std::string(name) + " as " + HeaderOf(name);
    const toml::array* elements = value.as_array();
    if (const toml::table* single = value.as_table()) {
      errors_->Add(PositionOf(name), SingleBrackets(name));
      list->push_back(single);
      return;
    }
    if (elements == nullptr) {
      errors_->Add(PositionOf(name), Is(name, value) + advice);
      document_.complete = false;
      return;
    }
    for (const toml::node& element : *elements) {
      if (const toml::table* table = element.as_table()) {
        list->push_back(table);
      } else {
        errors_->Add(PositionOf(element),
                     std::string(name) + " contains " + std::string(TypeNameOf(element)) + advice);
      }
    }
  }

  static std::string Is(const toml::key& name, const toml::node& value) {
    return std::string(name) + " is " + std::string(TypeNameOf(value));
  }

  Diagnostics* errors_;
  Document document_;
};

// Like ParseToml(), but goes on past mistakes that can be repaired, so that one of them does not
// hide the other errors of the file. Each repaired mistake is still an error.
std::variant<toml::table, ConfigError> ParseRepaired(const ConfigFile& file, Diagnostics* errors) {
  constexpr int kMostRepairs = 32;  // each repair parses the file once more
  auto parsed = ParseToml(file);
  std::optional<ConfigFile> repaired;
  for (int i = 0; i < kMostRepairs; ++i) {
    const auto* syntax_error = std::get_if<ConfigError>(&parsed);
    if (syntax_error == nullptr) break;
    if (!repaired) repaired = file;
    const std::vector<Repair> repairs = RepairText(*syntax_error, &*repaired);
    if (repairs.empty()) break;
    for (const Repair& repair : repairs) {
      errors->Add(repair.error.position, repair.error.message);
      if (repair.stand_in) errors->Cover(repair.error.position);
    }
    parsed = ParseToml(*repaired);
  }
  return parsed;
}

}  // namespace

SourcePosition PositionOf(const toml::source_region& source) {
  return {.file = source.path ? *source.path : std::string(),
          .line = source.begin.line,
          .column = source.begin.column};
}

std::string_view TypeNameOf(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a float";
    case toml::node_type::boolean:
      return "a boolean";
    case toml::node_type::date:
      return "a date";
    case toml::node_type::time:
      return "a time";
    case toml::node_type::date_time:
      return "a date and time";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::table:
      return "a table";
    case toml::node_type::none:
      break;
  }
  return "a value";
}

const std::string& StringOf(const toml::node& node) {
  static const std::string kNone;
  const auto* string = node.as_string();
  return string != nullptr ? string->get() : kNone;
}

std::variant<toml::table, ConfigError> ParseToml(const ConfigFile& file) {
  if (const auto position = FindLongKey(file.text)) {
    return ConfigError{{file.name, position->line, position->column},
                       "this key has more than " + std::to_string(kMaxKeyParts) +
                           " parts; use at most two, as in log.level"};
  }
  // The distribution builds the library with exceptions. None of them may leave this function.
  try {
    return toml::parse(file.text, file.name);
  } catch (const toml::parse_error& error) {
    return ConfigError{PositionOf(error.source()), "invalid TOML: " + OneLine(error.description())};
  }
}

bool Diagnostics::MayCompare(size_t count) {
  const bool may = count <= comparisons_left_;
  comparisons_left_ -= may ? count : comparisons_left_;
  return may;
}

std::string Diagnostics::Closest(std::string_view typed, const std::vector<std::string>& names) {
  return MayCompare(names.size()) ? text::Closest(typed, names) : std::string();
}

std::string Diagnostics::DidYouMean(std::string_view typed, const std::vector<std::string>& names,
                                    const std::string& otherwise) {
  return MayCompare(names.size()) ? text::DidYouMean(typed, names, otherwise) : otherwise;
}

Document MergeFiles(const std::vector<ConfigFile>& files, Diagnostics* errors) {
  Merger merger(errors);
  std::vector<toml::table> tables;
  tables.reserve(files.size());  // pointers into them stay valid
  for (const ConfigFile& file : files) {
    auto parsed = ParseRepaired(file, errors);
    if (auto* table = std::get_if<toml::table>(&parsed)) {
      merger.Add(tables.emplace_back(std::move(*table)));
    } else {
      auto& error = std::get<ConfigError>(parsed);
      errors->Add(std::move(error.position), std::move(error.message));
      merger.MarkIncomplete();
    }
  }
  return merger.Take(std::move(tables));
}

}  // namespace proxyd
