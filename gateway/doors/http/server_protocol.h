#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_SERVER_PROTOCOL_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_SERVER_PROTOCOL_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/clock.h"
#include "gateway/doors/http/door.h"
#include "gateway/doors/http/exchange_account.h"
#include "gateway/doors/http/memory_account.h"

namespace bellwire::http {

// The server's side of HTTP on one connection, whatever its version: bytes in, bytes out, time from
// a clock that is passed in. It gives the requests to doors and keeps a hostile peer within bounds.
//
// Single-threaded. No callback of doors or host comes from within another.
class ServerProtocol {
 public:
  class Host {
   public:
    virtual ~Host() = default;
    // An exchange was used outside of this class's methods: there may be output, or another
    // deadline. Called once until TakeOutput.
    virtual void OnChanged() = 0;
  };

  struct Environment {
    // Not owned; they outlive the connection.
    const Clock* clock = nullptr;
    // The first that matches gets the request; without one it is answered 404.
    const std::vector<Door*>* doors = nullptr;
    MemoryAccount* memory = nullptr;
    std::shared_ptr<CallThread> thread;
    // "address:port", for logs.
    std::string peer;
    // The peer is a proxy that may name its client; null: it isn't.
    const TrustedProxy* proxy = nullptr;
    // What requests that don't say so have as their scheme.
    absl::string_view scheme = "https";
  };

  virtual ~ServerProtocol() = default;

  // Bytes of the peer. Answers how many of them were taken. Fewer: the caller gives the rest again,
  // soon, or when wants_input() says so again.
  virtual size_t Receive(absl::string_view bytes) = 0;
  // Whether Receive would take anything now. It changes by the methods below, and before OnChanged.
  virtual bool wants_input() const = 0;
  // What is to be sent next; empty: nothing. Valid until the next call of any method.
  virtual absl::string_view TakeOutput() = 0;
  // Tells handlers that they may write again. After TakeOutput; there may be output again.
  virtual void NotifyDrained() = 0;
  // Nothing more comes out, and nothing that comes in matters: close.
  virtual bool done() const = 0;
  // Why we end it, for the log; empty: the peer ends it, or it goes on.
  virtual const char* end_reason() const = 0;

  // When OnTimer is due at the latest.
  virtual MonotonicTime next_deadline() const = 0;
  virtual void OnTimer() = 0;
  // The socket takes nothing, since when; or it takes something again.
  virtual void SetBlocked(bool blocked) = 0;

  // Tells the peer to open no more requests; done() once those that run are answered.
  virtual void Drain() = 0;
  // Answers them now: OnTimeout(kShutdown). Then done() as soon as the output is taken.
  virtual void EndExchanges() = 0;

  // A request came.
  virtual bool served() const = 0;
};

// The answer to a request that no door wants.
void AnswerUnmatched(Exchange* exchange);

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_SERVER_PROTOCOL_H_
