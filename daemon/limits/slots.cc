// SPDX-License-Identifier: Apache-2.0
#include "limits/slots.h"

#include <sys/types.h>

#include "limits/accounting.h"
#include "limits/user_account.h"

namespace proxyd {

void CallSlot::Release() {
  if (account_ == nullptr) return;
  std::exchange(account_, nullptr)->calls_.fetch_sub(1, std::memory_order_relaxed);
}

void BackendSlot::Release() {
  if (accounting_ != nullptr) std::exchange(accounting_, nullptr)->ReleaseBackend(account_);
}

void MemoryCharge::Set(size_t bytes) {
  if (bytes == bytes_) return;
  // A smaller value wraps around; the additions wrap back.
  const uint64_t change = uint64_t{bytes} - bytes_;
  bytes_ = bytes;
  accounting_->buffered_.fetch_add(change, std::memory_order_relaxed);
  const uint64_t own = account_->buffered_.fetch_add(change, std::memory_order_relaxed) + change;
  if (account_->uid() == Accounting::kRoot) return;
  auto& heaviest = accounting_->heaviest_;
  for (uint64_t was = heaviest.load(std::memory_order_relaxed);
       own > was && !heaviest.compare_exchange_weak(was, own, std::memory_order_relaxed);) {
  }
}

ConnectionSlot::~ConnectionSlot() {
  if (accounting_ == nullptr) return;
  charge_.Set(0);
  accounting_->Disconnect(account_, listener_);
}

std::optional<Limit> ConnectionSlot::TakeBackend(const BackendLimits& limits,
                                                 BackendSlot* slot) const {
  if (const auto limit = accounting_->TakeBackend(account_, limits)) return limit;
  *slot = BackendSlot(accounting_, account_);
  return std::nullopt;
}

}  // namespace proxyd
