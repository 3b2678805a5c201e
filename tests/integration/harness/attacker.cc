// SPDX-License-Identifier: Apache-2.0
#include "harness/attacker.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
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
  Listen();
}

Attacker::~Attacker() { ::munmap(page_, sizeof(test::AttackPage)); }

std::vector<std::string> Attacker::environment() const {
  std::vector<std::string> environment = PreloadEnvironment("libattacks.so");
  environment.push_back(test::kAttackPageVariable + ("=" + path_));
  return environment;
}

void Attacker::Listen() {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof address;
  listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::bind(listener_.get(), raw, length) != 0 || ::listen(listener_.get(), 100) != 0 ||
      ::getsockname(listener_.get(), raw, &length) != 0) {
    ADD_FAILURE() << "cannot listen at any port";
  }
  page_->victim_port = ntohs(address.sin_port);
}

// Makes the files to attack again, and removes what the last attacks left.
void Attacker::Lure() {
  for (const auto& entry : std::filesystem::directory_iterator(elsewhere_.path())) {
    if (entry.path().filename() != "program") std::filesystem::remove(entry);
  }
  WriteFile(elsewhere_ / "secret", "secret");
  WriteFile(elsewhere_ / "victim", "victim");
  std::filesystem::create_directory(elsewhere_ / "empty");
}

void Attacker::Run(AttackThread thread, const std::function<void()>& wake) {
  Lure();
  page_->done = false;
  page_->wanted = thread;
  wake();
  EXPECT_TRUE(Eventually([this] { return page_->done.load(); })) << "no attack ran";
}

}  // namespace integration
