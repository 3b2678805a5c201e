// SPDX-License-Identifier: Apache-2.0
#include "run/reloader.h"

#include <event2/event.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "support/run_until.h"
#include "support/temp_folder.h"

namespace proxyd {
namespace {

class NullTarget final : public AuditTarget {
 public:
  bool Write(std::string_view /*lines*/) override { return true; }
};

// The parts of a daemon that has no listeners, without signals.
class ReloaderTest : public ::testing::Test, private AdminActions {
 protected:
  ReloaderTest() {
    info_.digest = "the one before";
    reloader_.emplace(loop_.base(), before_,
                      ReloadSource{.config_path = folder_ / "c.toml",
                                   .log_level = std::nullopt,
                                   .sandbox = std::nullopt,
                                   .verdict_file = folder_ / "verdict"},
                      Reloader::Parts{.proxy = proxy_,
                                      .admin = admin_,
                                      .metrics = metrics_,
                                      .audit = audit_,
                                      .systemd = systemd_,
                                      .reserve = reserve_,
                                      .info = info_});
  }
  void Write(const std::string& text) const { std::ofstream(folder_ / "c.toml") << text; }
  std::string Listener(const std::string& name) const {
    return "[[listener]]\nname = \"" + name + "\"\naddress = \"unix://" + (folder_ / name) + "\"\n";
  }
  void AwaitOutcome() {
    ::test::RunUntil(loop_, [this] { return info_.reloads + info_.reloads_refused > 0; });
  }
  std::string Listening() const {
    std::string names;
    for (const ListenerConfig& listener : proxy_.config().listeners) names += listener.name + " ";
    return names;
  }

  std::optional<ReloadVerdict> Verdict() const {
    return ParseReloadVerdict(::test::ReadFile(folder_ / "verdict"));
  }
  bool HasSocket(const std::string& name) const {
    return std::filesystem::is_socket(folder_ / name);
  }

  const ::test::TempFolder folder_;
  ttrpc::EventLoop loop_;
  const SnapshotPtr before_ = MakeSnapshot({});
  Audit audit_{AuditConfig{}, std::make_unique<NullTarget>()};
  Reports reports_{audit_};
  Proxy proxy_{loop_.base(), before_, reports_};
  Systemd systemd_{proxy_.loop()};
  DescriptorReserve reserve_{proxy_.loop()};
  DaemonInfo info_{.proxy = proxy_, .reports = reports_, .started = {}, .loaded = {}, .digest = {}};
  AdminServer admin_{info_, *this};
  MetricsServer metrics_{info_};
  std::optional<Reloader> reloader_;

 private:
  void Reload() override { reloader_->Reload(); }
  void Drain(const std::string& /*asker*/) override {}
  std::unique_ptr<SlicedText> Metrics() override { return nullptr; }
};

TEST_F(ReloaderTest, AppliesWhatItHasRead) {
  Write(Listener("front"));
  reloader_->Reload();
  EXPECT_EQ(Listening(), "") << "it is read on another thread";
  AwaitOutcome();
  EXPECT_EQ(info_.reloads, 1U);
  EXPECT_EQ(info_.reloads_refused, 0U);
  EXPECT_EQ(Listening(), "front ");
  EXPECT_EQ(info_.digest, DigestOf(proxy_.config()));
  EXPECT_NE(info_.loaded, std::chrono::system_clock::time_point());
  const auto verdict = Verdict();
  ASSERT_TRUE(verdict) << "it is written before the outcome is known";
  EXPECT_TRUE(verdict->errors.empty());
  EXPECT_EQ(verdict->digest, info_.digest);
  EXPECT_EQ(verdict->warnings.size(), 1U);  // no rule admits anyone
}

TEST_F(ReloaderTest, AnErrorLeavesEverythingAsItWas) {
  Write(Listener("front") + "[log]\nlevel = 1\n");
  reloader_->Reload();
  AwaitOutcome();
  EXPECT_EQ(info_.reloads, 0U);
  EXPECT_EQ(info_.reloads_refused, 1U);
  EXPECT_EQ(Listening(), "");
  EXPECT_EQ(info_.digest, "the one before");
  const auto verdict = Verdict();
  ASSERT_TRUE(verdict);
  EXPECT_EQ(verdict->errors.size(), 1U);
  EXPECT_EQ(verdict->digest, "the one before");
  EXPECT_FALSE(info_.last_reload_successful);
  info_.reloads_refused = 0;
  Write(Listener("front"));
  reloader_->Reload();
  AwaitOutcome();
  EXPECT_TRUE(info_.last_reload_successful);
}

// The file may have changed after the first request read it and before the second request.
TEST_F(ReloaderTest, ARequestMeanwhileHasTheFileReadAgainForOneOutcome) {
  Write(Listener("first"));
  reloader_->Reload();
  Write(Listener("second"));
  reloader_->Reload();
  AwaitOutcome();
  EXPECT_EQ(info_.reloads, 1U);
  EXPECT_EQ(Listening(), "second ");
  EXPECT_EQ(test::ReadFile(folder_ / "c.toml"), Listener("second"));
}

TEST_F(ReloaderTest, SocketsThatAreGoneAreRemovedBeforeTheOutcome) {
  Write(Listener("old"));
  reloader_->Reload();
  AwaitOutcome();
  info_.reloads = 0;
  Write(Listener("new"));
  reloader_->Reload();
  AwaitOutcome();
  EXPECT_FALSE(HasSocket("old"));
  EXPECT_TRUE(HasSocket("new"));
}

TEST_F(ReloaderTest, NothingIsReadWhileDraining) {
  Write(Listener("front"));
  info_.draining = true;
  reloader_->Reload();
  event_base_loop(loop_.base(), EVLOOP_NONBLOCK);
  EXPECT_EQ(info_.reloads + info_.reloads_refused, 0U);
  EXPECT_EQ(Listening(), "");
  // A caller that sent a signal gets its answer from the verdict file.
  const auto asked = std::chrono::steady_clock::now();
  reloader_->Reload();
  ::test::RunUntil(loop_, [this, asked] {
    const auto verdict = Verdict();
    return verdict && verdict->read >= asked - std::chrono::microseconds(1);
  });
  EXPECT_EQ(Verdict()->errors, std::vector<std::string>{"draining"});
}

// The drain drops what was read, and the sockets that were made for it.
TEST_F(ReloaderTest, ADrainThatComesMeanwhileHasItDropped) {
  Write(Listener("front"));
  reloader_->Reload();
  while (!HasSocket("front")) ::sched_yield();
  info_.draining = true;
  ::test::RunUntil(loop_, [this] { return !HasSocket("front"); });
  EXPECT_EQ(info_.reloads + info_.reloads_refused, 0U);
  EXPECT_EQ(Listening(), "");
}

}  // namespace
}  // namespace proxyd
