// SPDX-License-Identifier: Apache-2.0
//
// NamePattern: the pattern of a name in a rule: `team-a-*`, `{uid}-*`. It matches the whole name.
// `*` matches any run of characters except `/`; a backslash before `*` or a backslash makes it
// match itself. `{uid}`, `{gid}` and `{user}` stand for the values of the peer, whose characters
// never act as a pattern. Pure; any thread.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "ttrpc/status.h"

namespace proxyd {

// The values of the placeholders. `user` is empty if the peer's uid has no name, or none is known.
struct NameSubject {
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  std::string_view user = {};
};

// kUnknown: the pattern has a placeholder that has no value for this peer.
enum class NameMatch { kYes, kNo, kUnknown };

class NamePattern {
 public:
  enum class PieceKind { kLiteral, kAny, kUid, kGid, kUser };

  // INVALID_ARGUMENT if the text is empty, or has a `{` or `}` that belongs to no placeholder, or a
  // backslash before another character than `*` and `\\`. The message says what was expected.
  static ttrpc::Result<NamePattern> Parse(std::string_view text);

  // Allocates nothing.
  NameMatch Match(std::string_view name, const NameSubject& subject) const;

  const std::string& text() const { return text_; }  // the text that was parsed
  bool needs_user() const;
  // Whether it has a placeholder, so that peers with different ids may match different names.
  bool has_placeholder() const;
  // Whether `{user}` is followed by a character that a user's name may contain, or by `*`: the
  // pattern for one user then also matches names that belong to another one.
  bool user_is_open_ended() const;
  // Whether `{uid}` or `{gid}` is beside a `*`: the pattern for 100 then also matches names that
  // belong to 1000 or to 2100.
  bool number_is_open_ended() const;

  friend bool operator==(const NamePattern& a, const NamePattern& b) { return a.text_ == b.text_; }

 private:
  struct Piece {
    PieceKind kind;
    std::string literal;  // kLiteral only; not empty
  };

  void AddLiteral(char c);

  std::string text_;
  std::vector<Piece> pieces_;
};

}  // namespace proxyd
