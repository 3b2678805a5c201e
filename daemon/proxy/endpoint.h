// SPDX-License-Identifier: Apache-2.0
//
// Endpoint: a socket at which the daemon itself is asked ([admin], [metrics]), and how it becomes
// that of the next configuration. On the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "config/config.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/listening_socket.h"
#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"
#include "ttrpc/wire/acceptor.h"

namespace proxyd {

class Endpoint {
 public:
  struct Place {
    MetricsAddress address;
    SocketAccess access;
  };
  using Socket = std::variant<ttrpc::ListeningSocket, ttrpc::UniqueFd>;  // of Unix; of TCP

  // What of a change can fail, done. Unless it is committed, its end undoes it.
  class Change {
   public:
    Change(Change&& other) noexcept;
    Change& operator=(Change&&) = delete;
    ~Change();

   private:
    friend class Endpoint;
    Change() = default;

    std::optional<Place> place_;   // none: nothing listens
    std::optional<Socket> made_;   // none: the socket stays
    Endpoint* to_undo_ = nullptr;  // its access was changed
  };

  // `label`: as messages call it, `[admin]`. `loop` must outlive it.
  Endpoint(ttrpc::IoLoop& loop, std::string label, std::function<void(ttrpc::UniqueFd)> accept);
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  // A socket for `place`, unless it is here already; then who may connect. The error, `LABEL: WHY`,
  // leaves all as it was.
  ttrpc::Result<Change> Prepare(const std::optional<Place>& place);
  // Accepts there, from here on, or nowhere.
  void Commit(Change change);

  // Whoever connects waits (false), or is accepted.
  void SetAccepting(bool accepting);

 private:
  ttrpc::Status SetAccess(const SocketAccess& access);
  void Listen();

  ttrpc::IoLoop& loop_;
  const std::string label_;
  const std::function<void(ttrpc::UniqueFd)> accept_;
  std::optional<Place> place_;
  std::optional<Socket> socket_;  // if there is a place
  std::unique_ptr<ttrpc::Acceptor> acceptor_;
  bool accepting_ = true;
};

}  // namespace proxyd
