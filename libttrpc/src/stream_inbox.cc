// SPDX-License-Identifier: Apache-2.0
#include "stream_inbox.h"

#include <chrono>
#include <utility>

namespace ttrpc {

namespace {
// Go's client and server wait just as long for a stream.
constexpr auto kPatience = std::chrono::seconds(1);
// Each message costs more than its bytes, so that empty messages cannot be queued without limit.
constexpr size_t kMessageCost = sizeof(std::string);

size_t CostOf(const std::string& message) { return message.size() + kMessageCost; }

}  // namespace

ReadGate::ReadGate(IoLoop& loop, Connection& connection, size_t stream_buffer)
    : connection_(connection), stream_buffer_(stream_buffer), timer_(loop, [this] { Look(); }) {}

void ReadGate::Hold() {
  if (holders_++ == 0) connection_.PauseReading();
}

void ReadGate::Release() {
  if (--holders_ == 0) connection_.ResumeReading();
}

void ReadGate::Give(size_t bytes) {
  const bool was_overfull = overfull();
  kept_ -= bytes;
  if (!was_overfull || overfull()) return;
  for (RingNode* node = overfull_.next; node != &overfull_;) {
    auto* const inbox = static_cast<StreamInbox*>(node);
    node = node->next;
    if (!inbox->Overfull()) inbox->LeaveGate();
  }
}

void ReadGate::Look() {
  RingNode patient;
  while (!overfull_.alone()) {
    auto* const inbox = static_cast<StreamInbox*>(overfull_.next);
    inbox->Leave();
    if (std::exchange(inbox->taken_, false)) {
      patient.InsertBefore(inbox);
    } else {
      inbox->holds_ = false;
      Release();
      inbox->owner_.OnStreamBufferFull();
    }
  }
  if (patient.alone()) return;
  patient.InsertBefore(&overfull_);
  patient.Leave();
  timer_.Start(kPatience);
}

StreamInbox::StreamInbox(IoLoop& loop, Owner& owner) : owner_(owner), waiter_(loop) {}

StreamInbox::~StreamInbox() {
  LeaveGate();
  if (gate_ != nullptr) gate_->Give(bytes_);
}

void StreamInbox::Push(std::string message) {
  if (ended_) return;
  bytes_ += CostOf(message);
  gate_->Keep(CostOf(message));
  messages_.push_back(std::move(message));
  waiter_.Wake();
  if (holds_ || !Overfull()) return;
  holds_ = true;
  // Another stream may make the gate check at any moment. That check must not fail this stream.
  taken_ = true;
  gate_->overfull_.InsertBefore(this);
  gate_->Hold();
  if (!gate_->timer_.active()) gate_->timer_.Start(kPatience);
}

void StreamInbox::End(Status status) {
  if (!ended_) {
    ended_ = true;
    status_ = std::move(status);
  }
  waiter_.Wake();
  LeaveGate();
  // Without a gate, the queue can only become shorter.
  if (gate_ != nullptr) std::exchange(gate_, nullptr)->Give(bytes_);
}

bool StreamInbox::Overfull() const { return bytes_ > gate_->stream_buffer_ || gate_->overfull(); }

std::optional<std::string> StreamInbox::Take() {
  if (messages_.empty()) return std::nullopt;
  std::string message = messages_.pop_front();
  bytes_ -= CostOf(message);
  taken_ = true;
  if (gate_ == nullptr) return message;
  gate_->Give(CostOf(message));
  if (holds_ && !Overfull()) LeaveGate();
  return message;
}

void StreamInbox::LeaveGate() {
  if (!std::exchange(holds_, false)) return;
  Leave();
  gate_->Release();
}

}  // namespace ttrpc
