// SPDX-License-Identifier: Apache-2.0
#include "admin_server.h"

#include <event2/event.h>
#include <google/protobuf/dynamic_message.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "admin/admin.ttrpc.h"
#include "ctl/admin_types.h"
#include "ttrpc/event_loop.h"
#include "ttrpc/handshaker.h"
#include "ttrpc/server.h"

namespace proxyd::ctl {
namespace {

using ttrpc::Context;
using ttrpc::Result;
using ttrpc::Status;
using ttrpc::Task;

// CallList records calls on the server's thread and returns them on the test's.
class CallList {
 public:
  void Add(std::string call) {
    const std::lock_guard lock(mutex_);
    calls_.push_back(std::move(call));
    changed_.notify_all();
  }
  std::vector<std::string> Get() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  void WaitFor(size_t count) const {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60),
                                  [this, count] { return calls_.size() >= count; }));
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<std::string> calls_;
};

class ScriptedAdmin final : public v1::Admin {
 public:
  ScriptedAdmin(AdminScript script, CallList* calls) : script_(std::move(script)), calls_(calls) {}

  Task<Result<v1::GetStatusReply>> GetStatus(Context& context,
                                             const v1::GetStatusRequest& request) override {
    return Answer(context, "GetStatus", request, script_.status);
  }
  Task<Result<v1::ListPeersReply>> ListPeers(Context& context,
                                             const v1::ListPeersRequest& request) override {
    return Answer(context, "ListPeers", request, script_.peers);
  }
  Task<Result<v1::ListCallsReply>> ListCalls(Context& context,
                                             const v1::ListCallsRequest& request) override {
    return Answer(context, "ListCalls", request, script_.calls);
  }
  Task<Result<v1::ListRulesReply>> ListRules(Context& context,
                                             const v1::ListRulesRequest& request) override {
    return Answer(context, "ListRules", request, script_.rules);
  }
  Task<Result<v1::ListUsersReply>> ListUsers(Context& context,
                                             const v1::ListUsersRequest& request) override {
    return Answer(context, "ListUsers", request, script_.users);
  }
  Task<Result<v1::ListBackendsReply>> ListBackends(
      Context& context, const v1::ListBackendsRequest& request) override {
    return Answer(context, "ListBackends", request, script_.backends);
  }
  Task<Result<v1::ListWorkloadsReply>> ListWorkloads(
      Context& context, const v1::ListWorkloadsRequest& request) override {
    return Answer(context, "ListWorkloads", request, script_.workloads);
  }
  Task<Result<v1::ReloadReply>> Reload(Context& context,
                                       const v1::ReloadRequest& request) override {
    return Answer(context, "Reload", request, script_.reload);
  }
  Task<Result<v1::DrainReply>> Drain(Context& context, const v1::DrainRequest& request) override {
    return Answer(context, "Drain", request, v1::DrainReply());
  }
  Task<Result<v1::SetLogLevelReply>> SetLogLevel(Context& context,
                                                 const v1::SetLogLevelRequest& request) override {
    return Answer(context, "SetLogLevel", request, script_.log_level);
  }
  Task<Result<v1::ExplainReply>> Explain(Context& context,
                                         const v1::ExplainRequest& request) override {
    return Answer(context, "Explain", request, script_.explain);
  }
  Task<Result<v1::ClosePeerReply>> ClosePeer(Context& context,
                                             const v1::ClosePeerRequest& request) override {
    return Answer(context, "ClosePeer", request, v1::ClosePeerReply());
  }

  Task<Status> GetMetrics(Context&, const v1::GetMetricsRequest& request,
                          ttrpc::SendStream<v1::MetricsPart>& replies) override {
    Note("GetMetrics", request);
    for (const std::string& text : script_.metrics) {
      v1::MetricsPart part;
      part.set_text(text);
      if (Status sent = co_await replies.Send(part); !sent.ok()) co_return sent;
    }
    const auto found = script_.failures.find("GetMetrics");
    co_return found == script_.failures.end() ? Status() : found->second;
  }

  Task<Status> Tap(Context& context, const v1::TapRequest& request,
                   ttrpc::SendStream<v1::TapEvent>& replies) override {
    Note("Tap", request);
    if (const auto found = script_.failures.find("Tap"); found != script_.failures.end()) {
      co_return found->second;
    }
    for (const v1::TapEvent& event : script_.events) {
      if (Status sent = co_await replies.Send(event); !sent.ok()) co_return sent;
    }
    if (script_.tap_ends) co_return *script_.tap_ends;
    co_await context.Cancelled();
    co_return context.status();
  }

 private:
  void Note(const std::string& method, const google::protobuf::MessageLite& request) {
    const auto* type = AdminTypes().FindMessageTypeByName(request.GetTypeName());
    const std::unique_ptr<google::protobuf::Message> described(types_.GetPrototype(type)->New());
    EXPECT_TRUE(described->ParseFromString(request.SerializeAsString()));
    std::string words = described->ShortDebugString();
    calls_->Add(words.empty() ? method : method + " " + words);
  }

  template <typename Reply>
  Task<Result<Reply>> Answer(Context& context, std::string method,
                             const google::protobuf::MessageLite& request, Reply reply) {
    Note(method, request);
    if (script_.hangs) {
      co_await context.Cancelled();
      co_return context.status();
    }
    const auto found = script_.failures.find(method);
    if (found != script_.failures.end()) co_return found->second;
    co_return std::move(reply);
  }

  google::protobuf::DynamicMessageFactory types_;
  const AdminScript script_;
  CallList* calls_;
};

}  // namespace

class AdminServer::Thread {
 public:
  Thread(const std::string& path, AdminScript script)
      : stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    std::promise<Status> listening;
    std::future<Status> result = listening.get_future();
    thread_ = std::thread(
        [this, path, &script, &listening] { Serve(path, std::move(script), &listening); });
    EXPECT_EQ(result.get(), Status());
  }
  ~Thread() {
    EXPECT_EQ(::eventfd_write(stop_.get(), 1), 0);
    thread_.join();
  }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  const CallList& calls() const { return calls_; }

 private:
  void Serve(const std::string& path, AdminScript script, std::promise<Status>* listening) {
    ttrpc::EventLoop loop;
    ttrpc::ServerOptions options;
    if (script.lets_nobody_in) {
      options.handshaker = ttrpc::RequireUnixCredentials([](const ttrpc::UnixCredentials&) {
        return Status(ttrpc::StatusCode::kPermissionDenied, "nobody");
      });
    }
    ScriptedAdmin admin(std::move(script), &calls_);
    ttrpc::Server server(loop.io(), std::move(options));
    const ttrpc::EventPtr stop(::event_new(
        loop.base(), stop_.get(), EV_READ,
        [](evutil_socket_t, short, void* l) { static_cast<ttrpc::EventLoop*>(l)->Stop(); }, &loop));
    ::event_add(stop.get(), nullptr);
    Status status = v1::RegisterAdmin(server, admin);
    if (status.ok()) status = server.Listen(*ttrpc::Address::Parse("unix://" + path));
    listening->set_value(std::move(status));
    loop.RunForever();
  }

  ttrpc::UniqueFd stop_;
  CallList calls_;
  std::thread thread_;
};

AdminServer::AdminServer(const std::string& socket_path, AdminScript script)
    : thread_(std::make_unique<Thread>(socket_path, std::move(script))) {}
AdminServer::~AdminServer() = default;

std::vector<std::string> AdminServer::calls() const { return thread_->calls().Get(); }
void AdminServer::WaitForCalls(size_t count) const { thread_->calls().WaitFor(count); }

}  // namespace proxyd::ctl
