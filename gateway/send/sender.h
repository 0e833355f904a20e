#ifndef BELLWIRE_GATEWAY_SEND_SENDER_H_
#define BELLWIRE_GATEWAY_SEND_SENDER_H_

#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace bellwire::gateway {

// Who sends a message or asks about one, authenticated by the door that took the call. A value.
class Sender {
 public:
  // The backend of a team, for its apps.
  static Sender Team(absl::string_view team_id) { return Sender(std::string(team_id), "", ""); }
  // Somebody who knows the endpoint of a subscription. `vapid_key`: the key that was shown to be
  // held (RFC 8292), an uncompressed P-256 point of 65 bytes; empty: none was. `endpoint`: what
  // names a sender without a key, such as the token that is sent to.
  static Sender ToSubscription(std::string vapid_key, absl::string_view endpoint) {
    std::string name = vapid_key.empty() ? std::string(endpoint) : vapid_key;
    return Sender("", std::move(vapid_key), std::move(name));
  }

  bool is_team() const { return !team_id_.empty(); }
  // Whose share of places (TeamPlaces) a call takes. All who send to subscriptions are as one team
  // there: a sender costs nothing to make.
  absl::string_view share() const { return is_team() ? team_id_ : kSubscriptions; }
  // Of those who send to subscriptions: whose part of that share it takes.
  const std::string& name() const { return name_; }

  // Into an internal.v1.AppendRequest, GetMessageRequest or RecallRequest.
  template <typename Request>
  void WriteTo(Request* request) const {
    if (is_team()) {
      request->set_team_id(team_id_);
    } else {
      request->mutable_subscription()->set_vapid_key(vapid_key_);
    }
  }

 private:
  // No team's id.
  static constexpr absl::string_view kSubscriptions = "(subscriptions)";

  Sender(std::string team_id, std::string vapid_key, std::string name)
      : team_id_(std::move(team_id)), vapid_key_(std::move(vapid_key)), name_(std::move(name)) {}

  std::string team_id_;
  std::string vapid_key_;
  std::string name_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_SEND_SENDER_H_
