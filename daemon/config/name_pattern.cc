// SPDX-License-Identifier: Apache-2.0
#include "config/name_pattern.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace proxyd {

namespace {

using PieceKind = NamePattern::PieceKind;
using ttrpc::Status;
using ttrpc::StatusCode;

constexpr std::pair<std::string_view, PieceKind> kPatternPlaceholders[] = {
    {"{uid}", PieceKind::kUid}, {"{gid}", PieceKind::kGid}, {"{user}", PieceKind::kUser}};

// Returns the placeholder with which the text begins.
const std::pair<std::string_view, PieceKind>* PatternPlaceholderAt(std::string_view text) {
  for (const auto& placeholder : kPatternPlaceholders) {
    if (text.starts_with(placeholder.first)) return &placeholder;
  }
  return nullptr;
}

// The digits of an id, without an allocation. It is empty for -1, which is no id.
class IdDigits {
 public:
  explicit IdDigits(uint32_t id) {
    if (id == static_cast<uint32_t>(-1)) return;
    const auto end = std::to_chars(digits_.data(), digits_.data() + digits_.size(), id).ptr;
    size_ = static_cast<size_t>(end - digits_.data());
  }
  std::string_view view() const { return {digits_.data(), size_}; }

 private:
  std::array<char, 10> digits_{};  // the most digits of 32 bits
  size_t size_ = 0;
};

// User databases separate their fields with colons, and no tool creates a user with a slash. Some
// databases allow every other character.
bool MayBeInUserName(char c) { return c != ':' && c != '/'; }

}  // namespace

ttrpc::Result<NamePattern> NamePattern::Parse(std::string_view text) {
  const auto invalid = [](const char* advice) {
    return Status(StatusCode::kInvalidArgument, advice);
  };
  if (text.empty()) return invalid("use a pattern such as \"team-a-*\" or \"{uid}-*\"");
  NamePattern pattern;
  pattern.text_ = text;
  while (!text.empty()) {
    size_t taken = 1;
    if (text.front() == '*') {
      // A second star in a row would match nothing more.
      if (pattern.pieces_.empty() || pattern.pieces_.back().kind != PieceKind::kAny) {
        pattern.pieces_.push_back({.kind = PieceKind::kAny, .literal = {}});
      }
    } else if (const auto* placeholder = PatternPlaceholderAt(text)) {
      taken = placeholder->first.size();
      pattern.pieces_.push_back({.kind = placeholder->second, .literal = {}});
    } else if (text.front() == '{' || text.front() == '}') {
      return invalid("use braces only in {uid}, {gid} and {user}");
    } else if (text.front() == '\\') {
      if (text.size() < 2 || (text[1] != '*' && text[1] != '\\')) {
        return invalid("use a backslash only before * or another backslash");
      }
      taken = 2;
      pattern.AddLiteral(text[1]);
    } else {
      pattern.AddLiteral(text.front());
    }
    text.remove_prefix(taken);
  }
  return pattern;
}

void NamePattern::AddLiteral(char c) {
  if (pieces_.empty() || pieces_.back().kind != PieceKind::kLiteral) {
    pieces_.push_back({.kind = PieceKind::kLiteral, .literal = {}});
  }
  pieces_.back().literal += c;
}

NameMatch NamePattern::Match(std::string_view name, const NameSubject& subject) const {
  const IdDigits uid(subject.uid);
  const IdDigits gid(subject.gid);
  const auto text_of = [&](const Piece& piece) -> std::string_view {
    switch (piece.kind) {
      case PieceKind::kLiteral:
        return piece.literal;
      case PieceKind::kUid:
        return uid.view();
      case PieceKind::kGid:
        return gid.view();
      case PieceKind::kUser:
        return subject.user;
      case PieceKind::kAny:
        break;
    }
    return {};
  };
  const auto lacks_value = [&](const Piece& piece) {
    return piece.kind != PieceKind::kAny && text_of(piece).empty();
  };
  if (std::any_of(pieces_.begin(), pieces_.end(), lacks_value)) return NameMatch::kUnknown;

  // Only the last star needs another try, as in MatchPattern(), since it can take whatever an
  // earlier one could.
  size_t piece = 0;
  size_t used = 0;  // bytes of the piece that are matched
  size_t at = 0;
  std::optional<size_t> after_star;
  size_t star_end = 0;
  while (at < name.size()) {
    if (piece < pieces_.size() && pieces_[piece].kind == PieceKind::kAny) {
      after_star = ++piece;
      star_end = at;
      continue;
    }
    const std::string_view wanted =
        piece < pieces_.size() ? text_of(pieces_[piece]) : std::string_view();
    if (used < wanted.size() && wanted[used] == name[at]) {
      ++at;
      if (++used < wanted.size()) continue;
      ++piece;
      used = 0;
    } else if (after_star && name[star_end] != '/') {
      piece = *after_star;
      used = 0;
      at = ++star_end;
    } else {
      return NameMatch::kNo;
    }
  }
  if (piece < pieces_.size() && pieces_[piece].kind == PieceKind::kAny) ++piece;
  return piece == pieces_.size() && used == 0 ? NameMatch::kYes : NameMatch::kNo;
}

bool NamePattern::needs_user() const {
  return std::any_of(pieces_.begin(), pieces_.end(),
                     [](const Piece& piece) { return piece.kind == PieceKind::kUser; });
}

bool NamePattern::has_placeholder() const {
  return std::any_of(pieces_.begin(), pieces_.end(), [](const Piece& piece) {
    return piece.kind != PieceKind::kLiteral && piece.kind != PieceKind::kAny;
  });
}

bool NamePattern::number_is_open_ended() const {
  const auto is_number = [](const Piece& piece) {
    return piece.kind == PieceKind::kUid || piece.kind == PieceKind::kGid;
  };
  const auto is_star = [](const Piece& piece) { return piece.kind == PieceKind::kAny; };
  return std::adjacent_find(pieces_.begin(), pieces_.end(), [&](const Piece& a, const Piece& b) {
           return (is_number(a) && is_star(b)) || (is_star(a) && is_number(b));
         }) != pieces_.end();
}

bool NamePattern::user_is_open_ended() const {
  for (size_t i = 0; i + 1 < pieces_.size(); ++i) {
    if (pieces_[i].kind != PieceKind::kUser) continue;
    const Piece& next = pieces_[i + 1];
    if (next.kind != PieceKind::kLiteral || MayBeInUserName(next.literal.front())) return true;
  }
  return false;
}

}  // namespace proxyd
