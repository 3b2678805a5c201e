// SPDX-License-Identifier: Apache-2.0
#include "harness/faults.h"

#include <sys/mman.h>

#include "harness/preload.h"

namespace integration {

Faults::Faults(const std::string& path)
    : path_(path),
      page_(static_cast<test::FaultPage*>(MakeSharedPage(path, sizeof(test::FaultPage)))) {}

Faults::~Faults() { ::munmap(page_, sizeof(test::FaultPage)); }

std::vector<std::string> Faults::environment() const {
  std::vector<std::string> environment = PreloadEnvironment("libfaults.so");
  environment.push_back(test::kFaultPageVariable + ("=" + path_));
  return environment;
}

void Faults::Arm(const Fault& fault) {
  Disarm();
  page_->first = fault.first;
  page_->every = fault.every;
  page_->error = fault.error;
  page_->most = fault.most;
  page_->seen = 0;
  page_->fired = 0;
  page_->calls = fault.calls;
}

void Faults::Disarm() { page_->calls = 0; }

}  // namespace integration
