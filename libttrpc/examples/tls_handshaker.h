// SPDX-License-Identifier: Apache-2.0
//
// ttrpc over TLS, for either side: a handshaker that replaces the socket with another transport.
// The library gets one end of a socketpair. The other end and the socket are two bufferevents, one
// of which uses TLS; what one receives, the other sends. Use it on the loop's thread.
//
// Both sides present a certificate and accept only one that the given authority has signed. A pump
// lives until one side has ended the connection and its last bytes are delivered, or until its
// handshaker is destroyed. After Shutdown(), a server should therefore run its loop until idle().
#pragma once

#include <ttrpc/handshaker.h>

#include <memory>
#include <string>
#include <utility>

struct ssl_ctx_st;

namespace example {

struct TlsOptions {
  TlsOptions() {}
  // Paths of PEM files.
  std::string certificate;
  std::string key;
  std::string authority;
  bool client = false;
  // The name that the server's certificate must be issued for. Required for a client, unused
  // otherwise.
  std::string server_name;
};

// The session of a connection; handlers get it from Context::session().
class TlsSession final : public ttrpc::HandshakeSession {
 public:
  explicit TlsSession(std::string peer) : peer_(std::move(peer)) {}
  // Returns the common name in the other side's certificate.
  const std::string& peer() const { return peer_; }

 private:
  std::string peer_;
};

class TlsHandshaker final : public ttrpc::Handshaker {
 public:
  // Returns INVALID_ARGUMENT with the file that cannot be used.
  static ttrpc::Result<std::unique_ptr<TlsHandshaker>> Create(const TlsOptions& options);
  ~TlsHandshaker() override;

  ttrpc::Task<ttrpc::Result<ttrpc::Handshaken>> Handshake(ttrpc::IoLoop& loop,
                                                          ttrpc::UniqueFd socket) override;
  // Returns true if no connection has bytes to deliver.
  bool idle() const;

 private:
  class Pumps;

  TlsHandshaker(ssl_ctx_st* context, const TlsOptions& options);

  struct ContextDeleter {
    void operator()(ssl_ctx_st* context) const;
  };

  std::unique_ptr<ssl_ctx_st, ContextDeleter> context_;
  bool client_;
  std::string server_name_;
  std::unique_ptr<Pumps> pumps_;
};

}  // namespace example
