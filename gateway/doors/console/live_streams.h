#ifndef BELLWIRE_GATEWAY_DOORS_CONSOLE_LIVE_STREAMS_H_
#define BELLWIRE_GATEWAY_DOORS_CONSOLE_LIVE_STREAMS_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/clock.h"
#include "gateway/doors/http/call_count.h"
#include "gateway/doors/http/whole_body.h"
#include "net/loop/epoll_loop.h"

namespace bellwire::gateway {

// Streams of one console at a time: a page has one or two.
inline constexpr size_t kMaxLiveStreams = 128;
// A stream that has nothing to say shows at least so often that it lives: proxies end what is
// silent for a minute.
inline constexpr absl::Duration kLiveSilence = absl::Seconds(15);

// What a stream shows.
class LiveSource {
 public:
  // The data of an event, which has no line end; empty: there is nothing new.
  struct Answer {
    std::string data;
    // Nothing comes after it.
    bool last = false;
  };
  // An error ends the stream.
  using Then = absl::AnyInvocable<void(absl::StatusOr<Answer> answer) &&>;

  virtual ~LiveSource() = default;
  // On the thread of the streams, one at a time; `then` on any thread, also before Ask returns.
  virtual void Ask(Then then) = 0;
  // From an answer to the next question.
  virtual absl::Duration interval() const = 0;
};

// Server-sent events (HTML, 9.2) of sources that are asked again and again, on a loop and a thread
// of their own: a question costs the same however much goes on in the server. An event a change;
// the last one, "end", says why the server ends it. A client that reads slowly is asked about less
// often.
//
// Thread-safe.
class LiveStreams {
 public:
  // `clock` is the machine's, and outlives it.
  explicit LiveStreams(const Clock* clock);
  // As Stop.
  ~LiveStreams();
  LiveStreams(const LiveStreams&) = delete;
  LiveStreams& operator=(const LiveStreams&) = delete;

  // Begins to answer. RESOURCE_EXHAUSTED OVERLOADED, and `responder` has answered that, if there
  // are kMaxLiveStreams.
  void Start(http::Responder responder, std::unique_ptr<LiveSource> source);

  // Ends all streams with SHUTTING_DOWN, and those that come. Doesn't block.
  void Drain();

  // Cuts off what is left, and waits for the answers of sources. Nothing holds an answer of the
  // door's after it. Once is enough. REQUIRES: nobody calls Start or Drain any more.
  void Stop();

  size_t size() const { return places_->load(); }

 private:
  class Stream;
  friend class Stream;

  const Clock* const clock_;
  // Until Stop.
  std::unique_ptr<net::EpollLoop> loop_;
  // Of sources that were asked.
  http::CallCount asked_;
  // That are taken. Streams may go later than this.
  const std::shared_ptr<std::atomic<size_t>> places_ = std::make_shared<std::atomic<size_t>>(0);
  // On the loop's thread.
  bool draining_ = false;
  absl::flat_hash_set<std::shared_ptr<Stream>> streams_;
  std::thread thread_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_CONSOLE_LIVE_STREAMS_H_
