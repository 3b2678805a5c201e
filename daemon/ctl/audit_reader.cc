// SPDX-License-Identifier: Apache-2.0
#include "ctl/audit_reader.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "config/ids.h"
#include "config/rpc_names.h"

namespace proxyd::ctl {
namespace {

using nlohmann::json;

// kStart is how each audit line begins. A `0` stands for any digit.
constexpr std::string_view kStart = R"({"time":"0000-00-00T00:00:00.000000Z","event":")";
// kProgram is our name in a log prefix, such as `Jan 31 23:59:59 host ttrpc-proxyd[123]: `.
constexpr std::string_view kProgram = "ttrpc-proxyd";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Compares as much of kStart as `text` has room for, since the line may be truncated.
bool BeginsAsOurs(std::string_view text) {
  const size_t size = std::min(text.size(), kStart.size());
  for (size_t i = 0; i < size; ++i) {
    if (kStart[i] == '0' ? !IsDigit(text[i]) : text[i] != kStart[i]) return false;
  }
  return true;
}

// Whether the text before the JSON object is empty or the log prefix of our program.
bool IsOurPrefix(std::string_view prefix) {
  if (prefix.empty()) return true;
  // The first ": " ends the prefix. An attacker may have chosen the text after it.
  const size_t end = prefix.find(": ");
  if (end == std::string_view::npos || end + 2 != prefix.size()) return false;
  prefix.remove_suffix(2);
  if (prefix.ends_with(']')) {
    prefix.remove_suffix(1);
    const size_t digits = prefix.size() - (prefix.find_last_not_of("0123456789") + 1);
    prefix.remove_suffix(digits);
    if (digits == 0 || !prefix.ends_with('[')) return false;
    prefix.remove_suffix(1);
  }
  if (!prefix.ends_with(kProgram)) return false;
  prefix.remove_suffix(kProgram.size());
  return prefix.empty() || prefix.ends_with(' ');
}

std::string TextAt(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::optional<uint64_t> NumberAt(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_unsigned()) return std::nullopt;
  return found->get<uint64_t>();
}

std::optional<bool> FlagAt(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_boolean()) return std::nullopt;
  return found->get<bool>();
}

// kAdmin is the listener name of the admin service. No rule decides calls on it.
constexpr std::string_view kAdmin = "[admin]";

bool IsEvent(std::string_view event) {
  return event == "connect" || event == "refuse" || event == "call" || event == "deny" ||
         event == "disconnect";
}

}  // namespace

void AuditReader::ReadLine(std::string_view line) {
  ++lines_;
  // Only the first match counts: a line of another program may contain one of our objects.
  const size_t begin = line.find("{\"time\":\"");
  if (begin == std::string_view::npos || !IsOurPrefix(line.substr(0, begin)) ||
      !BeginsAsOurs(line.substr(begin))) {
    ++skipped_;
    return;
  }
  const json object = json::parse(line.substr(begin), nullptr, false);
  if (!object.is_object())
    return Error("the line is not valid JSON; it was truncated or changed, and is skipped");
  AuditFacts facts = {.event = TextAt(object, "event"),
                      .listener = TextAt(object, "listener"),
                      .uid = NumberAt(object, "uid"),
                      .service = TextAt(object, "service"),
                      .method = TextAt(object, "method"),
                      .kind = TextAt(object, "kind"),
                      .backend = TextAt(object, "backend"),
                      .rule = TextAt(object, "rule"),
                      .enforced = FlagAt(object, "enforced")};
  if (!IsEvent(facts.event)) {
    ++skipped_;
    return;
  }
  if (const auto suppressed = NumberAt(object, "suppressed")) return TakeSuppressed(*suppressed);
  Take(facts);
}

void AuditReader::Take(const AuditFacts& facts) {
  if (facts.listener == kAdmin && !facts.enforced) return;
  const bool allowed = facts.event == "call";
  const bool enforced = facts.enforced.value_or(true);
  // A denial with enforced = false decided nothing: the next rule that matched has its own line.
  if (!allowed && (facts.event != "deny" || !enforced)) return;
  if (!allowed && !denied_backend_) {
    ++denied_;
    return;
  }
  SeenCall call = {.listener = facts.listener,
                   .uid = static_cast<uid_t>(facts.uid.value_or(UINT32_MAX)),
                   .service = facts.service,
                   .method = facts.method,
                   .backend = allowed ? facts.backend : *denied_backend_,
                   .streams = facts.kind == "stream"};
  if (call.listener.empty() || call.backend.empty() || !facts.uid || *facts.uid > kMaxId ||
      (facts.kind != "unary" && facts.kind != "stream")) {
    return Error("the listener, uid, kind or backend is missing or invalid; the line is skipped");
  }
  if (!ParseMethodName("/" + call.service + "/" + call.method)) {
    return Error("the service or method is missing or invalid; the line is skipped");
  }
  SeenCount& count = calls_[std::move(call)];
  if (allowed) {
    ++(enforced ? count.allowed : count.asked);
    return;
  }
  ++count.denied;
  if (!facts.rule.empty()) count.denied_by.insert(facts.rule);
}

void AuditReader::Error(const std::string& what) {
  ++failed_;
  if (errors_.size() < kMostErrors) {
    errors_.push_back(std::to_string(lines_) + ": error: " + what);
  }
}

}  // namespace proxyd::ctl
