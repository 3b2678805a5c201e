// SPDX-License-Identifier: Apache-2.0
//
// Attacker: code within a daemon that attacks the system around it (attacks_preload.cc), and what
// it gets at. One thread.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "harness/io.h"
#include "support/attack_page.h"

namespace integration {

using test::Attack;
using test::AttackThread;

class Attacker {
 public:
  // `path`: of a file that is to be made. `config`: the daemon's.
  Attacker(const std::string& path, const std::string& config);
  ~Attacker();
  Attacker(const Attacker&) = delete;
  Attacker& operator=(const Attacker&) = delete;

  // For the daemon to be started with.
  std::vector<std::string> environment() const;

  // Attacks on that thread of the daemon once `wake` has given it something to do, and waits for
  // the end.
  void Run(AttackThread thread, const std::function<void()>& wake);
  // Of the last Run(): the errno, 0 for what succeeded.
  int ErrorOf(Attack attack) const { return page_->errors[static_cast<size_t>(attack)]; }
  pid_t thread() const { return page_->thread; }

 private:
  void Lure();

  const std::string path_;
  const TempDir elsewhere_;
  test::AttackPage* const page_;
};

}  // namespace integration
