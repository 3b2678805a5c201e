// SPDX-License-Identifier: Apache-2.0
#include "proxy/daemon_info.h"

#include <sha2.h>
#include <spdlog/fmt/fmt.h>

#include <array>

#include "config/load.h"

namespace proxyd {

std::string DigestOf(const Config& config) {
  const std::string text = PrintConfig(config);
  std::array<char, SHA256_DIGEST_STRING_LENGTH> digest{};
  SHA256Data(reinterpret_cast<const uint8_t*>(text.data()), text.size(), digest.data());
  return digest.data();
}

std::string SummaryOf(const Config& config) {
  return fmt::format("{} listeners, {} rules, {} backends", config.listeners.size(),
                     config.rules.size(), config.backends.size());
}

}  // namespace proxyd
