#ifndef BELLWIRE_GATEWAY_TOPICS_FAN_OUT_THREAD_H_
#define BELLWIRE_GATEWAY_TOPICS_FAN_OUT_THREAD_H_

#include <atomic>
#include <memory>
#include <thread>

#include "absl/time/time.h"
#include "common/clock.h"
#include "gateway/topics/fan_out_flags.h"
#include "gateway/topics/fan_outs.h"
#include "net/loop/epoll_loop.h"
#include "rpc/registry_api.h"

namespace bellwire::gateway {

// FanOuts on a loop and a thread of their own, from construction to the end. Thread-safe.
class FanOutThread {
 public:
  struct Options {
    // Not owned; they outlive the registry's answers.
    TopicApi* topics = nullptr;
    MailboxApi* mailboxes = nullptr;
    const Clock* clock = nullptr;
    FanOutFlags settings;
  };

  explicit FanOutThread(const Options& options);
  // As Drain without time.
  ~FanOutThread();
  FanOutThread(const FanOutThread&) = delete;
  FanOutThread& operator=(const FanOutThread&) = delete;

  // Gives the claims back as soon as what is under way is over; returns then, or when `grace` is
  // over: what is left waits for the end of its leases. Nothing is sent after it. Once is enough.
  void Drain(absl::Duration grace);

  // Whether the thread goes round within `patience`; for a watchdog. True once it drains.
  bool Responds(absl::Duration patience);

 private:
  net::EpollLoop loop_;
  std::unique_ptr<FanOuts> fan_outs_;
  std::atomic<bool> draining_{false};
  std::thread thread_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_TOPICS_FAN_OUT_THREAD_H_
