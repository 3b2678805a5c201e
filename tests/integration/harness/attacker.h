// SPDX-License-Identifier: Apache-2.0
//
// Attacker: runs code within a daemon that attacks the system around it (attacks_preload.cc), and
// reports what the attacks reached. One thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "harness/io.h"
#include "support/attack_page.h"
#include "ttrpc/unique_fd.h"

namespace integration {

using test::Attack;
using test::AttackThread;

class Attacker {
 public:
  // `path` names a file to make; `config` is the daemon's configuration.
  Attacker(const std::string& path, const std::string& config);
  ~Attacker();
  Attacker(const Attacker&) = delete;
  Attacker& operator=(const Attacker&) = delete;

  // The daemon must be started with this environment.
  std::vector<std::string> environment() const;

  // Attacks on the given thread of the daemon, and waits until the attacks have ended. `wake` makes
  // that thread run.
  void Run(AttackThread thread, const std::function<void()>& wake);
  // Returns the errno of an attack of the last Run(), or 0 if it succeeded.
  int ErrorOf(Attack attack) const { return page_->errors[static_cast<size_t>(attack)]; }
  pid_t thread() const { return page_->thread; }

 private:
  void Lure();
  void Listen();

  const std::string path_;
  const TempDir elsewhere_;
  ttrpc::UniqueFd listener_;  // a TCP port of the test
  test::AttackPage* const page_;
};

}  // namespace integration
