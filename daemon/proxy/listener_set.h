// SPDX-License-Identifier: Apache-2.0
//
// ListenerSet: the listeners of a configuration, or of its [admin] or [metrics], and how they
// become those of the next one. Sockets are kept by address, so that clients that wait in one that
// stays notice nothing; one whose path was removed is made again. Sockets that the service manager
// passed are kept when their listener goes, since it passes them only once: clients wait in them
// until a listener is back. On the loop's thread.
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

// By name: sockets that the service manager passed. There may be several of a name.
using PassedSockets = std::multimap<std::string, ttrpc::UniqueFd>;

class ListenerSet {
 public:
  // A socket that there is already.
  struct Here {
    std::string address;
    std::optional<ttrpc::ListeningSocket::Files> files;  // none: it has no path of its own
  };

  // Sockets that were made for a configuration and are not listened to yet. Their end removes them,
  // which may block. Any thread.
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

  // The part of becoming another configuration's that can fail, done. Unless it is committed, its
  // end undoes it.
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
      std::unique_ptr<ttrpc::ListeningSocketOptions> undo;  // what its access was, if it changed
    };
    Change() = default;

    std::vector<Kept> kept_;
    std::vector<SocketConfig> resumed_;  // for passed sockets that had no listener
    NewSockets made_;
  };

  // `loop` must outlive it.
  ListenerSet(ttrpc::IoLoop& loop, ListenerCallbacks callbacks);
  ListenerSet(const ListenerSet&) = delete;
  ListenerSet& operator=(const ListenerSet&) = delete;

  // Where it listens.
  std::vector<std::string> addresses() const;
  // The argument of Make().
  std::vector<Here> here() const;
  // Makes the sockets of `after`, or takes them out of `passed` where it names them, but for those
  // that are `here` already and still have their path. The first that cannot be is the error,
  // `LABEL: WHY`, and all is as it was, but for `passed`. Blocks; any thread.
  static ttrpc::Result<NewSockets> Make(const std::vector<Here>& here,
                                        const std::vector<SocketConfig>& after,
                                        PassedSockets* passed);
  // `made`: for `after`, with here() as it is now. Sets who may connect to the sockets that
  // stay; errors as above.
  ttrpc::Result<Change> Prepare(const std::vector<SocketConfig>& after, NewSockets made);
  // Both, for sockets of which none was passed. Blocks.
  ttrpc::Result<Change> Prepare(const std::vector<SocketConfig>& after);

  // Listens as the prepared configuration says, and no more where that does not. Returns the
  // sockets that are done with: destroying them removes their paths, which may block.
  [[nodiscard]] std::vector<BoundSocket> Commit(Change change);
  // The same, and logs which listener there is no longer.
  [[nodiscard]] std::vector<BoundSocket> CommitAndLog(Change change);
  // The same, but removes those sockets, too. Blocks.
  void CommitAndRemove(Change change) { static_cast<void>(CommitAndLog(std::move(change))); }

  // False: connections wait. At first true.
  void SetAccepting(bool accepting);
  // Listens nowhere; removes the sockets.
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
