// SPDX-License-Identifier: Apache-2.0
//
// Files as containerd and its shims write them, in a temporary directory, and a sink that keeps
// what a follower reports.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "discovery/follower.h"
#include "support/run_until.h"
#include "support/temp_folder.h"
#include "ttrpc/address.h"
#include "ttrpc/event_loop.h"
#include "ttrpc/unique_fd.h"

namespace proxyd::test {

inline ttrpc::Address AddressAt(const std::string& path) {
  return *ttrpc::Address::Parse("unix://" + path);
}

// Makes a directory, and those above it, that only this user may write to.
inline void MakeDirectories(const std::string& path) {
  if (std::filesystem::exists(path)) return;
  MakeDirectories(path.substr(0, path.rfind('/')));
  ASSERT_EQ(::mkdir(path.c_str(), 0700), 0) << path;
}

inline void WriteTrusted(const std::string& path, const std::string& content) {
  const ttrpc::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  ASSERT_TRUE(file) << path;
  ASSERT_EQ(::write(file.get(), content.data(), content.size()),
            static_cast<ssize_t>(content.size()));
}

inline std::string BootstrapOf(const std::string& address) {
  return R"({"version":3,"address":")" + address + R"(","protocol":"ttrpc"})";
}

// Binds a socket that does not listen, as a killed process leaves it.
inline void LeaveSocket(const std::string& path) {
  const ttrpc::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const ttrpc::SocketAddress raw = AddressAt(path).ToSocketAddress();
  ASSERT_EQ(::bind(socket.get(), raw.get(), raw.length), 0) << path;
}

// Returns whether somebody listens at the path.
inline bool Connects(const std::string& path) {
  const ttrpc::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const ttrpc::SocketAddress raw = AddressAt(path).ToSocketAddress();
  return ::connect(socket.get(), raw.get(), raw.length) == 0;
}

// STATE of containerd.
class FakeState {
 public:
  explicit FakeState(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  std::string Tasks() const { return path_ + "/io.containerd.runtime.v2.task"; }
  std::string Bundle(const std::string& name_space, const std::string& id) const {
    return Tasks() + "/" + name_space + "/" + id;
  }
  // Adds a bundle as containerd 2.x does: bootstrap.json comes last, by renaming.
  void Add(const std::string& name_space, const std::string& id, const std::string& address,
           const std::string& config = "") const {
    const std::string bundle = Bundle(name_space, id);
    MakeDirectories(bundle);
    if (!config.empty()) WriteTrusted(bundle + "/config.json", config);
    WriteTrusted(bundle + "/.bootstrap", BootstrapOf(address));
    ASSERT_EQ(::rename((bundle + "/.bootstrap").c_str(), (bundle + "/bootstrap.json").c_str()), 0);
  }
  // Removes a bundle as containerd does.
  void Remove(const std::string& name_space, const std::string& id) const {
    const std::string hidden = Bundle(name_space, "." + id);
    ASSERT_EQ(::rename(Bundle(name_space, id).c_str(), hidden.c_str()), 0);
    std::filesystem::remove_all(hidden);
  }

 private:
  const std::string path_;
};

// The sockets of workloads that are gone are returned to the follower, as the proxy does it.
class RecordingSink final : public Follower::Sink {
 public:
  void OnWorkloads(std::vector<WorkloadChange> changes) override {
    std::vector<ttrpc::ListeningSocket> unneeded;
    for (WorkloadChange& change : changes) {
      const std::string name = change.workload.key.ToString();
      if (change.kind == WorkloadChange::Kind::kGone) {
        ++gone;
        here.erase(name);
        auto front = fronts.extract(name);
        if (front) unneeded.push_back(std::move(front.mapped()));
        continue;
      }
      EXPECT_FALSE(change.front && !change.workload.why.empty());
      here[name] = change.workload;
      if (!change.front) continue;
      EXPECT_FALSE(fronts.contains(name)) << "a second socket";
      fronts.emplace(name, *std::move(change.front));
    }
    if (follower != nullptr) follower->Remove(std::move(unneeded));
  }
  void OnWorkloadsSettled() override { ++settled; }
  void OnDiscoveryProblem(const std::string&, const std::string& what) override {
    problems.push_back(what);
  }

  bool Has(const std::string& name) const { return here.contains(name); }
  std::string WhyOf(const std::string& name) const {
    return here.contains(name) ? here.at(name).why : "it is not here";
  }

  Follower* follower = nullptr;
  std::map<std::string, Workload> here;  // by NAMESPACE/ID
  std::map<std::string, ttrpc::ListeningSocket> fronts;
  std::vector<std::string> problems;
  size_t settled = 0;
  size_t gone = 0;
};

class FollowerTest : public testing::Test {
 protected:
  FollowerTest() { Start(); }

  void Start() {
    follower_ = std::make_unique<Follower>(loop_.base(), sink_);
    sink_.follower = follower_.get();
  }
  void Stop() {
    sink_.follower = nullptr;
    follower_.reset();
  }
  void RunUntil(const std::function<bool()>& done) { ::test::RunUntil(loop_, done); }
  // Sets the listeners, and waits until all that is here has been reported.
  void Follow(std::vector<FollowedListener> listeners) {
    const size_t before = sink_.settled;
    const ttrpc::Status status = follower_->SetListeners(std::move(listeners));
    ASSERT_TRUE(status.ok()) << status;
    RunUntil([&] { return sink_.settled > before; });
  }
  FollowedListener Listener(DiscoverySource source, const std::string& directory,
                            const std::string& front = "") const {
    FollowedListener listener;
    listener.name = "front";
    listener.key = front.empty() ? "unix:///all.sock" : "unix://" + front;
    listener.source = {.source = source, .directories = {directory}};
    if (!front.empty()) listener.front = SocketTemplate{front};
    return listener;
  }
  FollowedListener Containerd(const std::string& front = "") const {
    return Listener(DiscoverySource::kContainerd, state_.path(), front);
  }

  ::test::TempFolder folder_;
  const FakeState state_{folder_ / "state"};
  const std::string base_ = folder_ / "fronts";
  ttrpc::EventLoop loop_;
  RecordingSink sink_;
  std::unique_ptr<Follower> follower_;
};

}  // namespace proxyd::test
