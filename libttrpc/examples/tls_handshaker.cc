// SPDX-License-Identifier: Apache-2.0
#include "tls_handshaker.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <coroutine>
#include <list>
#include <optional>
#include <utility>

namespace example {

namespace {

using ttrpc::Status;
using ttrpc::StatusCode;

// Bytes buffered when one side sends faster than the other reads.
constexpr size_t kBuffered = 256U << 10;
constexpr size_t kLow = 64U << 10;
// How long the other side may stop reading once this side has ended.
constexpr timeval kLinger = {10, 0};

struct BuffereventDeleter {
  void operator()(bufferevent* b) const { ::bufferevent_free(b); }
};
using BuffereventPtr = std::unique_ptr<bufferevent, BuffereventDeleter>;

std::string OpensslError(unsigned long error) {
  char text[256];
  ::ERR_error_string_n(error, text, sizeof text);
  return text;
}

// Waits for the TLS handshake of a bufferevent, which must outlive the object.
class Handshaking {
 public:
  Handshaking(ttrpc::IoLoop& loop, bufferevent* tls) : tls_(tls), waiter_(loop) {
    ::bufferevent_setcb(tls_, nullptr, nullptr, OnEvent, this);
  }
  ~Handshaking() { ::bufferevent_setcb(tls_, nullptr, nullptr, nullptr, nullptr); }
  Handshaking(const Handshaking&) = delete;
  Handshaking& operator=(const Handshaking&) = delete;

  bool await_ready() const { return outcome_.has_value(); }
  void await_suspend(std::coroutine_handle<> waiting) { waiter_.Wait(waiting); }
  Status await_resume() const { return *outcome_; }

 private:
  static void OnEvent(bufferevent*, short what, void* self) {
    auto* const handshaking = static_cast<Handshaking*>(self);
    if (handshaking->outcome_) return;
    handshaking->outcome_ = (what & BEV_EVENT_CONNECTED) != 0 ? Status() : handshaking->Failure();
    handshaking->waiter_.Wake();
  }

  Status Failure() const {
    const long verified = ::SSL_get_verify_result(::bufferevent_openssl_get_ssl(tls_));
    if (verified != X509_V_OK) {
      return {StatusCode::kUnauthenticated,
              std::string("TLS: ") + ::X509_verify_cert_error_string(verified)};
    }
    const unsigned long error = ::bufferevent_get_openssl_error(tls_);
    return {StatusCode::kUnauthenticated,
            "TLS: " + (error == 0 ? "the other side went away" : OpensslError(error))};
  }

  bufferevent* tls_;
  ttrpc::Waiter waiter_;
  std::optional<Status> outcome_;
};

// Returns the common name in the other side's verified certificate.
std::string PeerName(const SSL* ssl) {
  const X509* const certificate = ::SSL_get0_peer_certificate(ssl);
  if (certificate == nullptr) return {};
  char name[256] = "";
  ::X509_NAME_get_text_by_NID(::X509_get_subject_name(certificate), NID_commonName, name,
                              sizeof name);
  return name;
}

}  // namespace

// All connections of a handshaker, each from the end of its handshake.
class TlsHandshaker::Pumps {
 public:
  void Start(BuffereventPtr tls, BuffereventPtr plain) {
    pumps_.emplace_front(this, std::move(tls), std::move(plain));
    pumps_.front().self = pumps_.begin();
    pumps_.front().Start();
  }
  bool empty() const { return pumps_.empty(); }

 private:
  struct Pump {
    Pump(Pumps* o, BuffereventPtr t, BuffereventPtr p)
        : owner(o), tls(std::move(t)), plain(std::move(p)) {}

    void Start() {
      for (bufferevent* side : {tls.get(), plain.get()}) {
        ::bufferevent_setcb(side, OnRead, OnWrite, OnEvent, this);
        ::bufferevent_setwatermark(side, EV_READ, 0, kBuffered);
        ::bufferevent_setwatermark(side, EV_WRITE, kLow, 0);
        ::bufferevent_enable(side, EV_READ | EV_WRITE);
      }
      Move(tls.get());  // bytes that arrived with the end of the handshake
    }

    bufferevent* Other(const bufferevent* side) const {
      return side == tls.get() ? plain.get() : tls.get();
    }

    void Move(bufferevent* from) {
      bufferevent* const to = Other(from);
      ::bufferevent_write_buffer(to, ::bufferevent_get_input(from));
      if (::evbuffer_get_length(::bufferevent_get_output(to)) >= kBuffered)
        ::bufferevent_disable(from, EV_READ);
    }

    // Handles the end of `side`: delivers the remaining bytes to the other side, then closes both.
    void End(bufferevent* side) {
      Move(side);
      ending = Other(side);
      ::bufferevent_disable(side, EV_READ | EV_WRITE);
      ::bufferevent_disable(ending, EV_READ);
      ::bufferevent_setwatermark(ending, EV_WRITE, 0, 0);
      ::bufferevent_set_timeouts(ending, nullptr, &kLinger);
      if (::evbuffer_get_length(::bufferevent_get_output(ending)) == 0) Close();
    }

    // Destroys this pump. libevent keeps a bufferevent that is freed in its own callback until the
    // callback returns.
    void Close() {
      SSL* const ssl = ::bufferevent_openssl_get_ssl(tls.get());
      // Announces the end without waiting for the other side to confirm it.
      ::SSL_set_shutdown(ssl, SSL_RECEIVED_SHUTDOWN);
      ::SSL_shutdown(ssl);
      owner->pumps_.erase(self);
    }

    static void OnRead(bufferevent* side, void* arg) {
      auto* const pump = static_cast<Pump*>(arg);
      if (pump->ending == nullptr) pump->Move(side);
    }
    static void OnWrite(bufferevent* side, void* arg) {
      auto* const pump = static_cast<Pump*>(arg);
      if (pump->ending == nullptr)
        ::bufferevent_enable(pump->Other(side), EV_READ);
      else if (side == pump->ending)
        pump->Close();
    }
    static void OnEvent(bufferevent* side, short, void* arg) {
      auto* const pump = static_cast<Pump*>(arg);
      // The event is the end of file, an error, or the timeout of a write.
      if (pump->ending == nullptr)
        pump->End(side);
      else
        pump->Close();
    }

    Pumps* owner;
    BuffereventPtr tls;
    BuffereventPtr plain;
    bufferevent* ending = nullptr;
    std::list<Pump>::iterator self;
  };

  std::list<Pump> pumps_;
};

void TlsHandshaker::ContextDeleter::operator()(ssl_ctx_st* context) const {
  ::SSL_CTX_free(context);
}

TlsHandshaker::TlsHandshaker(ssl_ctx_st* context, const TlsOptions& options)
    : context_(context),
      client_(options.client),
      server_name_(options.server_name),
      pumps_(std::make_unique<Pumps>()) {}

TlsHandshaker::~TlsHandshaker() = default;

bool TlsHandshaker::idle() const { return pumps_->empty(); }

ttrpc::Result<std::unique_ptr<TlsHandshaker>> TlsHandshaker::Create(const TlsOptions& options) {
  const auto wrong = [](const std::string& file) {
    return Status(StatusCode::kInvalidArgument, file + ": " + OpensslError(::ERR_get_error()));
  };
  if (options.client && options.server_name.empty())
    return Status(StatusCode::kInvalidArgument, "no name of the server to check");
  std::unique_ptr<TlsHandshaker> handshaker(
      new TlsHandshaker(::SSL_CTX_new(::TLS_method()), options));
  SSL_CTX* const context = handshaker->context_.get();
  if (context == nullptr) return wrong("TLS");
  ::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  if (::SSL_CTX_use_certificate_chain_file(context, options.certificate.c_str()) != 1)
    return wrong(options.certificate);
  if (::SSL_CTX_use_PrivateKey_file(context, options.key.c_str(), SSL_FILETYPE_PEM) != 1)
    return wrong(options.key);
  if (::SSL_CTX_load_verify_locations(context, options.authority.c_str(), nullptr) != 1)
    return wrong(options.authority);
  return handshaker;
}

ttrpc::Task<ttrpc::Result<ttrpc::Handshaken>> TlsHandshaker::Handshake(ttrpc::IoLoop& loop,
                                                                       ttrpc::UniqueFd socket) {
  SSL* const ssl = ::SSL_new(context_.get());
  if (ssl == nullptr) co_return Status(StatusCode::kResourceExhausted, "TLS: no memory");
  if (client_) {
    ::SSL_set_tlsext_host_name(ssl, server_name_.c_str());
    ::SSL_set1_host(ssl, server_name_.c_str());
  }
  // The bufferevent now owns the socket and `ssl`.
  const BuffereventPtr::pointer made = ::bufferevent_openssl_socket_new(
      loop.base(), socket.get(), ssl,
      client_ ? BUFFEREVENT_SSL_CONNECTING : BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
  if (made == nullptr) co_return Status(StatusCode::kResourceExhausted, "TLS: no memory");
  static_cast<void>(socket.release());
  BuffereventPtr tls(made);
  {
    Handshaking handshaking(loop, tls.get());
    if (Status status = co_await handshaking; !status.ok()) co_return status;
  }

  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    co_return Status(StatusCode::kResourceExhausted, "TLS: no socketpair");
  ttrpc::Handshaken handshaken{ttrpc::UniqueFd(ends[0])};
  BuffereventPtr plain(::bufferevent_socket_new(loop.base(), ends[1], BEV_OPT_CLOSE_ON_FREE));
  handshaken.session = std::make_unique<TlsSession>(PeerName(ssl));
  pumps_->Start(std::move(tls), std::move(plain));
  co_return handshaken;
}

}  // namespace example
