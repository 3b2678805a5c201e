// SPDX-License-Identifier: Apache-2.0
#include "sandbox/syscall_filter.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <initializer_list>
#include <memory>

#include "sandbox/sanitizer_needs.h"

namespace proxyd {

namespace {

// The calls have names here because not every architecture has a number for each.
constexpr const char* kDenied[] = {
    // other processes
    "kcmp", "pidfd_getfd", "process_madvise", "process_vm_readv", "process_vm_writev",
    // mounts and roots
    "chroot", "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount",
    "open_tree", "pivot_root", "umount", "umount2",
    // namespaces
    "setns", "unshare",
    // kernel internals
    "bpf", "create_module", "delete_module", "fanotify_init", "finit_module", "init_module",
    "io_uring_enter", "io_uring_register", "io_uring_setup", "kexec_file_load", "kexec_load",
    "lookup_dcookie", "nfsservctl", "perf_event_open", "sysfs", "syslog", "uselib", "userfaultfd",
    // keyrings
    "add_key", "keyctl", "request_key",
    // machine-wide settings
    "_sysctl", "acct", "adjtimex", "clock_adjtime", "clock_adjtime64", "clock_settime",
    "clock_settime64", "ioperm", "iopl", "modify_ldt", "pciconfig_iobase", "pciconfig_read",
    "pciconfig_write", "quotactl", "quotactl_fd", "reboot", "setdomainname", "sethostname",
    "settimeofday", "stime", "swapoff", "swapon", "vhangup", "vm86", "vm86old",
    // files without a path
    "open_by_handle_at",
    // changes of user: a running daemon keeps its ids
    "setfsgid", "setfsgid32", "setfsuid", "setfsuid32", "setgid", "setgid32", "setgroups",
    "setgroups32", "setregid", "setregid32", "setresgid", "setresgid32", "setresuid", "setresuid32",
    "setreuid", "setreuid32", "setuid", "setuid32"};

// Only discovery follows directories, and makes some.
constexpr const char* kOfDiscovery[] = {
    "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "mkdir",
    "mkdirat",           "rmdir"};

// The name of a newer call may be unknown to libseccomp. Its number has the same distance from that
// of landlock_create_ruleset(2), which all headers have, on every architecture.
constexpr int NewCall(int number) { return SYS_landlock_create_ruleset - 444 + number; }
constexpr int kFchmodat2 = NewCall(452);
constexpr int kLsmSetSelfAttr = NewCall(460);
constexpr int kOpenTreeAttr = NewCall(467);

// The index of the flags in the arguments of clone(2).
#ifdef __s390__
constexpr unsigned kCloneFlags = 1;
#else
constexpr unsigned kCloneFlags = 0;
#endif

constexpr uint64_t kMfdNoexecSeal = 8;  // MFD_NOEXEC_SEAL, from Linux 6.3
// No kernel has this many socket families.
constexpr int kFamilies = 64;

// Matches if all bits of `bits` are set in the argument.
scmp_arg_cmp Has(unsigned argument, uint64_t bits) {
  return {.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = bits, .datum_b = bits};
}

// Matches an int argument. The kernel ignores the upper half of the register, so this does, too.
scmp_arg_cmp Is(unsigned argument, uint32_t value) {
  return {.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = UINT32_MAX, .datum_b = value};
}

// Collects rules. The first failure to add one is remembered, and Load() returns it.
class Filter {
 public:
  using Conditions = std::initializer_list<scmp_arg_cmp>;

  // Denies the call if all conditions match, or always if there are none.
  void Deny(int number, Conditions conditions = {}, int error = EPERM) {
    if (error_ != 0) return;
    error_ = -seccomp_rule_add_array(context_.get(), SCMP_ACT_ERRNO(static_cast<uint32_t>(error)),
                                     number, static_cast<unsigned>(conditions.size()),
                                     conditions.begin());
  }
  void Deny(const char* name, Conditions conditions = {}, int error = EPERM) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number != __NR_SCMP_ERROR) Deny(number, conditions, error);
  }
  void Set(scmp_filter_attr attribute, uint32_t value) {
    if (error_ == 0) error_ = -seccomp_attr_set(context_.get(), attribute, value);
  }
  // Returns 0 or an errno.
  int Load() { return error_ != 0 ? error_ : -seccomp_load(context_.get()); }

 private:
  struct Release {
    void operator()(void* context) const { seccomp_release(context); }
  };
  // If seccomp_init() fails, the context is null, which every function of libseccomp rejects.
  const std::unique_ptr<void, Release> context_{seccomp_init(SCMP_ACT_ALLOW)};
  int error_ = 0;
};

void DenySocketFamilies(const SandboxPlan& plan, Filter* filter) {
  for (int family = 0; family < kFamilies; ++family) {
    if (family == AF_UNIX || (family == AF_VSOCK && plan.vsock)) continue;
    if ((family == AF_INET || family == AF_INET6) && plan.tcp) continue;
    filter->Deny("socket", {Is(0, static_cast<uint32_t>(family))});
    filter->Deny("socketpair", {Is(0, static_cast<uint32_t>(family))});
  }
}

void DenyDiscovery(Filter* filter) {
  for (const char* name : kOfDiscovery) filter->Deny(name);
  filter->Deny("unlinkat", {Has(2, AT_REMOVEDIR)});
}

void DenyNamespaces(Filter* filter) {
  for (const int flag : {CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER,
                         CLONE_NEWPID, CLONE_NEWNET}) {
    filter->Deny("clone", {Has(kCloneFlags, static_cast<uint64_t>(flag))});
  }
  // A filter cannot read the flags of clone3(2), which are in memory. libc falls back to clone(2).
  filter->Deny("clone3", {}, ENOSYS);
}

// A set-user-ID or set-group-ID file of root's would be a way out of the sandbox.
void DenySetIdBits(Filter* filter) {
  for (const uint64_t bit : {S_ISUID, S_ISGID}) {
    filter->Deny("chmod", {Has(1, bit)});
    filter->Deny("fchmod", {Has(1, bit)});
    filter->Deny("fchmodat", {Has(2, bit)});
    filter->Deny(kFchmodat2, {Has(2, bit)});
    filter->Deny("creat", {Has(1, bit)});
    for (const uint64_t makes : {O_CREAT, O_TMPFILE}) {
      filter->Deny("open", {Has(1, makes), Has(2, bit)});
      filter->Deny("openat", {Has(2, makes), Has(3, bit)});
    }
    filter->Deny("mknod", {Has(1, bit)});
    filter->Deny("mknodat", {Has(2, bit)});
  }
  filter->Deny("openat2", {}, ENOSYS);  // a filter cannot read its mode, which is in memory
}

// A kernel without seccomp returns ENOSYS, and one without filters EINVAL.
bool KernelFilters() {
  const uint32_t action = SECCOMP_RET_ERRNO;
  return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0 ||
         (errno != ENOSYS && errno != EINVAL);
}

}  // namespace

ttrpc::Status FilterSyscalls(const SandboxPlan& plan) {
  if (!KernelFilters())
    return {ttrpc::StatusCode::kUnimplemented, "the kernel has no seccomp filters"};
  Filter filter;
  for (const char* name : kDenied) filter.Deny(name);
  filter.Deny(kLsmSetSelfAttr);
  filter.Deny(kOpenTreeAttr);
  if (!kWithSanitizers) {
    filter.Deny("ptrace");       // LeakSanitizer stops the other threads with it
    filter.Deny("personality");  // ThreadSanitizer changes the memory layout with it
  }
  DenyNamespaces(&filter);
  DenySocketFamilies(plan, &filter);
  if (!plan.discovery) DenyDiscovery(&filter);
  DenySetIdBits(&filter);
  // These insert input into the terminal that the daemon was started from.
  filter.Deny("ioctl", {Is(1, TIOCSTI)});
  filter.Deny("ioctl", {Is(1, TIOCLINUX)});
  // A file in memory is in no directory, so Landlock would permit executing it.
  filter.Deny("memfd_create",
              {{.arg = 1, .op = SCMP_CMP_MASKED_EQ, .datum_a = kMfdNoexecSeal, .datum_b = 0}});

  // The system calls of another architecture, such as i386, have other numbers. All are denied.
  filter.Set(SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM));
  filter.Set(SCMP_FLTATR_CTL_TSYNC, 1);
  filter.Set(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // by a binary search
  if (const int error = filter.Load(); error != 0) return ttrpc::ErrnoStatus(error, "seccomp");
  return {};
}

}  // namespace proxyd
