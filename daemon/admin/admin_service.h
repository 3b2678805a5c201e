// SPDX-License-Identifier: Apache-2.0
//
// AdminService: implements admin.proto. AdminServer has admitted each caller. It runs on the loop's
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "admin/admin.ttrpc.h"
#include "admin/tap_queue.h"
#include "config/config.h"
#include "observe/sliced_text.h"
#include "proxy/daemon_info.h"
#include "ttrpc/io_loop.h"

namespace proxyd {

struct ReloadOutcome {
  // Each error is one line, as in the log. If there is none, the configuration was applied.
  std::vector<std::string> errors;
  std::vector<std::string> warnings;  // lines as printed by --check
};

// AdminActions are what the service can make the daemon do.
class AdminActions {
 public:
  // Starts a reload; AdminService::Reloaded() is called at its end. Must not be called while the
  // daemon is draining.
  virtual void Reload() = 0;
  // `asker` names the caller in the log.
  virtual void Drain(const std::string& asker) = 0;
  // Returns the text that GetMetrics() sends.
  virtual std::unique_ptr<SlicedText> Metrics() = 0;

 protected:
  ~AdminActions() = default;
};

class AdminService final : public ttrpc::proxy::v1::Admin {
 public:
  // The name of the admin service where an audit line or a tap event names a listener. The brackets
  // keep it apart from names in a configuration.
  static constexpr std::string_view kLabel = "[admin]";

  // All arguments must outlive this object.
  AdminService(ttrpc::IoLoop& loop, DaemonInfo& info, AdminActions& actions)
      : loop_(loop), info_(info), actions_(actions) {}

  // Call it at the end of every reload, also of one that another caller or a signal began.
  void Reloaded(const ReloadOutcome& outcome);
  // Ends the taps of callers for which `allowed` returns false.
  void EndTaps(const std::function<bool(const ttrpc::UnixCredentials&)>& allowed);

 private:
  template <typename Reply>
  using Task = ttrpc::Task<ttrpc::Result<Reply>>;

  Task<ttrpc::proxy::v1::GetStatusReply> GetStatus(
      ttrpc::Context& context, const ttrpc::proxy::v1::GetStatusRequest& request) override;
  Task<ttrpc::proxy::v1::ListPeersReply> ListPeers(
      ttrpc::Context& context, const ttrpc::proxy::v1::ListPeersRequest& request) override;
  Task<ttrpc::proxy::v1::ListCallsReply> ListCalls(
      ttrpc::Context& context, const ttrpc::proxy::v1::ListCallsRequest& request) override;
  Task<ttrpc::proxy::v1::ListRulesReply> ListRules(
      ttrpc::Context& context, const ttrpc::proxy::v1::ListRulesRequest& request) override;
  Task<ttrpc::proxy::v1::ListUsersReply> ListUsers(
      ttrpc::Context& context, const ttrpc::proxy::v1::ListUsersRequest& request) override;
  Task<ttrpc::proxy::v1::ListBackendsReply> ListBackends(
      ttrpc::Context& context, const ttrpc::proxy::v1::ListBackendsRequest& request) override;
  Task<ttrpc::proxy::v1::ListWorkloadsReply> ListWorkloads(
      ttrpc::Context& context, const ttrpc::proxy::v1::ListWorkloadsRequest& request) override;
  ttrpc::Task<ttrpc::Status> GetMetrics(
      ttrpc::Context& context, const ttrpc::proxy::v1::GetMetricsRequest& request,
      ttrpc::SendStream<ttrpc::proxy::v1::MetricsPart>& replies) override;
  Task<ttrpc::proxy::v1::ReloadReply> Reload(
      ttrpc::Context& context, const ttrpc::proxy::v1::ReloadRequest& request) override;
  Task<ttrpc::proxy::v1::DrainReply> Drain(ttrpc::Context& context,
                                           const ttrpc::proxy::v1::DrainRequest& request) override;
  Task<ttrpc::proxy::v1::SetLogLevelReply> SetLogLevel(
      ttrpc::Context& context, const ttrpc::proxy::v1::SetLogLevelRequest& request) override;
  Task<ttrpc::proxy::v1::ExplainReply> Explain(
      ttrpc::Context& context, const ttrpc::proxy::v1::ExplainRequest& request) override;
  Task<ttrpc::proxy::v1::ClosePeerReply> ClosePeer(
      ttrpc::Context& context, const ttrpc::proxy::v1::ClosePeerRequest& request) override;
  ttrpc::Task<ttrpc::Status> Tap(ttrpc::Context& context,
                                 const ttrpc::proxy::v1::TapRequest& request,
                                 ttrpc::SendStream<ttrpc::proxy::v1::TapEvent>& replies) override;

  // NOT_FOUND: a filter names something that does not exist.
  ttrpc::Status CheckNames(const ttrpc::proxy::v1::TapRequest& request) const;

  class ReloadWait;

  ttrpc::IoLoop& loop_;
  DaemonInfo& info_;
  AdminActions& actions_;
  std::vector<ReloadWait*> reload_waits_;
  std::vector<TapQueue*> taps_;
};

}  // namespace proxyd
