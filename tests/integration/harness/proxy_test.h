// SPDX-License-Identifier: Apache-2.0
//
// ProxyTest: a test with a daemon, its configuration and one recording backend in a folder of their
// own. At its end the daemon must still run, drain and exit 0.
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

// Root may call test.Unary, and test.Stream with streams; nothing else is allowed.
extern const char kDefaultRules[];
// Every user may call everything, with streams.
extern const char kOpenRules[];

struct Scene {
  std::string head = {};              // TOML before the first listener: [timeouts], [audit], …
  std::string listener = {};          // more keys of [[listener]] "front" (mode 0666)
  std::string backend = {};           // more keys of [[backend]] "back"
  std::string rules = kDefaultRules;  // and more listeners and backends
  RecordingBackend::Options server = {};  // of the recording backend
  UserNamespace user_namespace = UserNamespace::kOurs;
};

class ProxyTest : public ::testing::Test {
 protected:
  // Writes the configuration, starts the backend, then the daemon, and waits until it is ready; a
  // test whose daemon is not ends there.
  void Start(Scene scene = {});
  // Start() with these [limits] and kOpenRules; `scene` has the rest.
  void StartLimited(const std::string& limits, Scene scene = {});
  // The daemon again, with the configuration that is there.
  void StartDaemon(UserNamespace user_namespace = UserNamespace::kOurs);
  void StartBackend(RecordingBackend::Options options = {});
  void WriteConfig(const Scene& scene);
  // Tells the daemon to reload, and waits until it has said how it went.
  void Reload(const std::string& outcome);
  void TearDown() override;

  RawPeer Peer(const Identity& identity = {}) const { return RawPeer(front_path(), identity); }

  // A call through the daemon that the backend echoes: after it, whatever the daemon was to forward
  // from this peer before has arrived.
  static void ExpectEcho(RawPeer& peer, uint32_t stream_id);
  // The same, but calls may be refused until the daemon has seen what makes room for them. Uses ids
  // from `stream_id` on.
  static void ExpectEchoSoon(RawPeer& peer, uint32_t stream_id);
  // A request as the backend gets it.
  static WireMessage Echo(uint32_t stream_id);

  std::string config_path() const { return folder_ / "config.toml"; }
  std::string front_path() const { return folder_ / "front.sock"; }
  std::string back_path() const { return folder_ / "back.sock"; }

  const TempDir folder_;
  std::unique_ptr<RecordingBackend> backend_;
  std::unique_ptr<DaemonProcess> daemon_;
};

}  // namespace integration
