// SPDX-License-Identifier: Apache-2.0
//
// ProxyTest: a test with a daemon, its configuration and one recording backend in a temporary
// directory. At the end the daemon must still run, drain and exit 0.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "harness/daemon_process.h"
#include "harness/io.h"
#include "harness/matchers.h"
#include "harness/raw_peer.h"
#include "harness/recording_backend.h"
#include "harness/wire.h"

namespace integration {

// Root may call test.Unary, and test.Stream with streams; no other call is allowed.
extern const char kDefaultRules[];
// Every user may call everything, with streams.
extern const char kOpenRules[];

struct Scene {
  std::string head = {};              // TOML before the first listener: [timeouts], [audit], …
  std::string listener = {};          // more keys of [[listener]] "front" (mode 0666)
  std::string backend = {};           // more keys of [[backend]] "back"
  std::string rules = kDefaultRules;  // rules, and more listeners and backends
  RecordingBackend::Options server = {};  // for the recording backend
  UserNamespace user_namespace = UserNamespace::kOurs;
};

class ProxyTest : public ::testing::Test {
 protected:
  // Writes the configuration, starts the backend, then the daemon, and waits until the daemon is
  // ready. The test ends if it does not become ready.
  void Start(Scene scene = {});
  // Calls Start() with these [limits] and kOpenRules; `scene` has the rest.
  void StartLimited(const std::string& limits, Scene scene = {});
  // Starts the daemon again with the present configuration.
  void StartDaemon(UserNamespace user_namespace = UserNamespace::kOurs);
  void StartBackend(RecordingBackend::Options options = {});
  void WriteConfig(const Scene& scene);
  // Makes the daemon reload, and waits until it logs `outcome`.
  void Reload(const std::string& outcome);
  void TearDown() override;

  RawPeer Peer(const Identity& identity = {}) const { return RawPeer(front_path(), identity); }

  // Makes a call that the backend echoes. After it, everything that this peer sent before and that
  // the daemon forwards has arrived.
  static void ExpectEcho(RawPeer& peer, uint32_t stream_id);
  // Does the same as ExpectEcho(), but calls may be refused until the daemon has noticed that there
  // is room for them. Uses ids from `stream_id` on.
  static void ExpectEchoSoon(RawPeer& peer, uint32_t stream_id);
  // Returns the request that the backend receives.
  static WireMessage Echo(uint32_t stream_id);

  std::string config_path() const { return folder_ / "config.toml"; }
  std::string front_path() const { return folder_ / "front.sock"; }
  std::string back_path() const { return folder_ / "back.sock"; }

  const TempDir folder_;
  std::unique_ptr<RecordingBackend> backend_;
  std::unique_ptr<DaemonProcess> daemon_;
};

}  // namespace integration
