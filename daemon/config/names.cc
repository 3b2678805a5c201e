// SPDX-License-Identifier: Apache-2.0
//
// SystemNameResolver: resolves names through the system's databases (NSS). It may block; any thread
// may call it.
#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <vector>

#include "config/load.h"

namespace proxyd {
namespace {

// The largest entry that is read. A group of a hundred thousand members fits.
constexpr size_t kMaxBuffer = size_t{4} << 20;

// Calls `lookup(buffer, size)`, which returns 0 or an error number, until the entry fits.
template <typename Lookup>
void WithBuffer(const Lookup& lookup) {
  for (size_t size = 4096; size <= kMaxBuffer; size *= 2) {
    std::vector<char> buffer(size);
    const int error = lookup(buffer.data(), buffer.size());
    if (error != ERANGE && error != EINTR) return;
  }
}

// A name with a NUL is refused: as a C string, "root\0x" would become root.
bool IsPlain(const std::string& name) {
  return !name.empty() && name.find('\0') == std::string::npos;
}

// Reads the names of /etc/passwd or /etc/group. A directory service is not asked for all its names,
// which would take too long for a suggestion.
std::vector<std::string> LocalNames(const char* path) {
  std::ifstream in(path);
  std::vector<std::string> names;
  for (std::string line; std::getline(in, line);) {
    // Lines that begin with a sign are for NIS.
    if (!line.empty() && line.find_first_of("+-#") != 0)
      names.push_back(line.substr(0, line.find(':')));
  }
  return names;
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

  std::vector<std::string> Users() override { return LocalNames("/etc/passwd"); }
  std::vector<std::string> Groups() override { return LocalNames("/etc/group"); }
};

}  // namespace

NameResolver& SystemNameResolver() {
  static SystemNames names;  // without state, so that threads may share it
  return names;
}

}  // namespace proxyd
