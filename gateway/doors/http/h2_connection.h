#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_H2_CONNECTION_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_H2_CONNECTION_H_

#include <nghttp2/nghttp2.h>

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "gateway/doors/http/door.h"
#include "gateway/doors/http/memory_account.h"
#include "gateway/doors/http/request_head.h"
#include "gateway/doors/http/token_bucket.h"

namespace bellwire::http {

// A connection that never had a request is closed after so long: a client that connects ahead of its
// first call makes one by then, and else it connects again.
inline constexpr absl::Duration kHttpFirstRequestTimeout = absl::Seconds(45);

// One HTTP/2 connection, the server's side: bytes in, bytes out, time from a clock that is passed in.
// libnghttp2 reads and writes the frames; this gives the requests to doors, and keeps a hostile peer
// within the bounds of common/limits.h: whoever breaks one is told ENHANCE_YOUR_CALM and is done.
// nghttp2's own check of HTTP's rules is off, since it refuses requests that real clients send
// (RequestHeadReader checks them).
//
// Single-threaded. No callback of doors or host comes from within another.
class H2Connection {
 public:
  class Host {
   public:
    virtual ~Host() = default;
    // An exchange was used outside of this class's methods: there may be output, or another deadline.
    // Called once until TakeOutput.
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
  };

  H2Connection(Environment environment, Host* host);
  // Tells the handlers that are left OnClosed.
  ~H2Connection();
  H2Connection(const H2Connection&) = delete;
  H2Connection& operator=(const H2Connection&) = delete;

  // Bytes of the peer. Answers how many of them were taken: fewer if others should have their turn
  // first, and then the caller gives the rest again soon.
  size_t Receive(absl::string_view bytes);
  // What is to be sent next; empty: nothing. Valid until the next call of any method.
  absl::string_view TakeOutput();
  // Tells handlers that they may write again. After TakeOutput; there may be output again.
  void NotifyDrained();
  // Nothing more comes out, and nothing that comes in matters: close.
  bool done() const;
  // Why we end it, for the log; empty: the peer ends it, or it goes on.
  const char* end_reason() const { return end_reason_; }

  // When OnTimer is due at the latest.
  MonotonicTime next_deadline() const { return next_deadline_; }
  void OnTimer();
  // The socket takes nothing, since when; or it takes something again.
  void SetBlocked(bool blocked);

  // Tells the peer to open no more requests; done() once those that run are answered.
  void Drain();
  // Answers them now: OnTimeout(kShutdown). Then done() as soon as the output is taken.
  void EndExchanges();

  size_t exchanges() const { return exchanges_.size(); }
  // A request came.
  bool served() const { return served_; }

 private:
  class Stream;
  using Streams = std::list<std::unique_ptr<Stream>>;

  static nghttp2_session* NewSession(H2Connection* connection);
  static int OnBeginFrame(nghttp2_session*, const nghttp2_frame_hd* header, void* self);
  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* self);
  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name,
                      size_t name_size, const uint8_t* value, size_t value_size, uint8_t flags,
                      void* self);
  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* self);
  static int OnData(nghttp2_session*, uint8_t flags, int32_t stream_id, const uint8_t* data,
                    size_t size, void* self);
  static int OnFrameSent(nghttp2_session*, const nghttp2_frame* frame, void* self);
  static int OnStreamClosed(nghttp2_session*, int32_t stream_id, uint32_t error, void* self);
  static ssize_t ReadBody(nghttp2_session*, int32_t stream_id, uint8_t* buffer, size_t size,
                          uint32_t* flags, nghttp2_data_source* source, void* self);

  // When a connection without a request is closed.
  MonotonicTime IdleDeadline() const;
  Stream* Find(int32_t stream_id) const;
  void OnHeadersEnd(Stream* stream, const nghttp2_frame* frame);
  void OpenExchange(Stream* stream);
  void OnRemoteEnd(Stream* stream);
  void Malformed(Stream* stream);
  // Ends the connection, of which `reason` tells the log.
  void Abuse(const char* reason);
  void Terminate(uint32_t error, const char* reason);
  void Changed();
  void SetTimer(MonotonicTime at);
  void FinishDrain();

  const Environment environment_;
  Host* const host_;
  MonotonicTime now_;
  nghttp2_session* const session_;
  Streams exchanges_;
  TokenBucket resets_;
  TokenBucket control_frames_;

  // Inside of one of our methods: whoever called it looks for output afterwards.
  bool busy_ = false;
  bool changed_ = false;
  // nghttp2 refuses to go on.
  bool failed_ = false;
  bool terminating_ = false;
  const char* end_reason_ = "";
  int requests_in_turn_ = 0;
  // The peer's first SETTINGS came.
  bool greeted_ = false;
  // A request came.
  bool served_ = false;
  bool draining_ = false;
  bool drain_noticed_ = false;
  bool keepalive_sent_ = false;
  bool blocked_ = false;
  // Header block that belongs to no exchange: trailers, or one that was refused.
  std::unique_ptr<RequestHeadReader> trailers_;
  // Streams whose body may be written again.
  bool any_drained_ = false;

  const MonotonicTime began_at_;
  MonotonicTime received_at_;
  MonotonicTime blocked_at_;
  MonotonicTime idle_since_;
  MonotonicTime drain_at_;
  MonotonicTime next_deadline_;
};

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_H2_CONNECTION_H_
