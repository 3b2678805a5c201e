// SPDX-License-Identifier: Apache-2.0
//
// The parts of a SocketTemplate, the path of a socket for each workload. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "config/config.h"

namespace proxyd {

// The placeholders that a template may have, each at most once and in a component of its own.
inline constexpr std::string_view kNamespacePlaceholder = "{namespace}";
inline constexpr std::string_view kIdPlaceholder = "{id}";
inline constexpr std::string_view kNamePlaceholder = "{name}";

// Returns the front base: the directory before the first component with a placeholder. It has no
// slash at the end. It belongs to one listener of one daemon alone, and no other socket of the
// daemon is in it.
std::string FrontBaseOf(const SocketTemplate& front);

// Returns the path with `name_space` in the place of {namespace}, and `id` in that of {id} or
// {name}. The caller has checked that both can be a file name.
std::string PathOf(const SocketTemplate& front, std::string_view name_space, std::string_view id);

}  // namespace proxyd
