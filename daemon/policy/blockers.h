// SPDX-License-Identifier: Apache-2.0
//
// BlockerIndex: finds a rule that takes every call which a later rule could match, without
// comparing all pairs of rules. The rules are filed by listeners, users, groups and methods. A
// search reads the shortest of the files that must contain a blocker. Pure; one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "policy/match.h"

namespace proxyd {

class BlockerIndex {
 public:
  // `config` must outlive it.
  BlockerIndex(const Config& config, OverflowIds overflow);

  // Returns the index of the first rule before `rule` that takes every call to `method` on
  // `listener` which `rule` would match.
  std::optional<size_t> Find(size_t rule, size_t listener, const MethodPattern& method);

  // The number of comparisons of two rules so far.
  size_t compared() const { return compared_; }

 private:
  // Rules by key. Keys may collide, so each rule that is found must be compared.
  class File {
   public:
    void Add(uint64_t key, size_t rule) { entries_.emplace_back(key, rule); }
    void Sort();
    using Entries = std::span<const std::pair<uint64_t, uint32_t>>;
    // Returns the entries with `key` for rules before `rule`, in ascending order.
    Entries Find(uint64_t key, size_t rule) const;

   private:
    std::vector<std::pair<uint64_t, uint32_t>> entries_;
  };

  // Rules by the ids that they match. The keys are aligned blocks of 2^n ids, and a rule is filed
  // under each block that its ids touch.
  class IdFile {
   public:
    void Add(const IdSet* ids, size_t rule);
    void Sort() { file_.Sort(); }
    void Find(uint32_t id, size_t rule, std::vector<File::Entries>* out) const;

   private:
    void AddBlocks(const IdRange& range, size_t rule);

    File file_;
    uint64_t sizes_in_use_ = 0;
  };

  // Rules by pattern. The key is the text before the first `*`, or after the last one, or all of
  // it.
  class TextFile {
   public:
    void Add(std::string_view pattern, size_t rule);
    void Sort() { file_.Sort(); }
    void Find(std::string_view pattern, size_t rule, std::vector<File::Entries>* out) const;

   private:
    File file_;
    std::set<size_t> prefix_lengths_;
    std::set<size_t> suffix_lengths_;
  };

  struct Who {
    IdRanges users;
    IdRanges groups;
  };

  void Add(size_t rule);
  void Add(const MethodPattern& pattern, size_t rule);
  // Returns the shortest list of entries that contains all blockers.
  std::vector<File::Entries> Candidates(size_t rule, size_t listener,
                                        const MethodPattern& method) const;
  bool Blocks(size_t earlier, size_t rule, const MethodPattern& method);

  const Config& config_;
  std::vector<Who> who_;  // by rule
  File listeners_;
  IdFile users_;
  IdFile groups_;
  TextFile full_names_;  // `SERVICE/METHOD`
  TextFile services_;
  TextFile methods_;
  size_t compared_ = 0;
};

}  // namespace proxyd
