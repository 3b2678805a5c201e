// SPDX-License-Identifier: Apache-2.0
//
// ListenerSet: the listeners of a configuration, and how they become those of the next one: sockets
// are kept by address, so that who waits in one that stays notices nothing. On the loop's thread.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "proxy/listener.h"
#include "ttrpc/io_loop.h"
#include "ttrpc/listening_socket.h"
#include "ttrpc/status.h"
#include "ttrpc/unique_fd.h"

namespace proxyd {

// By name: sockets that the service manager passed. There may be several of a name.
using PassedSockets = std::multimap<std::string, ttrpc::UniqueFd>;

// A new socket of ours at `address`.
ttrpc::ListeningSocketOptions OptionsOf(const ttrpc::Address& address, const SocketAccess& access);
// One that is there: what is not given is what a new one would have. Null: no path, and so nobody
// to keep out by it.
std::unique_ptr<ttrpc::ListeningSocketOptions> AccessOf(const ttrpc::Address& address,
                                                        const SocketAccess& access);

class ListenerSet {
 public:
  // `listener`: index into Config::listeners.
  using AcceptFunction = std::function<void(size_t listener, ttrpc::UniqueFd socket)>;

  // Sockets that were made for a configuration and are not listened to yet. Their end removes them,
  // which may block. Any thread.
  class NewSockets {
   public:
    size_t size() const { return made_.size(); }

   private:
    friend class ListenerSet;
    struct Made {
      size_t index;
      ttrpc::ListeningSocket socket;
    };
    std::vector<Made> made_;
  };

  // Everything that can fail of becoming another configuration's, done. Unless it is committed, its
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
      size_t index;                                         // in the next configuration
      std::unique_ptr<ttrpc::ListeningSocketOptions> undo;  // what its access was, if it changed
    };
    Change() = default;

    std::vector<Kept> kept_;
    NewSockets made_;
  };

  // `loop` must outlive it.
  ListenerSet(ttrpc::IoLoop& loop, AcceptFunction accept);

  // Where it listens.
  std::vector<ListenerAddress> addresses() const;
  // Makes the sockets of `after`, or takes them out of `passed` where it names them, but for those
  // that are at one of `here` already. The first that cannot be is the error, `listener "NAME":
  // WHY`, and all is as it was, but for `passed`. Blocks; any thread.
  static ttrpc::Result<NewSockets> Make(const std::vector<ListenerAddress>& here,
                                        const Config& after, PassedSockets* passed);
  // `made`: for `after`, with addresses() as they are now. Sets who may connect to the sockets that
  // stay; errors as above.
  ttrpc::Result<Change> Prepare(const Config& after, NewSockets made);
  // Listens as the prepared configuration says, and no more where that does not. Returns the
  // sockets that are done with: destroying them removes their paths, which may block.
  [[nodiscard]] std::vector<ttrpc::ListeningSocket> Commit(Change change, const Config& after);

  // Listens nowhere; removes the sockets.
  void Clear() { listeners_.clear(); }

 private:
  static ttrpc::Status MakeOne(const ListenerConfig& listener, size_t index, PassedSockets* passed,
                               NewSockets* made);
  static ttrpc::Status Keep(Listener* listener, const ListenerConfig& after, Change::Kept* kept);

  ttrpc::IoLoop& loop_;
  AcceptFunction accept_;
  std::vector<std::unique_ptr<Listener>> listeners_;
};

}  // namespace proxyd
