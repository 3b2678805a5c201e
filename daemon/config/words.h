// SPDX-License-Identifier: Apache-2.0
//
// The words of the configuration for the values of each enum, for reading and for printing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"

namespace proxyd {

template <typename E>
struct Word {
  std::string_view word;
  E value;
};

inline constexpr Word<LogLevel> kLogLevelWords[] = {
    {"trace", LogLevel::kTrace}, {"debug", LogLevel::kDebug}, {"info", LogLevel::kInfo},
    {"warn", LogLevel::kWarn},   {"error", LogLevel::kError},
};
inline constexpr Word<LogFormat> kLogFormatWords[] = {
    {"text", LogFormat::kText},
    {"json", LogFormat::kJson},
};
inline constexpr Word<AuditCalls> kAuditCallsWords[] = {
    {"none", AuditCalls::kNone},
    {"denied", AuditCalls::kDenied},
    {"all", AuditCalls::kAll},
};
inline constexpr Word<AuditConfig::OnError> kAuditOnErrorWords[] = {
    {"drop", AuditConfig::OnError::kDrop},
    {"refuse-calls", AuditConfig::OnError::kRefuseCalls},
};
inline constexpr Word<UnknownFields> kUnknownFieldsWords[] = {
    {"refuse", UnknownFields::kRefuse},
    {"drop", UnknownFields::kDrop},
};
inline constexpr Word<DiscoverySource> kDiscoverWords[] = {
    {"containerd", DiscoverySource::kContainerd},
    {"kata", DiscoverySource::kKata},
    {"directory", DiscoverySource::kDirectory},
};
inline constexpr Word<BackendConfig::Connections> kConnectionsWords[] = {
    {"per-peer", BackendConfig::Connections::kPerPeer},
    {"per-user", BackendConfig::Connections::kPerUser},
};

inline constexpr Word<BackendConfig::OnDisconnect> kOnDisconnectWords[] = {
    {"close-peers", BackendConfig::OnDisconnect::kClosePeers},
    {"fail-calls", BackendConfig::OnDisconnect::kFailCalls},
};
inline constexpr Word<BackendConfig::Balance> kBalanceWords[] = {
    {"first-available", BackendConfig::Balance::kFirstAvailable},
    {"round-robin", BackendConfig::Balance::kRoundRobin},
};
inline constexpr Word<RuleConfig::Action> kActionWords[] = {
    {"allow", RuleConfig::Action::kAllow},
    {"deny", RuleConfig::Action::kDeny},
};

template <typename E, size_t N>
constexpr std::optional<E> FindWord(const Word<E> (&words)[N], std::string_view wanted) {
  for (const Word<E>& word : words) {
    if (word.word == wanted) return word.value;
  }
  return std::nullopt;
}

template <typename E, size_t N>
constexpr std::string_view WordOf(const Word<E> (&words)[N], E value) {
  for (const Word<E>& word : words) {
    if (word.value == value) return word.word;
  }
  return {};
}

template <typename E, size_t N>
std::vector<std::string> ListOf(const Word<E> (&words)[N]) {
  std::vector<std::string> list;
  for (const Word<E>& word : words) list.emplace_back(word.word);
  return list;
}

// Returns `a, b or c`.
inline std::string Enumerate(const std::vector<std::string>& alternatives) {
  std::string text;
  for (size_t i = 0; i < alternatives.size(); ++i) {
    if (i > 0) text += i + 1 == alternatives.size() ? " or " : ", ";
    text += alternatives[i];
  }
  return text;
}

}  // namespace proxyd
