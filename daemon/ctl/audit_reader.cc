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

// How each line of ours begins, with a digit for `0`.
constexpr std::string_view kStart = R"({"time":"0000-00-00T00:00:00.000000Z","event":")";
// Ours in a journal, or in syslog's file: `Jan 31 23:59:59 host ttrpc-proxyd[123]: `.
constexpr std::string_view kProgram = "ttrpc-proxyd";

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Whether all of kStart that `text` is long enough for stands at its front. A line may be cut.
bool BeginsAsOurs(std::string_view text) {
  const size_t size = std::min(text.size(), kStart.size());
  for (size_t i = 0; i < size; ++i) {
    if (kStart[i] == '0' ? !IsDigit(text[i]) : text[i] != kStart[i]) return false;
  }
  return true;
}

// What stands before the object: nothing, or what a log puts before the lines of our program.
bool IsOurPrefix(std::string_view prefix) {
  if (prefix.empty()) return true;
  // The first one: the rest is what the program said, and that may be what somebody else chose.
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

// The daemon's word for its admin service, whose calls no rule decides.
constexpr std::string_view kAdmin = "[admin]";

bool IsEvent(std::string_view event) {
  return event == "connect" || event == "refuse" || event == "call" || event == "deny" ||
         event == "disconnect";
}

}  // namespace

void AuditReader::ReadLine(std::string_view line) {
  ++lines_;
  // The first: what another program wrote may have an object of ours in it.
  const size_t begin = line.find("{\"time\":\"");
  if (begin == std::string_view::npos || !IsOurPrefix(line.substr(0, begin)) ||
      !BeginsAsOurs(line.substr(begin))) {
    ++skipped_;
    return;
  }
  const json object = json::parse(line.substr(begin), nullptr, false);
  if (!object.is_object()) return Error("is cut, or was changed: it is no JSON");
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
  // What a rule on trial would have denied went on to the next rule, which has a line of its own.
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
    return Error("has no listener, uid, kind or backend, as a call has");
  }
  if (!ParseMethodName("/" + call.service + "/" + call.method)) {
    return Error("has no service and method that a call may have");
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
    errors_.push_back("line " + std::to_string(lines_) + ": " + what);
  }
}

}  // namespace proxyd::ctl
