// SPDX-License-Identifier: Apache-2.0
#include "ttrpc/wire/connection.h"

#include <event2/event.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "io_loop_core.h"
#include "page_allocator.h"
#include "send_queue.h"

namespace ttrpc {

namespace {

// The share of one connection in one wake-up, or of a group while other groups have messages. It
// bounds messages plus blocks of kBytesPerUnit bytes, so that a flood does not delay single calls.
constexpr int kUnitsPerTurn = 64;
constexpr size_t kBytesPerUnit = 8192;
// The time limit is separate, because the cost of handling a message varies.
constexpr auto kTimePerTurn = std::chrono::milliseconds(1);
// A turn checks the clock after this many messages, and again each time their number has doubled.
constexpr int kFirstLook = 8;
// One system call writes at most this many blocks. Further blocks wait for the next call.
constexpr size_t kBlocksPerWrite = 64;

// Changes of held() below this step are not reported, because small messages come and go.
constexpr size_t kHeldStep = 4096;

}  // namespace

struct Connection::Buffers {
  using Backlog = std::basic_string<char, std::char_traits<char>, PageAllocator<char>>;

  explicit Buffers(BlockPool& pool) : queue(pool) {}

  SendQueue queue;
  // Received bytes that are not delivered yet, because reading is paused or it is another
  // connection's turn. Nearly always empty.
  Backlog backlog;
};

Connection::Connection(IoLoop& loop, UniqueFd socket, ConnectionHandler* handler,
                       const ConnectionOptions& options)
    : loop_(loop),
      core_(*loop.core_),
      handler_(handler),
      socket_(std::move(socket)),
      decoder_(options.message_size),
      buffers_(std::make_unique<Buffers>(loop.core_->block_pool())),
      send_queue_high_(options.send_queue_high),
      send_queue_low_(options.send_queue_low),
      group_(options.group),
      bytes_(options.bytes),
      turn_(group_ ? core_.JoinGroup(*group_) : nullptr),
      sent_at_(loop.wake_up()),
      deliver_before_close_(options.deliver_before_close) {}

Connection::Connection(IoLoop& loop, ConnectionHandler* handler, const ConnectionOptions& options)
    : Connection(loop, UniqueFd(), handler, options) {}

Connection::~Connection() {
  Close();
  if (group_) core_.LeaveGroup(*group_);
}

void Connection::Start(UniqueFd socket) {
  if (closed_) return;
  socket_ = std::move(socket);
  Start();
}

void Connection::Start() {
  started_ = true;
  UpdateReadEvent();
  if (!flush_scheduled_ && (!buffers_->queue.empty() || closing_)) {
    flush_scheduled_ = true;
    core_.ScheduleFlush(this);
  }
}

// Reading.

void Connection::UpdateReadEvent() {
  const bool open = started_ && !closing_ && !closed();
  // A parked connection is not watched, since its readiness would be reported again and again.
  const bool parked = !parked_.alone();
  const bool reads = open && !paused_ && buffers_->backlog.empty() && !resume_scheduled_ && !parked;
  const bool awaits_end =
      open && !deliver_before_close_ && (paused_ || parked || !buffers_->backlog.empty());
  if (end_awaited_ && !awaits_end) core_.ForgetEnd(this);
  if (awaits_end && !end_awaited_) core_.AwaitEnd(this);
  end_awaited_ = awaits_end;
  if (reads == (read_event_ != nullptr)) return;
  read_event_.reset();
  if (!reads) return;
  read_event_.reset(event_new(
      loop_.base(), socket_.get(), EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* self) {
        auto* connection = static_cast<Connection*>(self);
        if (connection->Held()) return;
        if (const int most = connection->TurnLeft(false); most > 0)
          return connection->Receive(most);
        connection->WaitForTurn();
        connection->UpdateReadEvent();
      },
      this));
  if (event_add(read_event_.get(), nullptr) == 0) return;
  // The kernel has no memory for the event or has reached its limit. A connection that cannot be
  // read is lost. Resume() reports that, because the handler is never called from within a call.
  deaf_ = true;
  WaitForTurn();
}

void Connection::EndSeen() { Closed(CloseReason::kEndOfFile, 0); }

// Returns how many units the connection may deliver now. 0: its group has used its share, other
// connections of the group have waited longer, or the wake-up has lasted long enough.
int Connection::TurnLeft(bool has_waited) {
  const bool others = core_.OthersThan(turn_);
  if (turn_ == nullptr) return kUnitsPerTurn;
  turn_->began = {};
  if (!others) return core_.LongEnough() ? 0 : kUnitsPerTurn;
  if (turn_->wake_up != loop_.wake_up_) {
    turn_->wake_up = loop_.wake_up_;
    turn_->left = kUnitsPerTurn;
    turn_->spent = {};
  }
  if (turn_->left == 0 || (turn_->waiting > 0 && !has_waited)) return 0;
  turn_->began = loop_.clock_();
  return turn_->left;
}

// Returns true if the turn ends after `handled` messages. The clock is not checked each time,
// because that would cost more than most messages do.
bool Connection::TurnIsOver(int handled, int used) const {
  if (turn_ == nullptr) return false;
  const bool measured = turn_->began != ConnectionTurn::TimePoint();
  if (measured && used >= turn_->left) return true;
  if (handled < kFirstLook || (handled & (handled - 1)) != 0) return false;
  if (measured) return turn_->spent + (loop_.clock_() - turn_->began) >= kTimePerTurn;
  core_.CountHandedOut(kUnitsPerTurn);
  return core_.LongEnough();
}

void Connection::EndTurn(int used) {
  if (turn_ == nullptr) return;
  core_.CountHandedOut(used);
  if (turn_->began == ConnectionTurn::TimePoint()) return;
  turn_->spent += loop_.clock_() - turn_->began;
  turn_->left = turn_->spent >= kTimePerTurn ? 0 : std::max(0, turn_->left - used);
}

// Returns true if the connection's group is held, and parks the connection.
bool Connection::Held() {
  if (turn_ == nullptr || !turn_->held) return false;
  if (parked_.alone()) {
    turn_->parked.InsertBefore(&parked_);
    UpdateReadEvent();
  }
  return true;
}

void Connection::Unpark() {
  parked_.Leave();
  if (buffers_->backlog.empty() && !paused_) WaitForTurn();
  UpdateReadEvent();
}

void Connection::WaitForTurn() {
  if (resume_scheduled_) return;
  resume_scheduled_ = true;
  if (turn_ != nullptr) ++turn_->waiting;
  core_.ScheduleResume(this);
}

void Connection::StopWaiting() {
  if (!resume_scheduled_) return;
  resume_scheduled_ = false;
  if (turn_ != nullptr) --turn_->waiting;
}

void Connection::Receive(int most) {
  const std::span<char> tail = decoder_.Tail();
  std::array<iovec, 2> parts = {
      iovec{.iov_base = tail.data(), .iov_len = tail.size()},
      iovec{.iov_base = core_.read_buffer(), .iov_len = IoLoopCore::kReadBufferSize}};
  const ssize_t n = tail.empty()
                        ? ::recv(socket_.get(), parts[1].iov_base, parts[1].iov_len, 0)
                        : ::readv(socket_.get(), parts.data(), static_cast<int>(parts.size()));
  if (n < 0) {
    if (errno == EAGAIN || errno == EINTR) return;
    Closed(CloseReason::kSystemError, errno);
    return;
  }
  if (n == 0) {
    Closed(CloseReason::kEndOfFile, 0);
    return;
  }
  const auto received = static_cast<size_t>(n);
  if (bytes_ != nullptr) bytes_->received += received;
  const size_t in_tail = std::min(received, tail.size());
  decoder_.Commit(in_tail);
  HandOut({core_.read_buffer(), received - in_tail}, in_tail, most);
}

void Connection::HandOut(std::string_view input, size_t received, int most) {
  const size_t all = received + input.size();
  const auto units = [all](int handled, std::string_view rest) {
    return handled + static_cast<int>((all - rest.size()) / kBytesPerUnit);
  };
  int handled = 0;
  handing_out_ = true;
  while (handled < most && !paused_ && HandOutOne(&input)) {
    ++handled;
    if (!input.empty() && TurnIsOver(handled, units(handled, input))) break;
  }
  handing_out_ = false;
  // A read that yields no whole message costs a unit as well.
  EndTurn(std::max(1, units(handled, input)));
  if (closed()) return DropInput();
  received_at_ = loop_.wake_up_;
  TellPartial(handled > 0);
  if (closed()) return;
  if (closing_) {
    DropInput();
  } else {
    KeepBacklog(input);
  }
  if (!buffers_->backlog.empty() && !paused_) WaitForTurn();
  UpdateReadEvent();
  // If a flush is scheduled, it reports held() after writing.
  if (!flush_scheduled_) TellHeld();
}

void Connection::TellPartial(bool new_message) {
  const bool partial = decoder_.partial();
  if (partial == partial_ && !(partial && new_message)) return;
  partial_ = partial;
  handler_->OnPartialMessage(partial);
}

void Connection::TellHeld() {
  const size_t held =
      (buffers_->queue.held() + decoder_.held() + buffers_->backlog.size()) / kHeldStep * kHeldStep;
  if (held == held_) return;
  held_ = held;
  handler_->OnHeldChanged();
}

// Returns false if nothing more can be delivered.
bool Connection::HandOutOne(std::string_view* input) {
  const MessageDecoder::Decoded decoded = decoder_.Next(input);
  switch (decoded.event) {
    case MessageDecoder::Event::kNeedMore:
      return false;
    case MessageDecoder::Event::kMessage:
      handler_->OnMessage(decoded.header, decoded.data);
      break;
    case MessageDecoder::Event::kOversized:
      handler_->OnOversizedMessage(decoded.header);
      break;
    case MessageDecoder::Event::kMalformed:
      Closed(CloseReason::kProtocolError, 0);
      return false;
  }
  return !closed() && !closing_;
}

// `rest` points into the loop's buffer or into the backlog itself.
void Connection::KeepBacklog(std::string_view rest) {
  if (rest.empty()) {
    // Assigning an empty string would keep the memory.
    if (!buffers_->backlog.empty()) Buffers::Backlog().swap(buffers_->backlog);
    backlog_begin_ = 0;
  } else if (buffers_->backlog.empty()) {
    buffers_->backlog.assign(rest);
  } else {
    backlog_begin_ = buffers_->backlog.size() - rest.size();
  }
}

// The received bytes are no longer in use.
void Connection::DropInput() {
  Buffers::Backlog().swap(buffers_->backlog);
  backlog_begin_ = 0;
  decoder_.Clear();
}

std::optional<uint64_t> Connection::stuck_since() const {
  std::optional<uint64_t> since;
  if (!buffers_->queue.empty() && (write_blocked_ || !started_)) since = sent_at_;
  if (decoder_.held() > 0 || !buffers_->backlog.empty())
    since = std::min(since.value_or(received_at_), received_at_);
  return since;
}

void Connection::Resume() {
  StopWaiting();
  if (closed() || closing_) return;
  if (deaf_) return Closed(CloseReason::kSystemError, ENOMEM);
  if (paused_) return;
  if (buffers_->backlog.empty() && Held()) return;
  const int most = TurnLeft(true);
  if (most == 0) return WaitForTurn();
  if (!buffers_->backlog.empty())
    return HandOut(std::string_view(buffers_->backlog).substr(backlog_begin_), 0, most);
  UpdateReadEvent();
  Receive(most);
}

void Connection::PauseReading() {
  if (paused_) return;
  paused_ = true;
  UpdateReadEvent();
}

void Connection::ResumeReading() {
  if (!paused_) return;
  paused_ = false;
  if (buffers_->backlog.empty()) {
    UpdateReadEvent();
  } else if (started_ && !closed()) {
    WaitForTurn();
  }
}

// Writing.

size_t Connection::send_queue_size() const { return buffers_->queue.size(); }

char* Connection::Begin(const MessageHeader& header) {
  char* place = buffers_->queue.Extend(kMessageHeaderLength + header.length);
  EncodeMessageHeader(header, place);
  if (buffers_->queue.size() >= send_queue_high_) full_ = true;
  if (!flush_scheduled_) {
    flush_scheduled_ = true;
    core_.ScheduleFlush(this);
  }
  return place + kMessageHeaderLength;
}

void Connection::Send(MessageHeader header, std::string_view data) {
  header.length = static_cast<uint32_t>(data.size());
  char* place = Begin(header);
  if (!data.empty()) std::memcpy(place, data.data(), data.size());
}

void Connection::Flush() {
  flush_scheduled_ = false;
  if (closed()) {
    buffers_->queue.Clear();
    return;
  }
  // Without a writable socket, only held() can have changed.
  started_ && !writable_awaited_ ? Write() : TellHeld();
}

void Connection::Write() {
  if (write_failed_) buffers_->queue.Clear();
  bool blocked = false;
  bool progress = false;
  while (!buffers_->queue.empty()) {
    std::array<iovec, kBlocksPerWrite> parts;
    msghdr message = {};
    message.msg_iov = parts.data();
    message.msg_iovlen = buffers_->queue.Gather(parts);
    // send(2) is cheaper than sendmsg(2), and there is nearly always only one part.
    const ssize_t n = message.msg_iovlen == 1
                          ? ::send(socket_.get(), parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL)
                          : ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN && WaitForWritable()) {
        blocked = true;
        break;
      }
      WriteFailed(errno);
      return;
    }
    buffers_->queue.Consume(static_cast<size_t>(n));
    if (bytes_ != nullptr) bytes_->sent += static_cast<uint64_t>(n);
    progress = true;
  }
  if (blocked != write_blocked_ || (blocked && progress)) {
    write_blocked_ = blocked;
    sent_at_ = loop_.wake_up_;
    handler_->OnWriteBlocked(blocked);
    if (closed()) return;
  }
  if (buffers_->queue.empty() && closing_) {
    Closed(CloseReason::kFlushed, 0);
    return;
  }
  if (full_ && buffers_->queue.size() <= send_queue_low_) {
    full_ = false;
    handler_->OnSendQueueLow();
    if (closed()) return;
  }
  TellHeld();
}

// Returns false if the kernel has no memory for the event.
bool Connection::WaitForWritable() {
  if (!write_event_) {
    write_event_.reset(event_new(
        loop_.base(), socket_.get(), EV_WRITE,
        [](evutil_socket_t, short, void* self) {
          auto* connection = static_cast<Connection*>(self);
          connection->writable_awaited_ = false;
          connection->Write();
        },
        this));
  }
  writable_awaited_ = event_add(write_event_.get(), nullptr) == 0;
  return writable_awaited_;
}

// The other side is usually gone, and its last messages and the end of file can still be read. If
// it is not gone, shutdown() makes it notice that nothing more follows; otherwise the end of file
// would never come.
void Connection::WriteFailed(int error_number) {
  write_failed_ = true;
  buffers_->queue.Clear();
  ::shutdown(socket_.get(), SHUT_WR);
  if (closing_ || !deliver_before_close_) {
    Closed(CloseReason::kSystemError, error_number);
    return;
  }
  if (std::exchange(full_, false)) handler_->OnSendQueueLow();
}

// Closing.

void Connection::CloseAfterFlush() {
  if (closed() || closing_) return;
  closing_ = true;
  if (!handing_out_) DropInput();
  UpdateReadEvent();
  if (!flush_scheduled_ && !writable_awaited_ && started_) {
    flush_scheduled_ = true;
    core_.ScheduleFlush(this);
  }
}

void Connection::Close() {
  closed_ = true;
  if (flush_scheduled_ || resume_scheduled_) core_.Forget(this);
  flush_scheduled_ = false;
  StopWaiting();
  parked_.Leave();
  // A closed connection may live for a while before it is destroyed, and thousands may be closed at
  // once. Their memory is freed now.
  if (!handing_out_) DropInput();
  if (end_awaited_) core_.ForgetEnd(this);
  end_awaited_ = false;
  read_event_.reset();
  write_event_.reset();
  writable_awaited_ = false;
  buffers_->queue.Clear();
  held_ = 0;
  socket_.reset();
}

void Connection::Closed(CloseReason reason, int error_number) {
  Close();
  handler_->OnClosed(reason, error_number);
}

}  // namespace ttrpc
