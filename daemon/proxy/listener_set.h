// SPDX-License-Identifier: Apache-2.0
//
// ListenerSet: the sockets of all listeners of a configuration, or of [admin] or [metrics], and
// their change at a reload. A socket whose address stays is kept, so that clients waiting in its
// queue notice nothing; if its path was removed, it is created again. A socket from the service
// manager is kept even when its listener is removed, since it is passed only once: clients wait in
// its queue until a listener uses it again. It runs on the loop's thread.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "proxy/listener.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/listening_socket.h"
#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

// Sockets that the service manager passed, by name. Several may have the same name.
using PassedSockets = std::multimap<std::string, ttrpc::UniqueFd>;

class ListenerSet {
 public:
  // A socket that is open already.
  struct Here {
    std::string address;
    std::optional<ttrpc::ListeningSocket::Files> files;  // none if it has no path that is ours
  };

  // Sockets that were created for a configuration and do not accept yet. Destroying them removes
  // their paths, which may block. Any thread may do this.
  class NewSockets {
   public:
    size_t size() const { return made_.size(); }

   private:
    friend class ListenerSet;
    struct Made {
      SocketConfig config;
      BoundSocket socket;
    };
    std::vector<Made> made_;
  };

  // Change: a prepared reload, of which nothing can fail any more. Destroying it without Commit()
  // undoes it.
  class Change {
   public:
    Change(Change&&) = default;
    Change& operator=(Change&&) = delete;
    ~Change();

   private:
    friend class ListenerSet;
    struct Kept {
      Listener* listener;
      SocketConfig next;
      // The previous access, if it was changed.
      std::unique_ptr<ttrpc::ListeningSocketOptions> undo;
    };
    Change() = default;

    std::vector<Kept> kept_;
    std::vector<SocketConfig> resumed_;  // for passed sockets that had no listener
    NewSockets made_;
  };

  // `loop` must outlive the set.
  ListenerSet(ttrpc::IoLoop& loop, ListenerCallbacks callbacks);
  ListenerSet(const ListenerSet&) = delete;
  ListenerSet& operator=(const ListenerSet&) = delete;

  // The addresses of all listeners.
  std::vector<std::string> addresses() const;
  // The argument of Make().
  std::vector<Here> here() const;
  // Creates the sockets of `after`, or takes them out of `passed` if they have a systemd: address.
  // A socket that is `here` already and still has its path is left alone. The first failure is the
  // error, `LABEL: WHY`; then nothing has changed except `passed`. It may block, and any thread may
  // call it.
  static ttrpc::Result<NewSockets> Make(const std::vector<Here>& here,
                                        const std::vector<SocketConfig>& after,
                                        PassedSockets* passed);
  // Prepares the change to `after`, for which `made` was created with the present here(). Changes
  // who may connect to the sockets that stay. Errors have the form `LABEL: WHY`.
  ttrpc::Result<Change> Prepare(const std::vector<SocketConfig>& after, NewSockets made);
  // Calls Make() and prepares the change, for sockets of which none was passed. It may block.
  ttrpc::Result<Change> Prepare(const std::vector<SocketConfig>& after);

  // Starts the prepared listeners and stops those that are gone. Returns the sockets that are no
  // longer needed: destroying them removes their paths, which may block.
  [[nodiscard]] std::vector<BoundSocket> Commit(Change change);
  // Does the same, and logs each listener that was removed.
  [[nodiscard]] std::vector<BoundSocket> CommitAndLog(Change change);
  // Does the same, and removes the sockets that are no longer needed. It may block.
  void CommitAndRemove(Change change) { static_cast<void>(CommitAndLog(std::move(change))); }

  // While false, connections wait in the sockets' queues. Initially true.
  void SetAccepting(bool accepting);
  // Closes all listeners and removes their sockets.
  void Clear();

 private:
  static ttrpc::Status MakeOne(const SocketConfig& config, PassedSockets* passed, NewSockets* made);
  static ttrpc::Status RemakeIfGone(const SocketConfig& config, const Here& here, NewSockets* made);
  void Listen(std::vector<std::unique_ptr<Listener>>* listeners, SocketConfig config,
              BoundSocket socket);

  ttrpc::IoLoop& loop_;
  const ListenerCallbacks callbacks_;
  bool accepting_ = true;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::multimap<std::string, BoundSocket> idle_;  // passed sockets without a listener, by address
};

}  // namespace proxyd
