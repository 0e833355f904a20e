#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_WHOLE_BODY_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_WHOLE_BODY_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "gateway/doors/http/call_count.h"
#include "gateway/doors/http/door.h"
#include "gateway/doors/http/header_list.h"
#include "gateway/doors/http/reply.h"
#include "gateway/doors/http/route.h"

// For doors that answer a request once all of its body is there: most of them. A door derives from
// WholeBodyDoor:
//
//   class Shout final : public WholeBodyDoor {
//    public:
//     ~Shout() override { AwaitNoCalls(); }
//     bool Matches(const RequestHead& head) const override { return head.path == "/shout"; }
//     absl::Span<const Route> Routes() const override { return kRoutes; }
//
//    private:
//     size_t MaxBodyBytes(const RequestHead&) const override { return 4096; }
//     void Serve(Request request, Responder responder) override {
//       responder.Send({.body = absl::AsciiStrToUpper(request.body)});
//     }
//     Reply Error(const RequestHead&, int status, const absl::Status& why) const override {
//       return {.status = status, .body = std::string(why.message())};
//     }
//   };
namespace bellwire::http {

struct Request {
  RequestHead head;
  std::string body;
  // "address:port" of the client, for logs.
  std::string peer;
  // On which Serve is called; for pieces of something long (CallThread::PostInTurn).
  std::shared_ptr<CallThread> thread;
  // Whether the client takes a server push (Responder::Push).
  bool can_push = false;
};

class WholeBodyCall;

// An answer that is sent piece by piece, such as server-sent events. Thread-safe. Whoever drops the
// last reference without End cuts the answer off, so that its reader sees that something is
// missing.
class ReplyStream {
 public:
  using Done = absl::AnyInvocable<void(bool ok) &&>;

  explicit ReplyStream(std::shared_ptr<WholeBodyCall> call) : call_(std::move(call)) {}
  ~ReplyStream();
  ReplyStream(const ReplyStream&) = delete;
  ReplyStream& operator=(const ReplyStream&) = delete;

  // Sends `bytes`. `done(true)`: more may be written. `done(false)`: the answer is over, since the
  // client is gone or the server goes. `done` runs on the exchange's thread, perhaps before Write
  // returns. REQUIRES: no Write is under way.
  void Write(std::string bytes, Done done);
  // The answer is complete. Nothing may follow.
  void End();
  // `closed` runs once if the answer ends before End: at once if it has. Called at most once.
  void OnClosed(absl::AnyInvocable<void() &&> closed);

 private:
  const std::shared_ptr<WholeBodyCall> call_;
};

// Owes the answer to one request: Send or Stream, once, from any thread, also when the client has
// gone (then nothing happens). Dropping it without an answer answers INTERNAL with the door's
// Error.
class Responder {
 public:
  explicit Responder(std::shared_ptr<WholeBodyCall> call) : call_(std::move(call)) {}
  Responder(Responder&&) = default;
  Responder& operator=(Responder&&) = delete;
  ~Responder();

  void Send(Reply reply);
  // Before the answer, which is still owed: promises a GET of `path` at the request's origin, and
  // answers it without a body. Nothing happens if that can't be done (Exchange::Push), so the
  // answer should say the same.
  void Push(std::string path, int status, HeaderList headers = {});
  // Nobody waits for the answer any more: the client has gone, or was told that the server goes.
  bool over() const;
  // Begins an answer whose end isn't known yet.
  std::shared_ptr<ReplyStream> Stream(int status, HeaderList headers);

 private:
  // Null once it has answered.
  std::shared_ptr<WholeBodyCall> call_;
};

// Collects the body of each request within a bound, and charges it to the client's share of memory.
// Thread-safe.
class WholeBodyDoor : public Door {
 public:
  std::unique_ptr<ExchangeHandler> Open(Exchange* exchange) final;

  // What fits no route is answered 404 NO_SUCH_PATH before Serve, and so is what Refuse would have
  // answered with a success: the table is complete.
  absl::Span<const Route> Routes() const override = 0;

  // Until every Responder and ReplyStream is gone, and what they post has run: what the door uses
  // may then be destroyed. The destructor of a derived class calls it first. REQUIRES: the listener
  // is gone.
  void AwaitNoCalls() { calls_.AwaitNone(); }

 protected:
  // The longest body that a request of this head may have. A longer one is answered 413.
  virtual size_t MaxBodyBytes(const RequestHead& head) const = 0;
  // An answer here refuses the request by its head: a method that doesn't exist, a credential that
  // is missing. Its body is not kept. What takes time belongs into Serve. On the exchange's thread.
  virtual std::optional<Reply> Refuse(const RequestHead& head) const {
    (void)head;
    return std::nullopt;
  }
  // The request is complete. On the exchange's thread, which serves others too: don't block.
  virtual void Serve(Request request, Responder responder) = 0;
  // How this door's clients expect to be told of an error that happened before Serve, or instead of
  // its answer. `why` has a reason and perhaps RetryAfter (common/error.h).
  //   404 NO_SUCH_PATH · 413 BODY_TOO_LARGE · 408 REQUEST_TIMEOUT · 503 OVERLOADED ·
  //   503 SHUTTING_DOWN · 431 HEAD_TOO_LARGE · 500 INTERNAL
  // Thread-safe.
  virtual Reply Error(const RequestHead& head, int status, const absl::Status& why) const = 0;

 private:
  friend class WholeBodyCall;
  friend class Responder;

  CallCount calls_;
};

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_WHOLE_BODY_H_
