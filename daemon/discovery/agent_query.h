// SPDX-License-Identifier: Apache-2.0
//
// AgentQuery: asks a Kata shim for the address of its agent, over shim-monitor.sock in the
// directory of the sandbox. It never waits, and ends at its deadline. The shim must be root's, or
// this process's user's. On the follower's thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "discovery/agent_answer.h"
#include "discovery/source.h"
#include "ttrpc/address.h"
#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

inline constexpr const char* kShimMonitor = "shim-monitor.sock";

class AgentQuery {
 public:
  static constexpr std::chrono::seconds kPatience{2};

  // `directory` is the sandbox's own.
  AgentQuery(ttrpc::UniqueFd directory, PollSet::TimePoint now)
      : directory_(std::move(directory)), deadline_(now + kPatience), next_(now) {}

  void Prepare(PollSet* set) const;
  // Continues the query. At its end, returns the agent's address, or a sentence that says what is
  // wrong. Must not be called after that.
  std::optional<ttrpc::Result<ttrpc::Address>> Advance(PollSet::TimePoint now);

 private:
  ttrpc::Status Connect(PollSet::TimePoint now);
  ttrpc::Status Send();
  ttrpc::Status Receive();

  ttrpc::UniqueFd directory_;
  const PollSet::TimePoint deadline_;
  PollSet::TimePoint next_;  // when to connect again, while there is no socket
  ttrpc::UniqueFd socket_;   // connected
  size_t sent_ = 0;
  AgentAnswer answer_;
};

}  // namespace proxyd
