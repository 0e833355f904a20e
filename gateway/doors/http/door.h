#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_DOOR_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_DOOR_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/clock.h"
#include "gateway/doors/http/call_thread.h"
#include "gateway/doors/http/header_list.h"
#include "gateway/doors/http/request_head.h"
#include "gateway/doors/http/route.h"

// What a front door is written against, whatever version of HTTP carries it. A door matches a
// request by its head, gets an Exchange, and answers it:
//
//   class Hello final : public Door {
//     bool Matches(const RequestHead& head) const override { return head.path == "/hello"; }
//     absl::Span<const Route> Routes() const override { return kRoutes; }
//     std::unique_ptr<ExchangeHandler> Open(Exchange* exchange) override {
//       exchange->Respond(200, {{"content-type", "text/plain"}});
//       exchange->Write("hello\n");
//       exchange->End();
//       return nullptr;  // Nothing more is to be heard of this request.
//     }
//   };
//
// Everything here happens on the connection's CallThread; what another thread has to say is posted
// there. No callback comes from within a method of Exchange.
namespace bellwire::http {

// One request and its answer. The connection owns it, and says by OnClosed that it ends.
class Exchange {
 public:
  // What becomes of an exchange that isn't answered.
  enum class ResetReason : uint8_t { kCancel, kInternalError, kRefused };

  virtual const RequestHead& head() const = 0;
  // "address:port" of the peer, for logs.
  virtual const std::string& peer() const = 0;
  virtual const std::shared_ptr<CallThread>& thread() const = 0;
  virtual MonotonicTime now() const = 0;

  // --- The request's body. ---

  // The door has done with so many bytes of OnBody: the peer may send as many more. Bytes that are
  // not consumed are charged to the connection.
  virtual void Consume(size_t bytes) = 0;
  // Whether the body may pause for as long as it likes: a stream of messages, between two of them.
  // Otherwise it must come at kHttpBodyBytesPerSecond. Starts false.
  virtual void AllowPauses(bool allow) = 0;
  // Memory that the door holds for this request beside the bytes not consumed. False: there is none
  // left for this peer; refuse the request. What is still charged at the end is given back then.
  virtual bool Charge(size_t bytes) = 0;
  virtual void Discharge(size_t bytes) = 0;

  // --- The answer. Once Respond, then Write and End; or Reset at any time. ---

  virtual void Respond(int status, absl::Span<const HeaderView> headers) = 0;
  // The whole answer in one go: gRPC calls it "trailers only".
  virtual void RespondOnly(int status, absl::Span<const HeaderView> headers) = 0;
  // Keeps a copy until the peer takes it. REQUIRES: Respond.
  virtual void Write(absl::string_view data) = 0;
  // Bytes of Write that are not framed yet. OnDrained comes after it was kHttpStreamBufferBytes or
  // more and is less than half of that.
  virtual size_t buffered_bytes() const = 0;
  virtual void End(absl::Span<const HeaderView> trailers = {}) = 0;
  virtual void Reset(ResetReason reason) = 0;

  // --- Answers that were not asked for (server push), of which HTTP/1 has none. ---

  // Whether the client takes them.
  virtual bool CanPush() const { return false; }
  // Promises a GET of `path` at this request's origin, and answers it so, without a body. The
  // promise belongs to this exchange: before End or RespondOnly, and perhaps before Respond. False:
  // nothing is sent, since the client takes no push, has not read those before, or has its share of
  // memory.
  virtual bool Push(absl::string_view path, int status, absl::Span<const HeaderView> headers) {
    (void)path, (void)status, (void)headers;
    return false;
  }

  // OnTimeout(kDeadline) comes then, or soon after. In place of the deadline before.
  virtual void SetDeadline(MonotonicTime deadline) = 0;

 protected:
  ~Exchange() = default;
};

// A door's part in one exchange.
class ExchangeHandler {
 public:
  enum class Timeout : uint8_t {
    kDeadline,  // SetDeadline.
    kSlowBody,  // The request doesn't come at the least rate.
    kNoMemory,  // The body's bytes exceed what this peer may have here.
    kShutdown,  // The server goes: whatever is not answered now never is.
  };

  virtual ~ExchangeHandler() = default;
  // Some of the body; valid during the call.
  virtual void OnBody(absl::string_view data) = 0;
  // The request is complete.
  virtual void OnBodyEnd() = 0;
  virtual void OnDrained() {}
  // Answer now, or the exchange is reset.
  virtual void OnTimeout(Timeout why) = 0;
  // The exchange is over, answered or not, and gone after this. Always the last call.
  virtual void OnClosed() = 0;
};

class Door {
 public:
  virtual ~Door() = default;
  // Several loops' threads ask at a time.
  virtual bool Matches(const RequestHead& head) const = 0;
  // All that it serves: //tests/access:http_matrix_test holds each route against every caller. Of
  // gRPC, whose methods the descriptors know, none.
  virtual absl::Span<const Route> Routes() const { return {}; }
  // Whether the door's clients take a GOAWAY (RFC 9113, 6.8) for the failure of all that they have
  // under way. A connection with such a request is drained when it pauses.
  virtual bool GoAwayFailsRequests() const { return false; }
  // Whose handler is null hears nothing more; it has answered, or does so before this returns.
  virtual std::unique_ptr<ExchangeHandler> Open(Exchange* exchange) = 0;
};

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_DOOR_H_
