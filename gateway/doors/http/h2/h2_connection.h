#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_H2_H2_CONNECTION_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_H2_H2_CONNECTION_H_

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
#include "gateway/doors/http/request_head.h"
#include "gateway/doors/http/server_protocol.h"
#include "gateway/doors/http/token_bucket.h"

namespace bellwire::http {

// Pushes (Exchange::Push) of one connection that its peer has not read: fewer, if it says so.
inline constexpr size_t kMaxHttpPushes = 16;
// What is left of a body whose request has its answer already is read, and dropped, for so long: a
// client that is still sending may lose the answer if its stream is reset at once, as curl 7.88
// does. The stream's window bounds the bytes.
inline constexpr absl::Duration kH2DiscardTime = absl::Seconds(2);

// One HTTP/2 connection, the server's side: bytes in, bytes out, time from a clock that is passed
// in. libnghttp2 reads and writes the frames; this gives the requests to doors, and keeps a hostile
// peer within the bounds of common/limits.h: whoever breaks one is told ENHANCE_YOUR_CALM and is
// done. nghttp2's own check of HTTP's rules is off, since it refuses requests that real clients
// send (RequestHeadReader checks them).
//
// Single-threaded. No callback of doors or host comes from within another.
class H2Connection final : public ServerProtocol {
 public:
  H2Connection(Environment environment, Host* host);
  // Tells the handlers that are left OnClosed.
  ~H2Connection() override;
  H2Connection(const H2Connection&) = delete;
  H2Connection& operator=(const H2Connection&) = delete;

  // --- ServerProtocol ---
  size_t Receive(absl::string_view bytes) override;
  bool wants_input() const override { return true; }
  absl::string_view TakeOutput() override;
  void NotifyDrained() override;
  bool done() const override;
  const char* end_reason() const override { return end_reason_; }
  MonotonicTime next_deadline() const override { return next_deadline_; }
  void OnTimer() override;
  void SetBlocked(bool blocked) override;
  void Drain() override;
  void EndExchanges() override;
  bool served() const override { return served_; }

  size_t exchanges() const { return exchanges_.size(); }
  size_t pushes() const { return pushes_; }

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
  // When a connection that is to be drained in a pause has paused for long enough.
  MonotonicTime PauseDeadline() const;
  Stream* Find(int32_t stream_id) const;
  // As many pushes may be under way, by the peer's SETTINGS and our bound.
  size_t MaxPushes() const;
  void OnHeadersEnd(Stream* stream, const nghttp2_frame* frame);
  void OpenExchange(Stream* stream);
  void OnRemoteEnd(Stream* stream);
  void Malformed(Stream* stream);
  // Ends the connection, of which `reason` tells the log.
  void Abuse(const char* reason);
  void Terminate(uint32_t error, const char* reason);
  void Changed();
  void SetTimer(MonotonicTime at);
  void BeginDrain();
  void FinishDrain();

  const Environment environment_;
  Host* const host_;
  MonotonicTime now_;
  nghttp2_session* const session_;
  Streams exchanges_;
  // Promised and not closed. Each is charged kHttpRequestBytes to the connection.
  size_t pushes_ = 0;
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
  // Whoever has its answer isn't listened to any more.
  bool ending_ = false;
  bool drain_noticed_ = false;
  // A request came whose client GOAWAY hurts (Door::GoAwayFailsRequests).
  bool goaway_hurts_ = false;
  // Such a connection is to be drained.
  bool drain_in_pause_ = false;
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

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_H2_H2_CONNECTION_H_
