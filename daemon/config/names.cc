// SPDX-License-Identifier: Apache-2.0
//
// SystemNameResolver: names to ids by the system's databases (NSS). May block; any thread.
#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <vector>

#include "config/load.h"

namespace proxyd {
namespace {

// What glibc's own tools stop at is more; a group of a hundred thousand members fits.
constexpr size_t kMaxBuffer = size_t{4} << 20;

// Calls `lookup(buffer, size)` until the entry fits: it returns 0 or an error number.
template <typename Lookup>
void WithBuffer(const Lookup& lookup) {
  for (size_t size = 4096; size <= kMaxBuffer; size *= 2) {
    std::vector<char> buffer(size);
    const int error = lookup(buffer.data(), buffer.size());
    if (error != ERANGE && error != EINTR) return;
  }
}

// C strings end at a NUL: "root\0x" must not become root.
bool IsPlain(const std::string& name) {
  return !name.empty() && name.find('\0') == std::string::npos;
}

class SystemNames : public NameResolver {
 public:
  std::optional<uid_t> User(const std::string& name) override {
    std::optional<uid_t> uid;
    if (!IsPlain(name)) return uid;
    WithBuffer([&name, &uid](char* buffer, size_t size) {
      passwd entry{};
      passwd* found = nullptr;
      const int error = getpwnam_r(name.c_str(), &entry, buffer, size, &found);
      if (found != nullptr) uid = found->pw_uid;
      return error;
    });
    return uid;
  }

  std::optional<gid_t> Group(const std::string& name) override {
    std::optional<gid_t> gid;
    if (!IsPlain(name)) return gid;
    WithBuffer([&name, &gid](char* buffer, size_t size) {
      group entry{};
      group* found = nullptr;
      const int error = getgrnam_r(name.c_str(), &entry, buffer, size, &found);
      if (found != nullptr) gid = found->gr_gid;
      return error;
    });
    return gid;
  }
};

}  // namespace

NameResolver& SystemNameResolver() {
  static SystemNames names;  // has no state
  return names;
}

}  // namespace proxyd
