// SPDX-License-Identifier: Apache-2.0
//
// AttackPage: memory that a test shares with a daemon under its control. The test chooses the
// thread that attacks the system; attacks_preload.cc, in the daemon, attacks on it and reports the
// results.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace test {

enum class Attack : uint32_t {
  // files; "elsewhere" is a directory that the daemon's configuration does not name
  kReadFile,
  kListFolder,
  kWriteFile,
  kWriteUserDatabase,
  kMakeFile,
  kTruncateFile,
  kRemoveFile,
  kMakeFolder,
  kRemoveFolder,
  kWatchFolder,
  kMakeLink,
  kMakeFifo,
  kMakeDevice,
  kBindSocket,
  kSetIdMode,
  kSetIdFile,
  kSetIdUnnamedFile,
  kOpenByHandle,
  // programs
  kExecute,
  kExecuteMemory,
  // other processes
  kTrace,
  kReadMemory,
  kReadEnvironment,
  kSignal,
  // system calls
  kMount,
  kNewMount,
  kUnshare,
  kCloneNamespace,
  kClone3Namespace,
  kJoinNamespace,
  kBpf,
  kModule,
  kKeyring,
  kIoUring,
  kPerformanceEvents,
  kUserFaults,
  kPersonality,
  kAnotherUser,
  kHostName,
  kClock,
  kTerminal,
  kOtherArchitecture,
  kX32,
  // socket families
  kInet,
  kInet6,
  kInetHighBits,
  kConnectTcp,
  kNetlink,
  kPacket,
  kVsock,
  kAlgorithms,
  // allowed actions: a daemon takes these, now or in a later version
  kExecuteItself,
  kStartAgain,
  kLookUpNames,
  kLoadLibrary,
  kUnixSocket,
  kStartThread,
  kCount,
};
inline constexpr size_t kAttacks = static_cast<size_t>(Attack::kCount);

enum class AttackThread : uint32_t { kNone, kMain, kLog };

// The environment variable with the path of the file that holds the page.
inline constexpr char kAttackPageVariable[] = "TTRPC_TEST_ATTACK_PAGE";
// The environment variable with the number of a system call that the kernel seems not to have.
inline constexpr char kMissingCallVariable[] = "TTRPC_TEST_MISSING_CALL";

struct AttackPage {
  std::atomic<AttackThread> wanted;
  std::atomic<bool> done;
  pid_t thread;               // the thread that attacked
  pid_t victim;               // a process outside the daemon
  const char* victim_memory;  // a byte of the victim's
  uint16_t victim_port;       // an IPv4 port where the victim listens
  // A directory with files `secret` and `victim`, a program `program` and a directory `empty`.
  char elsewhere[64];
  char config[64];           // the daemon's configuration
  int32_t errors[kAttacks];  // errno, or 0 if the attack succeeded
};
static_assert(std::atomic<AttackThread>::is_always_lock_free, "it is shared between processes");

}  // namespace test
