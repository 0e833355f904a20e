#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_H1_H1_CONNECTION_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_H1_H1_CONNECTION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "gateway/doors/http/door.h"
#include "gateway/doors/http/h1/h1_reader.h"
#include "gateway/doors/http/server_protocol.h"
#include "net/socket/write_buffer.h"

namespace bellwire::http {

// From the first byte of a request's head to its last.
inline constexpr absl::Duration kH1HeadTimeout = absl::Seconds(10);
// A connection waits so long for its next request. Nothing asks for a sign of life between two
// requests of HTTP/1, so this is what finds dead peers. As long as nginx's.
inline constexpr absl::Duration kH1IdleTimeout = absl::Seconds(75);
// What is left of a body whose request has its answer already is read, and dropped, for so long: a
// client that is still sending would else lose the answer to a reset.
inline constexpr absl::Duration kH1DiscardTime = absl::Seconds(2);
// Such a rest costs less to read than a new connection does; after a longer one the connection
// ends.
inline constexpr uint64_t kMaxH1DiscardBytes = 64 * 1024;

// One connection of HTTP/1.0 or 1.1. One exchange at a time: requests that the client sends ahead
// (pipelining) wait in at most one read's buffer, and then in its socket. What breaks HTTP is
// answered 4xx and ends the connection.
class H1Connection final : public ServerProtocol {
 public:
  H1Connection(Environment environment, Host* host);
  // Tells the handler that is left OnClosed.
  ~H1Connection() override;
  H1Connection(const H1Connection&) = delete;
  H1Connection& operator=(const H1Connection&) = delete;

  // --- ServerProtocol ---
  size_t Receive(absl::string_view bytes) override;
  bool wants_input() const override;
  absl::string_view TakeOutput() override;
  void NotifyDrained() override;
  bool done() const override;
  const char* end_reason() const override { return end_reason_; }
  MonotonicTime next_deadline() const override;
  void OnTimer() override;
  void SetBlocked(bool blocked) override;
  void Drain() override;
  void EndExchanges() override;
  bool served() const override { return served_; }

 private:
  class H1Exchange;

  // Reads on, as far as the exchange lets it.
  void Process();
  bool MayProcess() const;
  void Open();
  // Answers with an error that no door sees, and ends the connection.
  void Refuse(int status, absl::string_view why, const char* end_reason);
  // The exchange is answered and read.
  void FinishExchange();
  void ChargeBuffer();
  // What is written leaves, and then it is done.
  void CloseSoon();
  void CutOff(const char* end_reason);
  void Changed();
  MonotonicTime IdleDeadline() const;

  const Environment environment_;
  Host* const host_;
  H1Reader reader_;
  MonotonicTime now_;
  std::unique_ptr<H1Exchange> exchange_;
  // Of the answers, framed. The first `taking_` bytes were given by TakeOutput.
  net::WriteBuffer out_;
  size_t taking_ = 0;
  // Of the connection's memory, for the reader's buffer.
  size_t buffer_charged_ = 0;

  // Inside of one of our methods: whoever called it looks for output afterwards.
  bool busy_ = false;
  bool changed_ = false;
  // The answer's buffer was full.
  bool was_full_ = false;
  bool drained_ = false;
  bool served_ = false;
  bool draining_ = false;
  // No request comes after the one that runs.
  bool close_ = false;
  // Nothing is read any more; `out_` still goes out.
  bool closing_ = false;
  // Nothing goes out any more either.
  bool failed_ = false;
  const char* end_reason_ = "";
  bool blocked_ = false;
  MonotonicTime blocked_at_;
  MonotonicTime idle_since_;
  MonotonicTime head_since_;
  bool head_begun_ = false;
};

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_H1_H1_CONNECTION_H_
