// SPDX-License-Identifier: Apache-2.0
//
// ShimsTest: a ProxyTest whose daemon discovers fake shims by their bundles. Each shim answers with
// its own name, so that a test sees which one served a call.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "harness/bundles.h"
#include "harness/proxy_test.h"
#include "harness/workload_list.h"

namespace integration {

inline constexpr char kTaskV2[] = "containerd.task.v2.Task";
inline constexpr char kTaskV3[] = "containerd.task.v3.Task";
inline constexpr char kSandboxService[] = "containerd.runtime.sandbox.v1.Sandbox";

// Root may call everything on every workload.
extern const char kRootMayAll[];

// Which listeners a configuration has.
enum class Fronts {
  kEach,  // "shims": a socket for each workload
  kOne,   // "all": one socket for all workloads
  kBoth,
};

struct ShimScene {
  std::string head = {};      // TOML before the first listener: [limits], [audit], …
  std::string listener = {};  // more keys of each listener; the mode is 0666 unless it has one
  std::string backend = {};   // more keys of the backend "shim", which is discovered
  std::string rules = kRootMayAll;
};

// Returns a call of a method that names the workload `id` in its request.
Call TaskCall(const std::string& method, const std::string& id,
              const std::string& service = kTaskV3);
// The same with the metadata that one socket for all needs.
Call RoutedCall(const std::string& method, const std::string& id,
                const std::string& name_space = "k8s.io");

// Returns options for a backend that answers each request with `name`. It leaves requests for the
// method `Hold` to the test, and answers `Missing` with UNIMPLEMENTED.
RecordingBackend::Options AnswersAs(const std::string& name, const Identity& owner = {});

// Matches the answer to a call that no rule allows.
inline auto IsDenied(uint32_t id) {
  return IsStatus(id, StatusCode::kPermissionDenied, ::testing::HasSubstr("may not call"));
}

class ShimsTest : public ProxyTest {
 protected:
  // Writes a configuration that discovers the bundles.
  void WriteShims(Fronts fronts, const ShimScene& scene = {});
  // Does the same and starts the daemon.
  void StartShims(Fronts fronts, const ShimScene& scene = {});
  // Writes another configuration and makes the daemon reload it.
  void ReloadShims(Fronts fronts, const ShimScene& scene = {});

  // Starts a shim that answers `NAMESPACE/ID`.
  RecordingBackend& StartShim(const Bundle& bundle, const Identity& owner = {});
  void StopShim(const Bundle& bundle) { shims_.erase(NameOf(bundle)); }
  RecordingBackend& ShimOf(const Bundle& bundle) { return *shims_.at(NameOf(bundle)); }
  // Starts a shim and makes its bundle, with bootstrap.json unless the bundle has an address.
  RecordingBackend& StartWorkload(Bundle bundle);

  static std::string NameOf(const Bundle& bundle) { return bundle.name_space + "/" + bundle.id; }
  std::string SocketOf(const Bundle& bundle) const;
  std::string FrontOf(const Bundle& bundle) const;
  // Waits until the front exists, or is gone. The test fails if that does not come.
  void AwaitFront(const Bundle& bundle) const;
  void AwaitNoFront(const Bundle& bundle) const;
  RawPeer FrontPeer(const Bundle& bundle, const Identity& identity = {}) const {
    return RawPeer(FrontOf(bundle), identity);
  }
  RawPeer AllPeer(const Identity& identity = {}) const { return RawPeer(all_path(), identity); }

  // Calls the workload by the socket for all until the daemon knows it. Uses ids from `stream_id`.
  static void AwaitRouted(RawPeer& peer, const Bundle& bundle, uint32_t stream_id);
  // Expects the answer of the shim of `bundle`.
  static void ExpectServed(RawPeer& peer, uint32_t stream_id, const Call& call,
                           const Bundle& bundle);

  // Returns the paths below the base of the fronts, without the lock file, sorted.
  std::vector<std::string> Left() const;
  // Returns what `ttrpc-proxyctl workloads` lists. The scene's head needs AdminTable().
  std::vector<ListedWorkload> ListWorkloads() const { return ListWorkloadsAt(admin_path()); }
  std::string AdminTable() const;
  // Waits until the list has this workload with a problem that matches; "" is no problem.
  void AwaitListed(const std::string& name, const ::testing::Matcher<std::string>& problem) const {
    AwaitListedAt(admin_path(), name, problem);
  }
  void AwaitFaulty(const std::string& name) const {
    AwaitListed(name, ::testing::Not(::testing::IsEmpty()));
  }

  std::string base_path() const { return folder_ / "run"; }
  std::string all_path() const { return folder_ / "all.sock"; }
  std::string admin_path() const { return folder_ / "admin.sock"; }
  const Bundles& bundles() const { return bundles_; }

 private:
  const Bundles bundles_{folder_ / "state"};
  std::map<std::string, std::unique_ptr<RecordingBackend>> shims_;  // by NameOf()
};

}  // namespace integration
