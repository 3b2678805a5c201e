// SPDX-License-Identifier: Apache-2.0
//
// A shared library to be preloaded (LD_PRELOAD) into the daemon, which plays an attacker's code.
// When attack_page.h asks for it, the code attacks from the loop's or the log's thread as soon as
// that thread waits for something. It can also make one system call seem missing in the kernel.
#include <dlfcn.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "support/attack_page.h"

namespace {

using test::Attack;
using test::AttackPage;
using test::AttackThread;

AttackPage* page = nullptr;

[[gnu::constructor]] void MapPage() {
  const char* path = std::getenv(test::kAttackPageVariable);
  if (path == nullptr) return;
  const int fd = ::open(path, O_RDWR | O_CLOEXEC);
  void* memory = ::mmap(nullptr, sizeof(AttackPage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd < 0 || memory == MAP_FAILED) std::abort();  // a test without attacks would prove nothing
  ::close(fd);
  page = static_cast<AttackPage*>(memory);
}

[[gnu::constructor]] void TakeCallAway() {
  const char* number = std::getenv(test::kMissingCallVariable);
  if (number == nullptr) return;
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(std::strtoul(number, nullptr, 10)),
               0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {.len = std::size(code), .filter = code};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    std::abort();
  }
}

std::string Elsewhere(const char* name) { return std::string(page->elsewhere) + "/" + name; }

// Returns the errno of a system call that returned `result`, or 0.
int ErrorOf(long result) { return result < 0 ? errno : 0; }

int CloseOrError(long fd) {
  if (fd < 0) return errno;
  ::close(static_cast<int>(fd));
  return 0;
}

int Open(const std::string& path, int flags, mode_t mode = 0600) {
  return CloseOrError(::open(path.c_str(), flags | O_CLOEXEC, mode));
}

// Returns the child's exit status. Any other end counts as ENOSYS: the machine lacks the feature.
int WaitFor(pid_t child) {
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) return errno;
  return WIFEXITED(status) ? WEXITSTATUS(status) : ENOSYS;
}

// Runs a function in a child, since it would change this process permanently.
template <typename Function>
int InChild(const Function& function) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(function());
  return WaitFor(child);
}

int Execute(const std::string& path, const std::string& option = "", const char* value = nullptr) {
  return InChild([&path, &option, value] {
    char* const arguments[] = {const_cast<char*>(path.c_str()),
                               option.empty() ? nullptr : const_cast<char*>(option.c_str()),
                               const_cast<char*>(value), nullptr};
    char* const environment[] = {nullptr};
    ::execve(path.c_str(), arguments, environment);
    return errno;
  });
}

int ExecuteMemory() {
  const int file = static_cast<int>(::syscall(SYS_memfd_create, "program", 0));
  if (file < 0) return errno;
  const int program = ::open(Elsewhere("program").c_str(), O_RDONLY | O_CLOEXEC);
  while (::sendfile(file, program, nullptr, 1 << 20) > 0) {
  }
  ::close(program);
  const int error = Execute("/proc/self/fd/" + std::to_string(file));
  ::close(file);
  return error;
}

int BindSocket() {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  Elsewhere("socket").copy(address.sun_path, sizeof address.sun_path - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int error = ErrorOf(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address));
  ::close(fd);
  return error;
}

int WatchFolder() {
  const int fd = ::inotify_init1(IN_CLOEXEC);
  if (fd < 0) return errno;
  const int error = ErrorOf(::inotify_add_watch(fd, Elsewhere(".").c_str(), IN_CREATE));
  ::close(fd);
  return error;
}

int ReadMemory() {
  char byte = 0;
  const iovec here = {.iov_base = &byte, .iov_len = 1};
  const iovec there = {.iov_base = const_cast<char*>(page->victim_memory), .iov_len = 1};
  return ErrorOf(::process_vm_readv(page->victim, &here, 1, &there, 1, 0));
}

int CloneNamespace() {
  const long child = ::syscall(SYS_clone, CLONE_NEWUTS | SIGCHLD, nullptr, nullptr, nullptr, 0);
  if (child == 0) ::_exit(0);
  return WaitFor(static_cast<pid_t>(child));
}

int Clone3Namespace() {
  clone_args arguments = {};
  arguments.flags = CLONE_NEWUTS;
  arguments.exit_signal = SIGCHLD;
  const long child = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (child == 0) ::_exit(0);
  return WaitFor(static_cast<pid_t>(child));
}

int JoinNamespace() {
  const int fd = ::open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  const int error = InChild([fd] { return ErrorOf(::setns(fd, 0)); });
  ::close(fd);
  return error;
}

// Calls getpid(2) in the way of a program of another architecture.
int OtherArchitecture() {
#ifdef __x86_64__
  return InChild([] {
    int result = 20;
    asm volatile("int $0x80" : "+a"(result) : : "memory");
    return result < 0 ? -result : 0;
  });
#else
  return EPERM;
#endif
}

int X32() {
#ifdef __x86_64__
  return ErrorOf(::syscall(0x40000000 | SYS_getpid));
#else
  return EPERM;
#endif
}

int Socket(long family, int type = SOCK_STREAM) {
  return CloseOrError(::syscall(SYS_socket, family, type | SOCK_CLOEXEC, 0));
}

int ConnectTcp() {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(page->victim_port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int error = ErrorOf(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address));
  ::close(fd);
  return error;
}

int LookUpNames() {
  // NOLINTBEGIN: no other thread calls these functions
  errno = 0;
  const bool found = ::getpwnam("daemon") != nullptr && ::getgrnam("daemon") != nullptr;
  // NOLINTEND
  if (found) return 0;
  return errno != 0 ? errno : ENOENT;
}

int LoadLibrary() {
  void* library = ::dlopen("libnss_compat.so.2", RTLD_NOW);
  if (library == nullptr) return EACCES;
  ::dlclose(library);
  return 0;
}

int StartThread() {
  pthread_t thread;
  const int error = ::pthread_create(
      &thread, nullptr, [](void* n) { return n; }, nullptr);
  if (error == 0) ::pthread_join(thread, nullptr);
  return error;
}

int AttackFiles(Attack attack) {
  switch (attack) {
    case Attack::kReadFile:
      return Open(Elsewhere("secret"), O_RDONLY);
    case Attack::kListFolder:
      return Open(Elsewhere("."), O_RDONLY | O_DIRECTORY);
    case Attack::kWriteFile:
      return Open(Elsewhere("secret"), O_WRONLY);
    case Attack::kWriteUserDatabase:
      return Open("/etc/passwd", O_WRONLY | O_APPEND);
    case Attack::kMakeFile:
      return Open(Elsewhere("made"), O_WRONLY | O_CREAT);
    case Attack::kTruncateFile:
      return ErrorOf(::truncate(Elsewhere("secret").c_str(), 0));
    case Attack::kRemoveFile:
      return ErrorOf(::unlink(Elsewhere("victim").c_str()));
    case Attack::kMakeFolder:
      return ErrorOf(::mkdir(Elsewhere("folder").c_str(), 0700));
    case Attack::kRemoveFolder:
      return ErrorOf(::rmdir(Elsewhere("empty").c_str()));
    case Attack::kWatchFolder:
      return WatchFolder();
    case Attack::kMakeLink:
      return ErrorOf(::symlink("secret", Elsewhere("link").c_str()));
    case Attack::kMakeFifo:
      return ErrorOf(::mkfifo(Elsewhere("fifo").c_str(), 0600));
    case Attack::kMakeDevice:
      return ErrorOf(::mknod(Elsewhere("null").c_str(), S_IFCHR | 0600, makedev(1, 3)));
    case Attack::kBindSocket:
      return BindSocket();
    case Attack::kSetIdMode:
      return ErrorOf(::chmod(Elsewhere("secret").c_str(), 04700));
    case Attack::kSetIdFile:
      return Open(Elsewhere("setid"), O_WRONLY | O_CREAT, 04700);
    case Attack::kSetIdUnnamedFile:
      return Open(Elsewhere("."), O_WRONLY | O_TMPFILE, 04700);
    case Attack::kOpenByHandle:
      return ErrorOf(::syscall(SYS_open_by_handle_at, -1, nullptr, 0));
    case Attack::kExecute:
      return Execute(Elsewhere("program"));
    case Attack::kExecuteMemory:
      return ExecuteMemory();
    default:
      return -1;
  }
}

int AttackProcesses(Attack attack) {
  switch (attack) {
    case Attack::kTrace:
      // The victim is released when its tracer ends.
      return InChild([] { return ErrorOf(::ptrace(PTRACE_SEIZE, page->victim, 0, 0)); });
    case Attack::kReadMemory:
      return ReadMemory();
    case Attack::kReadEnvironment:
      return Open("/proc/" + std::to_string(page->victim) + "/environ", O_RDONLY);
    case Attack::kSignal:
      return ErrorOf(::kill(page->victim, 0));
    default:
      return -1;
  }
}

// Harmful attacks use arguments with which they fail even if they are permitted.
int AttackSystem(Attack attack) {
  switch (attack) {
    case Attack::kMount:
      return ErrorOf(::mount("none", "/no/such/folder", "tmpfs", 0, nullptr));
    case Attack::kNewMount:
      return CloseOrError(::syscall(SYS_fsopen, "tmpfs", 1));
    case Attack::kUnshare:
      return InChild([] { return ErrorOf(::unshare(CLONE_NEWUTS)); });
    case Attack::kCloneNamespace:
      return CloneNamespace();
    case Attack::kClone3Namespace:
      return Clone3Namespace();
    case Attack::kJoinNamespace:
      return JoinNamespace();
    case Attack::kBpf:
      return ErrorOf(::syscall(SYS_bpf, 0, nullptr, 0));
    case Attack::kModule:
      return ErrorOf(::syscall(SYS_delete_module, "no_such_module", O_NONBLOCK));
    case Attack::kKeyring:
      return ErrorOf(::syscall(SYS_add_key, "user", "ttrpc-test", "x", 1, -2 /* process */));
    case Attack::kIoUring:
      return ErrorOf(::syscall(SYS_io_uring_setup, 0, nullptr));
    case Attack::kPerformanceEvents:
      return ErrorOf(::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0));
    case Attack::kUserFaults:
      return CloseOrError(::syscall(SYS_userfaultfd, O_CLOEXEC));
    case Attack::kPersonality:
      return ErrorOf(::personality(0xffffffff));
    case Attack::kAnotherUser:
      return InChild([] { return ErrorOf(::syscall(SYS_setresuid, 1, 1, 1)); });
    case Attack::kHostName:
      return ErrorOf(::syscall(SYS_sethostname, nullptr, 1));
    case Attack::kClock:
      return ErrorOf(::syscall(SYS_clock_settime, CLOCK_REALTIME, nullptr));
    case Attack::kTerminal:
      return ErrorOf(::ioctl(STDIN_FILENO, TIOCSTI, "x"));
    case Attack::kOtherArchitecture:
      return OtherArchitecture();
    case Attack::kX32:
      return X32();
    default:
      return -1;
  }
}

int OpenSockets(Attack attack) {
  switch (attack) {
    case Attack::kInet:
      return Socket(AF_INET);
    case Attack::kInet6:
      return Socket(AF_INET6);
    case Attack::kInetHighBits:
      return Socket((1L << 32) | AF_INET);
    case Attack::kConnectTcp:
      return ConnectTcp();
    case Attack::kNetlink:
      return Socket(AF_NETLINK, SOCK_RAW);
    case Attack::kPacket:
      return Socket(AF_PACKET, SOCK_RAW);
    case Attack::kVsock:
      return Socket(AF_VSOCK);
    case Attack::kAlgorithms:
      return Socket(AF_ALG, SOCK_SEQPACKET);
    case Attack::kUnixSocket:
      return Socket(AF_UNIX);
    default:
      return -1;
  }
}

int UseWhatIsLeft(Attack attack) {
  switch (attack) {
    case Attack::kExecuteItself:
      return Execute("/proc/self/exe", "--version");
    case Attack::kStartAgain:
      return Execute("/proc/self/exe", "--config", page->config);
    case Attack::kLookUpNames:
      return LookUpNames();
    case Attack::kLoadLibrary:
      return LoadLibrary();
    case Attack::kStartThread:
      return StartThread();
    default:
      return -1;
  }
}

// Each function handles one kind of attack, and returns -1 for the others.
int Try(Attack attack) {
  for (auto* const kind :
       {AttackFiles, AttackProcesses, AttackSystem, OpenSockets, UseWhatIsLeft}) {
    if (const int error = kind(attack); error >= 0) return error;
  }
  return ENOTSUP;
}

void AttackIf(AttackThread thread) {
  if (page == nullptr || page->wanted != thread) return;
  page->wanted = AttackThread::kNone;
  const int before = errno;
  page->thread = ::gettid();
  for (size_t i = 0; i < test::kAttacks; ++i) page->errors[i] = Try(static_cast<Attack>(i));
  errno = before;
  page->done = true;
}

// Returns the next definition, which is libc's or a sanitizer's.
template <typename Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int poll(pollfd* entries, nfds_t count, int timeout) {
  static auto* const kNext = Next<decltype(::poll)>("poll");
  if (::gettid() != ::getpid()) AttackIf(AttackThread::kLog);
  return kNext(entries, count, timeout);
}

int epoll_wait(int epoll, epoll_event* events, int most, int timeout) {
  static auto* const kNext = Next<decltype(::epoll_wait)>("epoll_wait");
  AttackIf(AttackThread::kMain);
  return kNext(epoll, events, most, timeout);
}

}  // extern "C"
