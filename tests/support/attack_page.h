// SPDX-License-Identifier: Apache-2.0
//
// AttackPage: memory that a test shares with a daemon that attacks the system it runs on: the test
// says on which thread, attacks_preload.cc, in the daemon, attacks and says how it went.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace test {

enum class Attack : uint32_t {
  // files; "elsewhere" is a folder that the daemon's configuration does not name
  kReadFile,
  kListFolder,
  kWriteFile,
  kWriteUserDatabase,
  kMakeFile,
  kTruncateFile,
  kRemoveFile,
  kMakeFolder,
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
  // the system
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
  kNetlink,
  kPacket,
  kVsock,
  kAlgorithms,
  // no attacks: what a daemon does, or may come to do
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

// The file that holds the page, by its path.
inline constexpr char kAttackPageVariable[] = "TTRPC_TEST_ATTACK_PAGE";
// The number of a system call that the kernel is to be without.
inline constexpr char kMissingCallVariable[] = "TTRPC_TEST_MISSING_CALL";

struct AttackPage {
  std::atomic<AttackThread> wanted;
  std::atomic<bool> done;
  pid_t thread;               // that attacked
  pid_t victim;               // a process outside
  const char* victim_memory;  // a byte of it
  char elsewhere[64];         // holds files `secret` and `victim`, and a program `program`
  char config[64];            // the daemon's configuration
  int32_t errors[kAttacks];   // 0: it succeeded
};
static_assert(std::atomic<AttackThread>::is_always_lock_free, "it is shared between processes");

}  // namespace test
