// SPDX-License-Identifier: Apache-2.0
#include "harness/attacker.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>

#include "harness/preload.h"

namespace integration {

namespace {

const char kVictimMemory = 'x';

}  // namespace

Attacker::Attacker(const std::string& path, const std::string& config)
    : path_(path),
      page_(static_cast<test::AttackPage*>(MakeSharedPage(path, sizeof(test::AttackPage)))) {
  page_->victim = ::getpid();
  page_->victim_memory = &kVictimMemory;
  elsewhere_.path().copy(page_->elsewhere, sizeof page_->elsewhere - 1);
  config.copy(page_->config, sizeof page_->config - 1);
  std::filesystem::copy_file("/bin/true", elsewhere_ / "program");
}

Attacker::~Attacker() { ::munmap(page_, sizeof(test::AttackPage)); }

std::vector<std::string> Attacker::environment() const {
  std::vector<std::string> environment = PreloadEnvironment("libattacks.so");
  environment.push_back(test::kAttackPageVariable + ("=" + path_));
  return environment;
}

// What may be there from the last time is gone.
void Attacker::Lure() {
  for (const auto& entry : std::filesystem::directory_iterator(elsewhere_.path())) {
    if (entry.path().filename() != "program") std::filesystem::remove(entry);
  }
  WriteFile(elsewhere_ / "secret", "secret");
  WriteFile(elsewhere_ / "victim", "victim");
}

void Attacker::Run(AttackThread thread, const std::function<void()>& wake) {
  Lure();
  page_->done = false;
  page_->wanted = thread;
  wake();
  EXPECT_TRUE(Eventually([this] { return page_->done.load(); })) << "nobody attacked";
}

}  // namespace integration
