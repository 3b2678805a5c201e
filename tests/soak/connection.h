// SPDX-License-Identifier: Apache-2.0
//
// Connection: one connection of a client to the daemon, from connect(2) to its end, with its calls.
// Most connections read at once; by their roles some read late, stop for a while, or leave with
// calls in flight. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <unordered_map>

#include "bench/socket_io.h"
#include "soak/board.h"
#include "soak/client.h"
#include "soak/content.h"
#include "soak/judge.h"
#include "ttrpc/unique_fd.h"

namespace soak {

enum class Role {
  kPlain,
  kBulky,   // makes large calls as well
  kSlow,    // reads a little now and then
  kSilent,  // stops reading for seconds
  kGreedy,  // exceeds the limit of calls in flight
  kLeaver,  // leaves soon, with calls in flight
  kProber,  // makes one probe after the other
};

// State that the connections of one client share. It outlives them.
struct ClientContext {
  const ClientOptions& options;
  Board& board;
  UserBoard& own;
  const Content& content;
  std::mt19937_64& random;
  int epoll = -1;
  int complaints = 0;  // how many were printed
};

class Connection {
 public:
  // Connects. `tag` marks its events; ConnectionOf() of its tokens is `serial`.
  Connection(ClientContext& context, Role role, uint64_t tag, uint32_t serial);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void OnEvents(uint32_t events);
  // Does what is due: starts calls, sends parts of streams, and finds lost calls.
  void Tick(uint64_t now);
  // Starts no new calls, and closes after the last one.
  void Finish();

  bool ended() const { return !fd_; }

 private:
  bool reads_late() const { return role_ == Role::kSlow || role_ == Role::kSilent; }
  uint64_t Random(uint64_t below) { return context_.random() % below; }
  void StartCalls(uint64_t now);
  void StartCall(uint64_t now);
  Ask MakeAsk(Kind kind);
  Kind ChooseKind();
  void SendRequest(uint32_t id, ClientCall& call);
  void SendParts(uint32_t id, ClientCall& call);
  void OnMessage(const bench::Message& message, uint64_t now);
  void OnResponse(uint32_t id, const bench::Reply& reply, uint64_t now);
  void OnData(uint32_t id, ClientCall& call, const bench::Message& message);
  void End(uint32_t id, Outcome outcome);
  void Complain(uint64_t token, const std::string& what);
  void PlayRole(uint64_t now);
  void Flush();
  void Watch();
  void Leave();
  void EndedByOthers();

  ClientContext& context_;
  Role role_;
  uint64_t tag_;
  uint32_t serial_;
  ttrpc::UniqueFd fd_;
  bench::InBuffer in_;
  bench::OutBuffer out_;
  bench::Interest interest_;
  std::unordered_map<uint32_t, ClientCall> calls_;
  // Calls that were answered while data for them was on its way. Each such message may be answered,
  // too.
  std::unordered_map<uint32_t, uint32_t> answers_to_data_;
  std::array<uint64_t, kBackends> first_used_{};  // 0 if not used yet
  uint32_t next_id_ = 1;
  uint32_t next_call_ = 1;
  uint64_t next_start_;
  uint64_t leave_at_;
  uint64_t unread_until_ = 0;  // 0 while it reads
  bool was_silent_ = false;
  bool finishing_ = false;
  int last_probe_ = -1;  // an Outcome
};

}  // namespace soak
