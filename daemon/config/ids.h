// SPDX-License-Identifier: Apache-2.0
//
// Users and groups as the configuration writes them: names, numbers, ranges, "*". Pure but for the
// NameResolver; one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/readers.h"
#include "config/table_reader.h"

namespace proxyd {

// -1 is no id: system calls take it for "leave as it is", and the kernel shows it for "unknown".
inline constexpr uint32_t kMaxId = 0xfffffffeU;

enum class IdKind { kUser, kGroup };

// `owner` and `group`: a string, a name or a number. Nothing where it is not there or is wrong.
std::optional<uint32_t> ReadId(std::string_view key, IdKind kind, TableReader* in,
                               ReadScope* scope);

// `users` of a backend: names and numbers, sorted, each once. Empty where it is not there or is
// wrong.
std::vector<uint32_t> ReadIdList(std::string_view key, IdKind kind, TableReader* in,
                                 ReadScope* scope);

// `users` and `groups` of a rule: all of it, sorted, each once. Nothing where it is not there;
// where it is wrong, what could be read.
std::optional<IdSet> ReadIdSet(std::string_view key, IdKind kind, TableReader* in,
                               ReadScope* scope);

}  // namespace proxyd
