// SPDX-License-Identifier: Apache-2.0
#include "sandbox/sandbox.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <optional>
#include <sstream>
#include <system_error>
#include <utility>

#include "sandbox/capabilities.h"
#include "sandbox/landlock.h"
#include "sandbox/reach.h"
#include "sandbox/sanitizer_needs.h"
#include "sandbox/syscall_filter.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

namespace {

namespace fs = std::filesystem;
using ttrpc::ErrnoStatus;
using ttrpc::Status;

// libc and the user database read these. NSS reads files, their extensions, caches, and directories
// of services; it asks the services themselves through sockets.
constexpr const char* kRead[] = {
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/usr",
    // A rule for the process's own directory alone would not last, since the kernel may make its
    // inodes again at any time. The secrets of other processes are as protected as their memory.
    "/proc",
    "/sys/devices/system/cpu",
    "/dev/random",
    "/dev/urandom",
    "/run/host/userdb",
    "/run/systemd/userdb",
    "/run/userdb",
    "/var/db",
    "/var/lib/extrausers",
    "/var/lib/misc",
    "/var/lib/sss",
};

// Finds the dynamic loader, which the kernel executes first when it executes this program.
int FindLoader(dl_phdr_info* program, size_t /*size*/, void* found) {
  for (size_t i = 0; i < program->dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = program->dlpi_phdr[i];
    if (header.p_type != PT_INTERP) continue;
    const uintptr_t address = program->dlpi_addr + header.p_vaddr;
    *static_cast<std::string*>(found) =
        reinterpret_cast<const char*>(address);  // NOLINT(performance-no-int-to-ptr)
  }
  return 1;  // stop after the first object, which is the program
}

std::string LoaderPath() {
  std::string path;
  dl_iterate_phdr(FindLoader, &path);
  return path;
}

// Adds the directory of each link on the way to `file` whose target is below that directory. A link
// such as `current -> release/42` may be switched before a reload.
void AddFoldersOfLinks(const fs::path& file, std::vector<std::string>* folders) {
  std::error_code ignored;
  fs::path way;
  for (const fs::path& name : file.parent_path()) {
    way /= name;
    if (!fs::is_symlink(way, ignored)) continue;
    const std::string folder = fs::weakly_canonical(way.parent_path(), ignored).string();
    const std::string target = fs::weakly_canonical(way, ignored).string();
    if (folder != "/" && target.starts_with(folder + "/")) folders->push_back(folder);
  }
}

// Returns the directories of the files that LoadConfig() reads, and those where links lead.
std::vector<std::string> ConfigFolders(const std::string& config_path) {
  std::vector<std::string> folders;
  std::error_code ignored;  // a path that does not exist now stays inaccessible
  const auto add_folder_of = [&folders, &ignored](const fs::path& file) {
    folders.push_back((file.parent_path() / ".").string());
    folders.push_back(fs::weakly_canonical(file, ignored).parent_path().string());
  };
  const fs::path main = fs::absolute(config_path, ignored);
  const fs::path more = main.parent_path() / "conf.d";
  add_folder_of(main);
  AddFoldersOfLinks(main, &folders);
  folders.push_back(more.string());
  for (fs::directory_iterator file(more, ignored), end; file != end; file.increment(ignored))
    add_folder_of(file->path());
  return folders;
}

// A configuration without listeners may get these sources at a reload. They are the defaults of
// `discover`.
constexpr const char* kContainerdState = "/run/containerd";
constexpr const char* kKataFolders[] = {"/run/kata", "/run/vc/sbs"};

// Returns the nearest directory above `folder`. A rule for `folder` itself would not last, since
// its owner may remove it and make it again. Only a directory in the root is left itself if it
// exists, because its neighbours are all files of the system.
fs::path NearestAbove(const fs::path& folder) {
  std::error_code ignored;
  fs::path above = folder.parent_path();
  while (above.has_relative_path() && !fs::is_directory(above, ignored))
    above = above.parent_path();
  if (above.has_relative_path()) return above;
  return fs::is_directory(folder, ignored) ? folder : fs::path("/");
}

// Replaces each directory by what the sandbox leaves for it, also where its links lead.
void Widen(std::vector<std::string>* folders) {
  std::vector<std::string> wide;
  const auto add = [&wide](const fs::path& folder) {
    const std::string above = NearestAbove(folder).string();
    if (std::find(wide.begin(), wide.end(), above) == wide.end()) wide.push_back(above);
  };
  for (const std::string& folder : *folders) {
    std::error_code error;
    add(folder);
    const fs::path real = fs::weakly_canonical(folder, error);
    if (!error && real != folder) add(real);
  }
  *folders = std::move(wide);
}

void WarnOfWholeTree(const std::vector<std::string>& folders, const char* what, Sandbox* sandbox) {
  if (std::find(folders.begin(), folders.end(), "/") == folders.end()) return;
  sandbox->warnings.push_back(std::string("sandbox: all files can be ") + what +
                              ", since a directory of workloads does not exist yet; create it and "
                              "restart the daemon");
}

// Adds the directories that systemd made for the daemon (RuntimeDirectory=, LogsDirectory=), even
// if the configuration does not use them yet. Rules that are written after the installation then
// need no restart.
void AddServiceFolders(const char* variable, std::vector<std::string>* folders) {
  const char* value = ::getenv(variable);
  std::istringstream list(value != nullptr ? value : "");
  for (std::string folder; std::getline(list, folder, ':');) {
    if (folder.starts_with('/') &&
        std::find(folders->begin(), folders->end(), folder) == folders->end())
      folders->push_back(folder);
  }
}

// Whether only the sandbox denies this process the file. faccessat(2) checks permissions alone and
// does not know the sandbox.
bool IsOutside(const fs::path& file) {
  const ttrpc::UniqueFd opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  return !opened && errno == EACCES && ::faccessat(AT_FDCWD, file.c_str(), R_OK, AT_EACCESS) == 0;
}

Status Outside(const fs::path& folder) {
  std::error_code ignored;
  return {ttrpc::StatusCode::kFailedPrecondition,
          "needs a restart: " + fs::weakly_canonical(folder, ignored).string() +
              " is outside the sandbox"};
}

std::optional<SandboxPlan::FolderId> IdOf(const std::string& folder) {
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) return std::nullopt;
  return SandboxPlan::FolderId(info.st_dev, info.st_ino);
}

std::array<std::vector<std::string>*, 5> AllFolders(SandboxPlan* plan) {
  return {&plan->log_folders, &plan->socket_folders, &plan->front_folders, &plan->read_folders,
          &plan->list_folders};
}

void NoteIds(SandboxPlan* left) {
  for (const auto* folders : AllFolders(left)) {
    for (const std::string& folder : *folders) {
      if (const auto id = IdOf(folder)) left->ids.emplace(folder, *id);
    }
  }
}

struct FileNeed {
  std::string path;
  FileUse use;
};

std::vector<FileNeed> FilesFor(const SandboxPlan& plan, const std::string& config_path) {
  std::vector<FileNeed> needs;
  for (const char* path : kRead) needs.push_back({path, FileUse::kRead});
  needs.push_back({"/dev/null", FileUse::kReadWrite});
  for (std::string& folder : ConfigFolders(config_path))
    needs.push_back({std::move(folder), FileUse::kRead});
  needs.push_back({"/proc/self/exe", FileUse::kExecute});
  needs.push_back({LoaderPath(), FileUse::kExecute});
  for (const std::string& folder : plan.log_folders) needs.push_back({folder, FileUse::kLog});
  for (const std::string& folder : plan.socket_folders)
    needs.push_back({folder, FileUse::kSockets});
  for (const std::string& folder : plan.front_folders) needs.push_back({folder, FileUse::kFronts});
  for (const std::string& folder : plan.read_folders) needs.push_back({folder, FileUse::kRead});
  for (const std::string& folder : plan.list_folders) needs.push_back({folder, FileUse::kList});
  for (const SanitizerNeed& need : SanitizerNeeds())
    needs.push_back({need.path, need.executes ? FileUse::kExecute : FileUse::kLog});
  return needs;
}

Status ConfineFiles(const std::vector<FileNeed>& needs) {
  auto rules = Landlock::Make();
  if (!rules) return rules.error();
  for (const FileNeed& need : needs) {
    if (Status status = rules->Leave(need.path, need.use); !status.ok()) return status;
  }
  return rules->Enforce();
}

// Adds the rights that the configuration alone does not show. A configuration without listeners is
// probably that of a new installation, so it keeps all rights: the reload that replaces it then
// needs no restart.
void AddRights(const Config& config, const std::string& config_path, SandboxPlan* plan) {
  if (config.listeners.empty()) {
    plan->owners = plan->foreign_sockets = plan->foreign_files = true;
    plan->discovery = plan->vsock = true;
    plan->read_folders = {kContainerdState};
    plan->list_folders.assign(std::begin(kKataFolders), std::end(kKataFolders));
    return;
  }
  const auto reaches = [&] {
    return Reaches(config, config_path, Missing::kIsNotReached) && ReachesOldSockets(config);
  };
  if (!plan->foreign_files) plan->foreign_files = !HoldsWithoutOverride(reaches);
}

Status Named(const Status& status) { return {status.code(), "sandbox: " + status.message()}; }

// Whether the kernel lacks a feature. Any other error is a failure.
bool IsMissing(const Status& status) { return status.code() == ttrpc::StatusCode::kUnimplemented; }

}  // namespace

ttrpc::Result<Sandbox> Confine(const Config& config, const std::string& config_path) {
  SandboxPlan plan = PlanSandbox(config);
  AddRights(config, config_path, &plan);
  AddServiceFolders("RUNTIME_DIRECTORY", &plan.socket_folders);
  if (plan.discovery) AddServiceFolders("RUNTIME_DIRECTORY", &plan.front_folders);
  AddServiceFolders("LOGS_DIRECTORY", &plan.log_folders);
  Widen(&plan.read_folders);
  Widen(&plan.list_folders);
  Sandbox sandbox = {.left = plan, .warnings = {}};
  WarnOfWholeTree(plan.read_folders, "read", &sandbox);
  WarnOfWholeTree(plan.list_folders, "listed", &sandbox);
  AddWhatNeedsNone(&sandbox.left);
  // Without no_new_privs, confining itself takes a capability that the daemon does not keep.
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return Named(ErrnoStatus(errno, "no_new_privs"));

  const Status files = ConfineFiles(FilesFor(plan, config_path));
  if (IsMissing(files)) {
    for (std::vector<std::string>* folders : AllFolders(&sandbox.left)) *folders = {"/"};
    sandbox.warnings.push_back(Named(files).message() + ": files are not confined");
  } else if (!files.ok()) {
    return Named(files);
  }
  if (Status status = DropCapabilities(plan, &sandbox.warnings); !status.ok()) return Named(status);
  const Status calls = FilterSyscalls(plan);
  if (IsMissing(calls)) {
    sandbox.left.vsock = sandbox.left.tcp = sandbox.left.discovery = true;
    sandbox.warnings.push_back(Named(calls).message() + ": system calls are not confined");
  } else if (!calls.ok()) {
    return Named(calls);
  }
  NoteIds(&sandbox.left);
  return sandbox;
}

Status CheckConfigLeft(const std::string& config_path) {
  std::error_code ignored;
  const fs::path main = fs::absolute(config_path, ignored);
  if (IsOutside(main)) return Outside(fs::weakly_canonical(main, ignored).parent_path());
  const fs::path more = main.parent_path() / "conf.d";
  if (IsOutside(more)) return Outside(more);
  for (fs::directory_iterator file(more, ignored), end; file != end; file.increment(ignored)) {
    const fs::path& path = file->path();
    if (path.extension() == ".toml" && IsOutside(path))
      return Outside(fs::weakly_canonical(path, ignored).parent_path());
  }
  return {};
}

SandboxPlan StillLeft(SandboxPlan left) {
  const auto is_gone = [&left](const std::string& folder) {
    const auto before = left.ids.find(folder);
    const auto now = IdOf(folder);
    return now && (before == left.ids.end() || before->second != *now);
  };
  for (std::vector<std::string>* folders : AllFolders(&left)) std::erase_if(*folders, is_gone);
  return left;
}

}  // namespace proxyd
