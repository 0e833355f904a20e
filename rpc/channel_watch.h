#ifndef BELLWIRE_RPC_CHANNEL_WATCH_H_
#define BELLWIRE_RPC_CHANNEL_WATCH_H_

#include <atomic>
#include <memory>
#include <thread>

#include "absl/functional/any_invocable.h"
#include "grpcpp/channel.h"

namespace bellwire {

// Keeps a channel connected, also while nobody calls, and says when it has a new connection: the
// process at the other end may be another than before, and lack what that one was told last.
class ChannelWatch {
 public:
  // `on_connected` is called for the first connection and each later one, on a thread of this
  // object; it must not block.
  ChannelWatch(std::shared_ptr<grpc::Channel> channel, absl::AnyInvocable<void()> on_connected);
  // Takes up to a fraction of a second; `on_connected` is not called afterwards.
  ~ChannelWatch();
  ChannelWatch(const ChannelWatch&) = delete;
  ChannelWatch& operator=(const ChannelWatch&) = delete;

 private:
  void Loop();

  const std::shared_ptr<grpc::Channel> channel_;
  absl::AnyInvocable<void()> on_connected_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_CHANNEL_WATCH_H_
