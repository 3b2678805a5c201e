// SPDX-License-Identifier: Apache-2.0
#include "soak/judge.h"

#include <string_view>

namespace soak {

namespace {

constexpr uint64_t kDeadlineExceeded = 4;
constexpr uint64_t kPermissionDenied = 7;
constexpr uint64_t kResourceExhausted = 8;
constexpr uint64_t kAborted = 10;
constexpr uint64_t kUnavailable = 14;

// An event loop may measure time from its last wake-up, and so end early by this much.
constexpr uint64_t kEarly = 100;  // milliseconds

Judgement Wrong(const std::string& why) { return {.outcome = Outcome::kWrong, .why = why}; }

bool JudgeOk(const Content& content, const ClientCall& call, std::string_view payload) {
  const Ask& ask = call.ask;
  const bool collects = ask.kind == Kind::kClientStream;
  if (ask.kind == Kind::kFailing || ask.kind == Kind::kServerStream ||
      ask.kind == Kind::kBidirectional || (collects && !call.closed)) {
    return false;
  }
  const Part part = {.token = ask.token, .number = collects ? ask.parts : 0, .from_backend = 1};
  return content.Is(payload, part, ask.reply_size);
}

}  // namespace

bool InTrouble(const Board& board, const ClientCall& call) {
  const BackendBoard& backend = board.backends[static_cast<size_t>(call.backend)];
  const uint64_t token = call.ask.token;
  const bool shared = call.backend == BackendKind::kShared;
  const uint64_t cut = backend.cut_at[UserOf(token)][shared ? 0 : ConnectionOf(token)];
  return backend.down || backend.up_at + kGrace > call.exposed_from ||
         (cut != 0 && cut + kGrace > call.exposed_from);
}

Judgement Judge(const Content& content, const ClientCall& call, const bench::Reply& reply,
                const Circumstances& circumstances) {
  const std::string_view text = reply.status_message;
  const std::string shown = "status " + std::to_string(reply.code) + ": " + std::string(text);
  const uint64_t elapsed = circumstances.now - call.sent_at;
  switch (reply.code) {
    case 0:
      if (JudgeOk(content, call, reply.payload)) return {.outcome = Outcome::kOk, .why = {}};
      return Wrong("not the reply to this call");
    case kAborted:
      if (call.ask.kind == Kind::kFailing && text == Content::StatusText(call.ask.token))
        return {.outcome = Outcome::kStatus, .why = {}};
      return Wrong(shown);
    case kDeadlineExceeded:
      if (call.timeout != 0 && elapsed + kEarly >= call.timeout)
        return {.outcome = Outcome::kDeadline, .why = {}};
      return Wrong(shown + ", after " + std::to_string(elapsed) + " ms of " +
                   std::to_string(call.timeout));
    case kPermissionDenied: {
      const uint32_t uid = kFirstUid + UserOf(call.ask.token);
      if (call.ask.kind == Kind::kProbe &&
          text == "uid " + std::to_string(uid) + " may not call /" +
                      kServices[static_cast<size_t>(call.backend)] + "/Probe") {
        return {.outcome = Outcome::kDenied, .why = {}};
      }
      return Wrong(shown);
    }
    case kResourceExhausted:
      if (call.above_limit && text.find("calls_per_connection") != text.npos)
        return {.outcome = Outcome::kExhausted, .why = {}};
      return Wrong(shown);
    case kUnavailable: {
      const std::string named =
          std::string("backend \"") + kBackendNames[static_cast<size_t>(call.backend)] + "\" ";
      if (circumstances.backend_in_trouble && text.substr(0, named.size()) == named)
        return {.outcome = Outcome::kUnavailable, .why = {}};
      return Wrong(shown);
    }
    default:
      return Wrong(shown);
  }
}

}  // namespace soak
