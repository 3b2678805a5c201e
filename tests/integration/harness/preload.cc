// SPDX-License-Identifier: Apache-2.0
#include "harness/preload.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "ttrpc/unique_fd.h"

namespace integration {

std::vector<std::string> PreloadEnvironment(const std::string& library) {
  const auto path = std::filesystem::read_symlink("/proc/self/exe").replace_filename(library);
  const char* options = std::getenv("ASAN_OPTIONS");
  return {"LD_PRELOAD=" + path.string(),
          // AddressSanitizer as a shared library would refuse to run unless it is the first
          // library.
          std::string("ASAN_OPTIONS=verify_asan_link_order=0") +
              (options != nullptr ? ":" + std::string(options) : "")};
}

void* MakeSharedPage(const std::string& path, size_t size) {
  const ttrpc::UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  void* memory = MAP_FAILED;
  if (::ftruncate(file.get(), static_cast<off_t>(size)) == 0)
    memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no page to share");
  return memory;
}

}  // namespace integration
