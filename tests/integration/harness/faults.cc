// SPDX-License-Identifier: Apache-2.0
#include "harness/faults.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "ttrpc/unique_fd.h"

namespace integration {

namespace {

// It is built beside this program.
std::string PreloadPath() {
  return std::filesystem::read_symlink("/proc/self/exe").replace_filename("libfaults.so").string();
}

}  // namespace

Faults::Faults(const std::string& path) : path_(path) {
  const ttrpc::UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  void* memory = MAP_FAILED;
  if (::ftruncate(file.get(), sizeof(test::FaultPage)) == 0) {
    memory =
        ::mmap(nullptr, sizeof(test::FaultPage), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  }
  if (memory == MAP_FAILED) throw std::runtime_error("no fault page");
  page_ = static_cast<test::FaultPage*>(memory);
}

Faults::~Faults() { ::munmap(page_, sizeof(test::FaultPage)); }

std::vector<std::string> Faults::environment() const {
  const char* options = std::getenv("ASAN_OPTIONS");
  return {"LD_PRELOAD=" + PreloadPath(), test::kFaultPageVariable + ("=" + path_),
          // A sanitizer that is a library of its own wants to be the first.
          std::string("ASAN_OPTIONS=verify_asan_link_order=0") +
              (options != nullptr ? ":" + std::string(options) : "")};
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
