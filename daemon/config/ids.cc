// SPDX-License-Identifier: Apache-2.0
//
// Reads users and groups: names, numbers, ranges and "*". Pure except for the NameResolver; one
// thread.
#include <algorithm>
#include <charconv>
#include <string>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "config/readers.h"
#include "text/escape.h"

namespace proxyd {

using text::QuoteShort;

namespace {

constexpr std::string_view kNumberAdvice = "use a number from 0 to 4294967294";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNumber(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsDigit);
}

// Returns nothing if the number is more than kMaxId.
std::optional<uint32_t> ParseNumber(std::string_view digits) {
  uint32_t id = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  if (error != std::errc() || id > kMaxId) return std::nullopt;
  return id;
}

// Whether a user database could ever have this name.
bool CanBeName(std::string_view text) { return !text.empty() && text.find('\0') == text.npos; }

std::string_view Noun(IdKind kind) { return kind == IdKind::kUser ? "user" : "group"; }

// Returns the second half of the message about a name that does not exist. `others` lists the
// alternatives to a name: ` or a number`.
std::string MissingNameAdvice(const std::string& name, IdKind kind, std::string_view others,
                              ReadScope* scope) {
  const std::string advice =
      std::string("use an existing ").append(Noun(kind)).append(" name").append(others);
  if (!scope->errors.suggests()) return advice;
  NameResolver& resolver = scope->resolver;
  return scope->errors.DidYouMean(
      name, kind == IdKind::kUser ? resolver.Users() : resolver.Groups(), advice);
}

// Resolves a name or a number in a string.
std::optional<uint32_t> ResolveText(const toml::node& value, IdKind kind, std::string_view others,
                                    ReadScope* scope) {
  if (IsNumber(StringOf(value))) {
    const auto id = ParseNumber(StringOf(value));
    if (!id) {
      scope->errors.Add(PositionOf(value), std::string(Noun(kind)) + " " +
                                               QuoteShort(StringOf(value)) + " is out of range; " +
                                               std::string(kNumberAdvice));
    }
    return id;
  }
  const std::optional<uint32_t> id = kind == IdKind::kUser ? scope->resolver.User(StringOf(value))
                                                           : scope->resolver.Group(StringOf(value));
  const std::string noun(Noun(kind));
  const std::string what = noun + " " + QuoteShort(StringOf(value));
  if (!id) {
    // A user database that starts after the daemon may still provide the name.
    const bool may_come = CanBeName(StringOf(value));
    scope->errors.Add(
        PositionOf(value),
        what + " does not exist; " + MissingNameAdvice(StringOf(value), kind, others, scope),
        may_come ? ConfigError::Kind::kUnresolvedName : ConfigError::Kind::kError);
  } else if (*id > kMaxId) {
    scope->errors.Add(PositionOf(value), what + " has the invalid id " + std::to_string(*id) +
                                             "; use another " + noun);
    return std::nullopt;
  }
  return id;
}

// Reads the elements of one array into an IdSet.
class SetReader {
 public:
  SetReader(std::string_view key, IdKind kind, bool ranges, ReadScope* scope)
      : key_(key),
        kind_(kind),
        ranges_(ranges),
        others_(ranges ? ", a number, a range such as \"2000-2999\", or \"*\"" : " or a number"),
        scope_(scope) {}

  std::optional<IdSet> Read(TableReader* in) {
    const auto entry = in->Find(key_);
    if (!entry) return std::nullopt;
    const toml::array* elements = entry->value.as_array();
    if (elements == nullptr || elements->empty()) {
      in->Wrong(*entry, ranges_
                            ? "use an array of names, numbers, ranges such as \"2000-2999\", or "
                              "\"*\""
                            : "use an array of names or numbers");
      return IdSet{};
    }
    for (const toml::node& value : *elements) ReadElement(value);
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

  void ReadElement(const toml::node& value) {
    if (const auto* integer = value.as_integer()) {
      ReadInteger(value, integer->get());
    } else if (!value.is_string()) {
      Error(value, std::string(key_) + " contains " + std::string(TypeNameOf(value)) +
                       "; use a name" + std::string(others_));
    } else if (!CheckNew(value, QuoteShort(StringOf(value)))) {
      return;
    } else if (ranges_ && StringOf(value) == "*") {
      set_.any = true;
    } else if (ranges_ && IsRange(StringOf(value))) {
      ReadRange(value);
    } else if (const auto id = ResolveText(value, kind_, others_, scope_)) {
      set_.exact.push_back(*id);
      if (!IsNumber(StringOf(value))) set_.names.emplace(*id, StringOf(value));
    }
  }

  void ReadInteger(const toml::node& value, int64_t id) {
    const std::string text = std::to_string(id);
    if (id < 0 || id > kMaxId) {
      Error(value, std::string(Noun(kind_)) + " " + text + " is out of range; " +
                       std::string(kNumberAdvice));
    } else if (CheckNew(value, text)) {
      set_.exact.push_back(static_cast<uint32_t>(id));
    }
  }

  // Text of digits and dashes only is meant as a range, since no name looks like that.
  static bool IsRange(std::string_view text) {
    return text.find('-') != text.npos && text.find_first_not_of("0123456789-") == text.npos;
  }

  void ReadRange(const toml::node& value) {
    const std::string_view text = StringOf(value);
    const size_t dash = text.find('-');
    const std::string_view first = text.substr(0, dash);
    const std::string_view last = text.substr(dash + 1);
    const std::string what = "range " + QuoteShort(text);
    if (!IsNumber(first) || !IsNumber(last)) {
      Error(value, what + " is incomplete; use FIRST-LAST, such as \"2000-2999\"");
      return;
    }
    const auto first_id = ParseNumber(first);
    const auto last_id = ParseNumber(last);
    if (!first_id || !last_id) {
      Error(value, what + " is out of range; use numbers from 0 to 4294967294");
    } else if (*first_id > *last_id) {
      Error(value, what + " ends before it begins; put the lower number first");
    } else {
      set_.ranges.push_back({*first_id, *last_id});
    }
  }

  // The same text twice is a mistake; the same id by name and by number may be intended.
  bool CheckNew(const toml::node& value, const std::string& text) {
    if (seen_.insert(text).second) return true;
    Error(value, std::string(key_) + " contains " + text + " twice; remove one of the two");
    return false;
  }

  void Error(const toml::node& value, std::string message) {
    scope_->errors.Add(PositionOf(value), std::move(message));
  }

  std::string_view key_;
  IdKind kind_;
  bool ranges_;
  std::string_view others_;  // the alternatives to a name for an element
  ReadScope* scope_;
  IdSet set_;
  std::unordered_set<std::string> seen_;
};

}  // namespace

std::optional<WrittenId> ReadId(std::string_view key, IdKind kind, TableReader* in,
                                ReadScope* scope) {
  const auto entry = in->Find(key);
  if (!entry) return std::nullopt;
  if (!entry->value.is_string()) {
    in->Wrong(*entry, "use a name or a number in quotes");
    return std::nullopt;
  }
  const auto id = ResolveText(entry->value, kind, " or a number in quotes", scope);
  if (!id) return std::nullopt;
  const std::string& text = StringOf(entry->value);
  return WrittenId{.id = *id, .name = IsNumber(text) ? std::string() : text};
}

IdSet ReadIdList(std::string_view key, IdKind kind, TableReader* in, ReadScope* scope) {
  return SetReader(key, kind, false, scope).Read(in).value_or(IdSet{});
}

std::optional<IdSet> ReadIdSet(std::string_view key, IdKind kind, TableReader* in,
                               ReadScope* scope) {
  return SetReader(key, kind, true, scope).Read(in);
}

}  // namespace proxyd
