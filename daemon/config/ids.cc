// SPDX-License-Identifier: Apache-2.0
#include "config/ids.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "text/escape.h"

namespace proxyd {

using text::QuoteShort;

namespace {

constexpr std::string_view kNumberExpected = "expected a number from 0 to 4294967294";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNumber(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsDigit);
}

// Nothing: more than kMaxId.
std::optional<uint32_t> ParseNumber(std::string_view digits) {
  uint32_t id = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  if (error != std::errc() || id > kMaxId) return std::nullopt;
  return id;
}

// Whether a user database could ever have it.
bool CanBeName(std::string_view text) { return !text.empty() && text.find('\0') == text.npos; }

std::string_view Noun(IdKind kind) { return kind == IdKind::kUser ? "user" : "group"; }

// A name or a number; `expected` is for names that do not exist.
std::optional<uint32_t> ResolveText(const TomlValue& value, IdKind kind, std::string_view expected,
                                    ReadScope* scope) {
  if (IsNumber(value.string)) {
    const auto id = ParseNumber(value.string);
    if (!id) {
      scope->errors.Add(value.position, std::string(Noun(kind)) + " " + QuoteShort(value.string) +
                                            " is out of range, " + std::string(kNumberExpected));
    }
    return id;
  }
  const auto id = kind == IdKind::kUser ? scope->resolver.User(value.string)
                                        : scope->resolver.Group(value.string);
  if (!id || *id > kMaxId) {
    // A user database that starts later than we do has other names by then.
    const bool may_come = !id && CanBeName(value.string);
    scope->errors.Add(value.position,
                      std::string(Noun(kind)) + " " + QuoteShort(value.string) +
                          " does not exist, expected " + std::string(expected),
                      may_come ? ConfigError::Kind::kUnresolvedName : ConfigError::Kind::kWrong);
    return std::nullopt;
  }
  return *id;
}

// Reads the elements of one array into an IdSet.
class SetReader {
 public:
  SetReader(std::string_view key, IdKind kind, bool ranges, ReadScope* scope)
      : key_(key),
        kind_(kind),
        ranges_(ranges),
        expected_(ranges ? "names, numbers, ranges as \"2000-2999\" or \"*\"" : "names or numbers"),
        scope_(scope) {}

  std::optional<IdSet> Read(TableReader* in) {
    const TomlEntry* entry = in->Find(key_);
    if (entry == nullptr) return std::nullopt;
    if (entry->value.kind != TomlValue::Kind::kArray || entry->value.array.empty()) {
      in->Wrong(*entry, "an array of " + std::string(expected_));
      return IdSet{};
    }
    for (const TomlValue& value : entry->value.array) ReadElement(value);
    SortUnique(&set_.exact, std::less<>());
    SortUnique(&set_.ranges, [](const IdRange& a, const IdRange& b) {
      return std::tie(a.first, a.last) < std::tie(b.first, b.last);
    });
    return std::move(set_);
  }

 private:
  template <typename T, typename Less>
  static void SortUnique(std::vector<T>* values, Less less) {
    std::sort(values->begin(), values->end(), less);
    values->erase(std::unique(values->begin(), values->end()), values->end());
  }

  void ReadElement(const TomlValue& value) {
    if (value.kind == TomlValue::Kind::kInteger) {
      ReadInteger(value);
    } else if (value.kind != TomlValue::Kind::kString) {
      Error(value, std::string(TomlKindName(value.kind)) + " in " + std::string(key_) +
                       ", expected " + std::string(expected_));
    } else if (!CheckNew(value, QuoteShort(value.string))) {
      return;
    } else if (ranges_ && value.string == "*") {
      set_.any = true;
    } else if (ranges_ && IsRange(value.string)) {
      ReadRange(value);
    } else if (const auto id = ResolveText(value, kind_, expected_, scope_)) {
      set_.exact.push_back(*id);
    }
  }

  void ReadInteger(const TomlValue& value) {
    const std::string text = std::to_string(value.integer);
    if (value.integer < 0 || value.integer > kMaxId) {
      Error(value, std::string(Noun(kind_)) + " " + text + " is out of range, " +
                       std::string(kNumberExpected));
    } else if (CheckNew(value, text)) {
      set_.exact.push_back(static_cast<uint32_t>(value.integer));
    }
  }

  // No name is made of digits and a dash only: it is meant as a range.
  static bool IsRange(std::string_view text) {
    return text.find('-') != text.npos && text.find_first_not_of("0123456789-") == text.npos;
  }

  void ReadRange(const TomlValue& value) {
    const std::string_view text = value.string;
    const size_t dash = text.find('-');
    const std::string_view first = text.substr(0, dash);
    const std::string_view last = text.substr(dash + 1);
    const std::string what = "range " + QuoteShort(text);
    if (!IsNumber(first) || !IsNumber(last)) {
      Error(value, what + " is incomplete, expected FIRST-LAST as \"2000-2999\"");
      return;
    }
    const auto first_id = ParseNumber(first);
    const auto last_id = ParseNumber(last);
    if (!first_id || !last_id) {
      Error(value, what + " is out of range, expected numbers from 0 to 4294967294");
    } else if (*first_id > *last_id) {
      Error(value, what + " ends before it begins, expected the lower number first");
    } else {
      set_.ranges.push_back({*first_id, *last_id});
    }
  }

  // The same text twice is a slip; the same id by name and by number is not.
  bool CheckNew(const TomlValue& value, const std::string& text) {
    if (seen_.insert(text).second) return true;
    Error(value, std::string(key_) + " has " + text + " in it twice, expected each once");
    return false;
  }

  void Error(const TomlValue& value, std::string message) {
    scope_->errors.Add(value.position, std::move(message));
  }

  std::string_view key_;
  IdKind kind_;
  bool ranges_;
  std::string_view expected_;
  ReadScope* scope_;
  IdSet set_;
  std::unordered_set<std::string> seen_;
};

}  // namespace

std::optional<uint32_t> ReadId(std::string_view key, IdKind kind, TableReader* in,
                               ReadScope* scope) {
  constexpr std::string_view kExpected = "a name, or a number in quotes";
  const TomlEntry* entry = in->Find(key);
  if (entry == nullptr) return std::nullopt;
  if (entry->value.kind != TomlValue::Kind::kString) {
    in->Wrong(*entry, kExpected);
    return std::nullopt;
  }
  return ResolveText(entry->value, kind, kExpected, scope);
}

std::vector<uint32_t> ReadIdList(std::string_view key, IdKind kind, TableReader* in,
                                 ReadScope* scope) {
  const auto set = SetReader(key, kind, false, scope).Read(in);
  return set ? set->exact : std::vector<uint32_t>{};
}

std::optional<IdSet> ReadIdSet(std::string_view key, IdKind kind, TableReader* in,
                               ReadScope* scope) {
  return SetReader(key, kind, true, scope).Read(in);
}

}  // namespace proxyd
