// SPDX-License-Identifier: Apache-2.0
//
// Slots and charges: what a user has taken of a limit. Each is taken when something begins, and its
// destructor releases it, so that nothing is counted for longer than it exists. The Accounting and
// the user's account must outlive them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "limits/limit.h"

namespace proxyd {

class Accounting;
class UserAccount;

// One call of a user in flight. A slot may be empty. It is released on the thread that holds it.
class CallSlot {
 public:
  CallSlot() = default;
  CallSlot(CallSlot&& other) noexcept : account_(std::exchange(other.account_, nullptr)) {}
  CallSlot& operator=(CallSlot&& other) noexcept {
    Release();
    account_ = std::exchange(other.account_, nullptr);
    return *this;
  }
  ~CallSlot() { Release(); }

  void Release();

 private:
  friend class UserAccount;
  explicit CallSlot(UserAccount* account) : account_(account) {}

  UserAccount* account_ = nullptr;
};

// One connection of a user to a backend, from the dialling until it is closed. A slot may be empty.
// It must be released before the user's last connection.
class BackendSlot {
 public:
  BackendSlot() = default;
  BackendSlot(BackendSlot&& other) noexcept
      : accounting_(std::exchange(other.accounting_, nullptr)), account_(other.account_) {}
  BackendSlot& operator=(BackendSlot&& other) noexcept {
    Release();
    accounting_ = std::exchange(other.accounting_, nullptr);
    account_ = other.account_;
    return *this;
  }
  ~BackendSlot() { Release(); }

  void Release();

 private:
  friend class ConnectionSlot;
  BackendSlot(Accounting* accounting, UserAccount* account)
      : accounting_(accounting), account_(account) {}

  Accounting* accounting_ = nullptr;
  UserAccount* account_ = nullptr;
};

// The bytes of memory that are held for a user.
class MemoryCharge {
 public:
  MemoryCharge(MemoryCharge&& other) noexcept
      : accounting_(other.accounting_),
        account_(other.account_),
        bytes_(std::exchange(other.bytes_, 0)) {}
  MemoryCharge& operator=(MemoryCharge&&) = delete;
  ~MemoryCharge() { Set(0); }

  // Replaces what was charged before.
  void Set(size_t bytes);
  size_t bytes() const { return bytes_; }
  const UserAccount& account() const { return *account_; }

 private:
  friend class ConnectionSlot;
  MemoryCharge(Accounting* accounting, UserAccount* account)
      : accounting_(accounting), account_(account) {}

  Accounting* accounting_;
  UserAccount* account_;
  size_t bytes_ = 0;
};

// One connection of a user, with the memory that is held for it.
class ConnectionSlot {
 public:
  ConnectionSlot(ConnectionSlot&& other) noexcept
      : accounting_(std::exchange(other.accounting_, nullptr)),
        account_(other.account_),
        listener_(other.listener_),
        charge_(std::move(other.charge_)) {}
  ConnectionSlot& operator=(ConnectionSlot&&) = delete;
  ~ConnectionSlot();

  UserAccount& account() const { return *account_; }

  // Sets the bytes of memory that are held for this connection now.
  void SetBuffered(size_t bytes) { charge_.Set(bytes); }
  size_t buffered() const { return charge_.bytes(); }
  // Returns a charge for memory that several connections of the user share. It must be destroyed
  // before the user's last connection.
  MemoryCharge NewCharge() const { return {accounting_, account_}; }
  // Takes a slot for a connection to a backend, or returns the limit that is reached.
  std::optional<Limit> TakeBackend(const BackendLimits& limits, BackendSlot* slot) const;

 private:
  friend class Accounting;
  ConnectionSlot(Accounting* accounting, UserAccount* account, const std::string* listener)
      : accounting_(accounting),
        account_(account),
        listener_(listener),
        charge_(accounting, account) {}

  Accounting* accounting_;
  UserAccount* account_;
  // The address of a listener with a limit of its own, as a key of the account's map; null for
  // others.
  const std::string* listener_;
  MemoryCharge charge_;
};

}  // namespace proxyd
