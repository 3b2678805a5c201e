// SPDX-License-Identifier: Apache-2.0
#include "harness/shims_test.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "ttrpc/wire/request.h"

namespace integration {

const char kRootMayAll[] = R"(
[[rule]]
name = "root"
users = ["root"]
methods = ["/containerd.*/*", "/test.*/*"]
action = "allow"
backend = "shim"
streams = true
)";

namespace {

constexpr int32_t kUnimplemented = 12;

bool IsSocket(const std::string& path) {
  struct stat file = {};
  return ::lstat(path.c_str(), &file) == 0 && S_ISSOCK(file.st_mode);
}

bool IsThere(const std::string& path) {
  struct stat file = {};
  return ::lstat(path.c_str(), &file) == 0;
}

}  // namespace

Call TaskCall(const std::string& method, const std::string& id, const std::string& service) {
  return {.service = service, .method = method, .payload = BytesField(1, id)};
}

Call RoutedCall(const std::string& method, const std::string& id, const std::string& name_space) {
  Call call = TaskCall(method, id);
  call.metadata = {{"containerd-namespace-ttrpc", name_space}};
  return call;
}

RecordingBackend::Options AnswersAs(const std::string& name, const Identity& owner) {
  const auto script = [name](const WireMessage& message) -> BackendReply {
    ttrpc::RequestView request;
    if (message.type != kRequest) return {};
    if (!ttrpc::ParseRequest(message.data, ttrpc::UnknownFieldAction::kRefuse, &request).ok()) {
      ADD_FAILURE() << "the shim got an envelope that does not parse";
      return {};
    }
    if (request.method == "Hold") return {};
    if (request.method == "Missing")
      return {.bytes = Encode(StatusResponse(message.stream_id, kUnimplemented, "method Missing"))};
    return {.bytes = Encode(Response(message.stream_id, name))};
  };
  return {.script = script, .owner = owner};
}

void ShimsTest::WriteShims(Fronts fronts, const ShimScene& scene) {
  std::string keys = "discover = \"containerd\"\nstate = \"" + bundles_.state() + "\"\n";
  if (scene.listener.find("mode =") == std::string::npos) keys += "mode = \"0666\"\n";
  keys += scene.listener;
  std::string text = scene.head;
  if (fronts != Fronts::kOne) {
    text += "\n[[listener]]\nname = \"shims\"\naddress = \"unix://" + base_path() +
            "/{namespace}/{id}.sock\"\n" + keys;
  }
  if (fronts != Fronts::kEach)
    text += "\n[[listener]]\nname = \"all\"\naddress = \"unix://" + all_path() + "\"\n" + keys;
  text += "\n[[backend]]\nname = \"shim\"\naddress = \"discovered\"\n" + scene.backend + "\n";
  WriteFile(config_path(), text + scene.rules);
}

void ShimsTest::StartShims(Fronts fronts, const ShimScene& scene) {
  WriteShims(fronts, scene);
  StartDaemon();
}

void ShimsTest::ReloadShims(Fronts fronts, const ShimScene& scene) {
  WriteShims(fronts, scene);
  Reload("reloaded: ");
}

std::string ShimsTest::SocketOf(const Bundle& bundle) const {
  return folder_ / (bundle.name_space + "." + bundle.id);
}

std::string ShimsTest::FrontOf(const Bundle& bundle) const {
  return base_path() + "/" + NameOf(bundle) + ".sock";
}

RecordingBackend& ShimsTest::StartShim(const Bundle& bundle, const Identity& owner) {
  std::unique_ptr<RecordingBackend>& shim = shims_[NameOf(bundle)];
  shim.reset();  // removes its socket before the next one is made
  shim = std::make_unique<RecordingBackend>(SocketOf(bundle), AnswersAs(NameOf(bundle), owner));
  return *shim;
}

RecordingBackend& ShimsTest::StartWorkload(Bundle bundle) {
  RecordingBackend& shim = StartShim(bundle);
  if (bundle.address.empty() && bundle.bootstrap.empty())
    bundle.bootstrap = Bootstrap(SocketOf(bundle));
  bundles_.Make(bundle);
  return shim;
}

void ShimsTest::AwaitFront(const Bundle& bundle) const {
  EXPECT_TRUE(Eventually([&] { return IsSocket(FrontOf(bundle)); }))
      << NameOf(bundle) << " has no front";
}

void ShimsTest::AwaitNoFront(const Bundle& bundle) const {
  EXPECT_TRUE(Eventually([&] { return !IsThere(FrontOf(bundle)); }))
      << NameOf(bundle) << " still has a front";
}

void ShimsTest::ExpectServed(RawPeer& peer, uint32_t stream_id, const Call& call,
                             const Bundle& bundle) {
  EXPECT_EQ(peer.Exchange(Request(stream_id, call)), Response(stream_id, NameOf(bundle)));
}

void ShimsTest::AwaitRouted(RawPeer& peer, const Bundle& bundle, uint32_t stream_id) {
  const Call call = RoutedCall("State", bundle.id, bundle.name_space);
  std::optional<WireMessage> answer;
  const bool served = Eventually([&] {
    answer = peer.Exchange(Request(stream_id, call));
    stream_id += 2;
    return !answer || answer == Response(stream_id - 2, NameOf(bundle));
  });
  EXPECT_TRUE(served && answer) << NameOf(bundle) << " is not served";
}

std::vector<std::string> ShimsTest::Left() const {
  std::vector<std::string> paths;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator entry(base_path(), error), end;
       !error && entry != end; entry.increment(error)) {
    const std::string path = entry->path().string().substr(base_path().size() + 1);
    if (path != ".lock") paths.push_back(path);
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string ShimsTest::AdminTable() const {
  return "[admin]\naddress = \"unix://" + admin_path() + "\"\n";
}

}  // namespace integration
