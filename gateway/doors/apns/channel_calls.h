#ifndef BELLWIRE_GATEWAY_DOORS_APNS_CHANNEL_CALLS_H_
#define BELLWIRE_GATEWAY_DOORS_APNS_CHANNEL_CALLS_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "gateway/auth/authenticator.h"
#include "gateway/doors/apns/apns_channels.h"
#include "gateway/doors/http/whole_body.h"
#include "gateway/topics/topic_engine.h"

namespace bellwire::gateway::apns {

// Channels of one app, as APNs has it.
inline constexpr size_t kMaxListedChannels = 10'000;

// Broadcast channels of APNs on the topics of a team: what the door does behind its authentication.
// Thread-safe.
class ChannelCalls {
 public:
  // Neither is owned; both outlive this and its calls.
  ChannelCalls(TopicEngine* topics, const Clock* clock) : topics_(topics), clock_(clock) {}

  // REQUIRES: RouteOf took the head.
  void Serve(const ProviderIdentity& identity, http::Request request, http::Responder responder);

 private:
  struct Listing;

  void Create(const std::string& team_id, const ChannelRoute& route, absl::string_view body,
              std::string request_id, http::Responder responder);
  void Broadcast(const std::string& team_id, ChannelRoute route, http::Request request,
                 std::string request_id, http::Responder responder);
  // The next page, or the answer.
  void List(std::unique_ptr<Listing> listing);

  TopicEngine* const topics_;
  const Clock* const clock_;
};

}  // namespace bellwire::gateway::apns

#endif  // BELLWIRE_GATEWAY_DOORS_APNS_CHANNEL_CALLS_H_
