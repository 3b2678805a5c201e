// SPDX-License-Identifier: Apache-2.0
//
// Serves services of several schemas on a socket, and calls them: calls unix:///tmp/calls.sock
// Prints a line for each failure. run.sh generates and compiles the schemas.
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>

#include "cri/api.ttrpc.h"
#include "grpc/health.ttrpc.h"
#include "hard.ttrpc.h"
#include "kata/agent.ttrpc.h"
#include "nri/api.ttrpc.h"
#include "services/introspection/v1/introspection.ttrpc.h"
#include "services/streaming/v1/streaming.ttrpc.h"
#include "services/ttrpc/events/v1/events.ttrpc.h"
#include "ttrpc/event_loop.h"

namespace {

using google::protobuf::Any;
using google::protobuf::Empty;
using ttrpc::Context;
using ttrpc::Result;
using ttrpc::Status;
using ttrpc::StatusCode;
using ttrpc::Task;

namespace events = containerd::services::events::ttrpc::v1;
namespace introspection = containerd::services::introspection::v1;
namespace streaming = containerd::services::streaming::v1;
namespace nri = ::nri::pkg::api::v1alpha1;
namespace cri = runtime::v1;
namespace health = grpc::health::v1;
namespace hard = test::hard;

class Events final : public events::Events {
 public:
  Task<Result<Empty>> Forward(Context&, const events::ForwardRequest& request) override {
    topic = request.envelope().topic();
    co_return Empty();
  }
  std::string topic;
};

class Streaming final : public streaming::Streaming {
 public:
  Task<Status> Stream(Context&, ::ttrpc::ReceiveStream<Any>& requests,
                      ::ttrpc::SendStream<Any>& replies) override {
    while (const std::optional<Any> request = co_await requests.Receive()) {
      Any reply = *request;
      reply.set_value(request->value() + "!");
      const Status status = co_await replies.Send(reply);
      if (!status.ok()) co_return status;
    }
    co_return requests.status();
  }
};

// The field is called `requires` in the schema.
class Introspection final : public introspection::Introspection {
 public:
  Task<Result<introspection::PluginsResponse>> Plugins(
      Context&, const introspection::PluginsRequest& request) override {
    introspection::PluginsResponse reply;
    reply.add_plugins()->add_requires_(request.filters(0));
    co_return reply;
  }
  Task<Result<introspection::ServerResponse>> Server(Context&, const Empty&) override {
    co_return Status(StatusCode::kUnavailable, "later");
  }
  Task<Result<introspection::PluginInfoResponse>> PluginInfo(
      Context&, const introspection::PluginInfoRequest& request) override {
    introspection::PluginInfoResponse reply;
    reply.mutable_plugin()->mutable_init_err()->set_message(request.id());
    co_return reply;
  }
};

// A plugin that only changes new containers.
class Plugin final : public nri::Plugin {
 public:
#define NOT_IMPLEMENTED(method, request, reply)                             \
  Task<Result<nri::reply>> method(Context&, const nri::request&) override { \
    co_return Status(StatusCode::kUnimplemented, #method);                  \
  }
#define NOT_IMPLEMENTED_LIKE_MOST(method) NOT_IMPLEMENTED(method, method##Request, method##Response)
  NOT_IMPLEMENTED_LIKE_MOST(Configure)
  NOT_IMPLEMENTED_LIKE_MOST(Synchronize)
  NOT_IMPLEMENTED(Shutdown, Empty, Empty)
  NOT_IMPLEMENTED_LIKE_MOST(RunPodSandbox)
  NOT_IMPLEMENTED_LIKE_MOST(UpdatePodSandbox)
  NOT_IMPLEMENTED_LIKE_MOST(PostUpdatePodSandbox)
  NOT_IMPLEMENTED_LIKE_MOST(StopPodSandbox)
  NOT_IMPLEMENTED_LIKE_MOST(RemovePodSandbox)
  NOT_IMPLEMENTED_LIKE_MOST(PostCreateContainer)
  NOT_IMPLEMENTED_LIKE_MOST(StartContainer)
  NOT_IMPLEMENTED_LIKE_MOST(PostStartContainer)
  NOT_IMPLEMENTED_LIKE_MOST(UpdateContainer)
  NOT_IMPLEMENTED_LIKE_MOST(PostUpdateContainer)
  NOT_IMPLEMENTED_LIKE_MOST(StopContainer)
  NOT_IMPLEMENTED_LIKE_MOST(RemoveContainer)
  NOT_IMPLEMENTED(StateChange, StateChangeEvent, Empty)
  NOT_IMPLEMENTED_LIKE_MOST(ValidateContainerAdjustment)
#undef NOT_IMPLEMENTED_LIKE_MOST
#undef NOT_IMPLEMENTED

  Task<Result<nri::CreateContainerResponse>> CreateContainer(
      Context&, const nri::CreateContainerRequest& request) override {
    if (!request.container().has_linux())
      co_return Status(StatusCode::kInvalidArgument, "not for Linux");
    nri::CreateContainerResponse reply;
    reply.mutable_adjust()->mutable_linux()->mutable_scheduler()->set_policy(nri::SCHED_BATCH);
    co_return reply;
  }
};

class Images final : public cri::ImageService {
 public:
  Task<Result<cri::ListImagesResponse>> ListImages(Context&,
                                                   const cri::ListImagesRequest&) override {
    co_return cri::ListImagesResponse();
  }
  Task<Status> StreamImages(Context&, const cri::StreamImagesRequest&,
                            ::ttrpc::SendStream<cri::StreamImagesResponse>& replies) override {
    cri::StreamImagesResponse reply;
    reply.add_images()->set_id("one");
    Status status = co_await replies.Send(reply);
    if (status.ok()) status = co_await replies.Send(reply);
    co_return status;
  }
  Task<Result<cri::ImageStatusResponse>> ImageStatus(Context&,
                                                     const cri::ImageStatusRequest&) override {
    co_return cri::ImageStatusResponse();
  }
  Task<Result<cri::PullImageResponse>> PullImage(Context&,
                                                 const cri::PullImageRequest& request) override {
    cri::PullImageResponse reply;
    reply.set_image_ref(request.sandbox_config().linux().cgroup_parent());
    co_return reply;
  }
  Task<Result<cri::RemoveImageResponse>> RemoveImage(Context&,
                                                     const cri::RemoveImageRequest&) override {
    co_return cri::RemoveImageResponse();
  }
  Task<Result<cri::ImageFsInfoResponse>> ImageFsInfo(Context&,
                                                     const cri::ImageFsInfoRequest&) override {
    co_return cri::ImageFsInfoResponse();
  }
};

class Agent final : public grpc::AgentService {
 public:
  Task<Result<Empty>> CreateContainer(Context&,
                                      const grpc::CreateContainerRequest& request) override {
    device = request.oci().linux().devices(0).path();
    co_return Empty();
  }
  Task<Result<grpc::ReadStreamResponse>> ReadStdout(
      Context&, const grpc::ReadStreamRequest& request) override {
    grpc::ReadStreamResponse reply;
    reply.set_data(std::string(request.len(), 'x'));
    co_return reply;
  }
  std::string device;
};

class Health final : public health::Health {
 public:
  Task<Result<health::HealthCheckResponse>> Check(Context&,
                                                  const health::HealthCheckRequest&) override {
    health::HealthCheckResponse reply;
    reply.set_status(health::HealthCheckResponse::SERVING);
    co_return reply;
  }
  Task<Status> Watch(Context&, const health::HealthCheckRequest&,
                     ::ttrpc::SendStream<health::HealthCheckResponse>&) override {
    co_return Status(StatusCode::kUnimplemented, "no watch");
  }
};

class Hard final : public hard::Names {
 public:
  Task<Result<hard::File>> EOF_(Context&, const hard::File& request) override {
    hard::File reply = request;
    reply.set_kind(hard::File::BUFSIZ);
    reply.set_family(hard::AF_INET);
    reply.set_result(hard::EOF);
    reply.set_alloca(request.alloca() + 1);
    co_return reply;
  }
};

class Calls {
 public:
  explicit Calls(const ::ttrpc::Address& address) : address_(address) {}

  // Returns the number of failures.
  int Run();

 private:
  template <typename R>
  void Expect(const char* what, const Result<R>& reply, bool as_expected) {
    if (reply && as_expected) return;
    ++failures_;
    std::printf("%s: %s\n", what, reply ? "another reply" : reply.error().ToString().c_str());
  }

  void CallContainerd(::ttrpc::Client& client);
  void CallNriAndCri(::ttrpc::Client& client);
  void CallOthers(::ttrpc::Client& client);

  const ::ttrpc::Address address_;
  ::ttrpc::EventLoop loop_;
  Events events_;
  Agent agent_;
  int failures_ = 0;
};

void Calls::CallContainerd(::ttrpc::Client& client) {
  Context context;
  context.set_timeout(std::chrono::seconds(30));
  events::EventsClient events(client);
  events::ForwardRequest event;
  event.mutable_envelope()->set_topic("/tasks/start");
  const auto forwarded = loop_.Run(events.Forward(context, event));
  Expect("Forward", forwarded, events_.topic == "/tasks/start");

  streaming::StreamingClient streams(client);
  auto stream = streams.Stream(context);
  Any message;
  message.set_value("hello");
  const Status sent = loop_.Run(stream.Send(message));
  const std::optional<Any> received = loop_.Run(stream.Receive());
  const Status finished = loop_.Run(stream.Finish());
  Expect("Stream", Result<bool>(true),
         sent.ok() && received && received->value() == "hello!" && finished.ok());

  introspection::IntrospectionClient plugins(client);
  introspection::PluginsRequest filters;
  filters.add_filters("a");
  const auto reply = loop_.Run(plugins.Plugins(context, filters));
  Expect("Plugins", reply, reply && reply->plugins(0).requires_(0) == "a");
}

void Calls::CallNriAndCri(::ttrpc::Client& client) {
  Context context;
  context.set_timeout(std::chrono::seconds(30));
  nri::PluginClient plugin(client);
  nri::CreateContainerRequest create;
  create.mutable_container()->mutable_linux();
  const auto adjusted = loop_.Run(plugin.CreateContainer(context, create));
  Expect("CreateContainer", adjusted,
         adjusted && adjusted->adjust().linux().scheduler().policy() == nri::SCHED_BATCH);

  cri::ImageServiceClient images(client);
  cri::PullImageRequest pull;
  pull.mutable_sandbox_config()->mutable_linux()->set_cgroup_parent("/pods");
  const auto pulled = loop_.Run(images.PullImage(context, pull));
  Expect("PullImage", pulled, pulled && pulled->image_ref() == "/pods");
  auto stream = images.StreamImages(context, cri::StreamImagesRequest());
  int received = 0;
  while (loop_.Run(stream.Receive())) ++received;
  Expect("StreamImages", Result<bool>(true), received == 2 && loop_.Run(stream.Finish()).ok());
}

void Calls::CallOthers(::ttrpc::Client& client) {
  Context context;
  context.set_timeout(std::chrono::seconds(30));
  grpc::AgentServiceClient agent(client);
  grpc::CreateContainerRequest create;
  create.mutable_oci()->mutable_linux()->add_devices()->set_path("/dev/null");
  const auto created = loop_.Run(agent.CreateContainer(context, create));
  Expect("AgentService", created, agent_.device == "/dev/null");

  health::HealthClient healths(client);
  const auto health = loop_.Run(healths.Check(context, health::HealthCheckRequest()));
  Expect("Health", health, health && health->status() == health::HealthCheckResponse::SERVING);

  hard::NamesClient names(client);
  hard::File file;
  file.set_linux(true);
  file.set_unix(true);
  file.set_htole32(1);
  file.set_st_mtime(2);
  file.mutable_nested()->set_name("x");
  const auto hard_reply = loop_.Run(names.EOF_(context, file));
  Expect("Names", hard_reply,
         hard_reply && hard_reply->linux() && hard_reply->unix() && hard_reply->alloca() == 1 &&
             hard_reply->family() == hard::AF_INET && hard_reply->htole32() == 1 &&
             hard_reply->st_mtime() == 2 && hard_reply->kind() == hard::File::BUFSIZ);
}

int Calls::Run() {
  Streaming streams;
  Introspection plugins;
  Plugin plugin;
  Images images;
  Health health;
  Hard hard;
  ::ttrpc::Server server(loop_.io());
  for (const Status& status :
       {events::RegisterEvents(server, events_), streaming::RegisterStreaming(server, streams),
        introspection::RegisterIntrospection(server, plugins), nri::RegisterPlugin(server, plugin),
        cri::RegisterImageService(server, images), grpc::RegisterAgentService(server, agent_),
        health::RegisterHealth(server, health), hard::RegisterNames(server, hard),
        server.Listen(address_)}) {
    if (status.ok()) continue;
    std::printf("%s\n", status.ToString().c_str());
    return 1;
  }
  const auto client = ::ttrpc::Client::Dial(loop_.io(), address_);
  CallContainerd(*client);
  CallNriAndCri(*client);
  CallOthers(*client);
  return failures_;
}

}  // namespace

int main(int argc, char** argv) {
  const auto address = ::ttrpc::Address::Parse(argc == 2 ? argv[1] : "");
  if (!address) {
    std::fprintf(stderr, "usage: calls ADDRESS\n");
    return 64;
  }
  return Calls(*address).Run() == 0 ? 0 : 1;
}
