// SPDX-License-Identifier: Apache-2.0
#include "harness/proxy_test.h"

#include <csignal>
#include <iostream>
#include <stdexcept>
#include <utility>

namespace integration {

const char kDefaultRules[] = R"(
[[rule]]
name = "unary"
users = ["root"]
methods = ["/test.Unary/*"]
action = "allow"
backend = "back"

[[rule]]
name = "streams"
users = ["root"]
methods = ["/test.Stream/*"]
action = "allow"
backend = "back"
streams = true
)";

const char kOpenRules[] = R"(
[[rule]]
name = "all"
users = ["*"]
methods = ["/test.*/*"]
action = "allow"
backend = "back"
streams = true
)";

void ProxyTest::WriteConfig(const Scene& scene) {
  std::string text = scene.head;
  text += "\n[[listener]]\nname = \"front\"\naddress = \"unix://" + front_path() + "\"\n";
  // A test may set a mode of its own.
  if (scene.listener.find("mode =") == std::string::npos) text += "mode = \"0666\"\n";
  text += scene.listener;
  text += "\n[[backend]]\nname = \"back\"\n";
  if (scene.backend.find("address") == std::string::npos) {
    text += "address = \"unix://" + back_path() + "\"\n";
  }
  text += scene.backend + "\n" + scene.rules;
  WriteFile(config_path(), text);
}

void ProxyTest::StartBackend(RecordingBackend::Options options) {
  backend_.reset();  // removes its socket before the next one is made
  backend_ = std::make_unique<RecordingBackend>(back_path(), std::move(options));
}

void ProxyTest::StartDaemon(UserNamespace user_namespace) {
  daemon_ = std::make_unique<DaemonProcess>(
      std::vector<std::string>{"--config", config_path(), "--log-level", "debug"},
      DaemonSurroundings{.user_namespace = user_namespace});
  // Without a daemon the test could only wait in vain.
  if (!daemon_->WaitUntilReady()) throw std::runtime_error("no daemon");
}

void ProxyTest::Start(Scene scene) {
  WriteConfig(scene);
  StartBackend(std::move(scene.server));
  StartDaemon(scene.user_namespace);
}

void ProxyTest::StartLimited(const std::string& limits, Scene scene) {
  scene.head = "[limits]\n" + limits + scene.head;
  scene.rules = kOpenRules;
  Start(std::move(scene));
}

void ProxyTest::Reload(const std::string& outcome) {
  const auto matches = [&outcome](const std::string& line) {
    return line.find(outcome) != std::string::npos;
  };
  const std::string log = daemon_->log();
  size_t before = 0;
  for (size_t at = log.find(outcome); at != log.npos; at = log.find(outcome, at + 1)) ++before;
  daemon_->Signal(SIGHUP);
  daemon_->WaitForLines(before + 1, matches);
}

void ProxyTest::TearDown() {
  if (daemon_ == nullptr) return;
  if (daemon_->running()) {
    daemon_->Signal(SIGTERM);
    EXPECT_EQ(daemon_->WaitForExit(), 0) << "the daemon did not exit 0";
  }
  if (HasFailure()) std::cerr << "what the daemon wrote:\n" << daemon_->log();
}

WireMessage ProxyTest::Echo(uint32_t stream_id) { return Request(stream_id, {.payload = "echo"}); }

void ProxyTest::ExpectEcho(RawPeer& peer, uint32_t stream_id) {
  EXPECT_EQ(peer.Exchange(Echo(stream_id)), Response(stream_id, "echo"));
}

void ProxyTest::ExpectEchoSoon(RawPeer& peer, uint32_t stream_id) {
  EXPECT_TRUE(Eventually([&peer, &stream_id] {
    const auto answer = peer.Exchange(Echo(stream_id));
    stream_id += 2;
    return !answer || answer == Response(stream_id - 2, "echo");
  }));
}

}  // namespace integration
