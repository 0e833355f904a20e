#ifndef BELLWIRE_CONNECTOR_TESTING_CONNECTION_HARNESS_H_
#define BELLWIRE_CONNECTOR_TESTING_CONNECTION_HARNESS_H_

#include <cassert>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/simulated_clock.h"
#include "connector/doors/bellwire/device_connection.h"
#include "connector/testing/fake_connection_host.h"
#include "crypto/device_key.h"
#include "gtest/gtest.h"
#include "net/socket/frame_codec.h"

namespace bellwire::connector {

// A connection on a simulated clock with a host that writes everything down, and the words to play
// agent and registry to it.
class ConnectionHarness {
 public:
  static constexpr uint64_t kSessionId = 0x0102;
  static constexpr uint64_t kIncarnation = 0xabcd;
  static constexpr absl::string_view kAddress = "10.0.0.1:7446";

  ConnectionHarness()
      : context_{.clock = &clock,
                 .random = random_,
                 .connector_address = std::string(kAddress),
                 .connector_incarnation = kIncarnation,
                 .bytes_in_flight = &bytes_in_flight},
        connection(&context_, kSessionId, &host) {
    // Logins are by ticket unless a test is about signatures.
    const absl::StatusOr<DeviceId> id = DeviceIdOf(PublicKey());
    assert(id.ok());
    device_id = *id;
    host.ticket_data = std::string(device_id.bytes());
  }

  // Has the length of a key; a resumed session never looks inside.
  static std::string PublicKey() { return std::string(kDevicePublicKeyBytes, 'k'); }

  // --- The agent. ---

  static device::v1::AgentFrame LoginFrame(uint64_t login_number = 5) {
    device::v1::AgentFrame frame;
    frame.mutable_login()->set_public_key(PublicKey());
    frame.mutable_login()->set_login_number(login_number);
    return frame;
  }
  static std::string Bytes(const device::v1::AgentFrame& frame) {
    std::string bytes;
    net::AppendFrame(frame.SerializeAsString(), &bytes);
    return bytes;
  }
  void Receive(const device::v1::AgentFrame& frame) { connection.OnData(Bytes(frame)); }
  void ReceiveHeartbeat() { connection.OnData(absl::string_view("\0", 1)); }
  void ReceiveAck(uint64_t up_to) {
    device::v1::AgentFrame frame;
    frame.mutable_ack()->set_up_to_seq(up_to);
    Receive(frame);
    Flush();
  }
  void ReceiveAckRange(uint64_t first, uint64_t last) {
    device::v1::AgentFrame frame;
    frame.mutable_ack()->add_ranges()->set_first(first);
    frame.mutable_ack()->mutable_ranges(0)->set_last(last);
    Receive(frame);
    Flush();
  }
  void ReceiveAppAcks(int count) {
    device::v1::AgentFrame frame;
    for (int i = 0; i < count; ++i) {
      device::v1::AppAck::Item* item = frame.mutable_app_ack()->add_items();
      item->set_message_id(std::string(MessageId::kSize, 'm'));
      item->set_registration_id(77);
    }
    Receive(frame);
    Flush();
  }
  void ReceiveRegisterApp(uint32_t request_id, absl::string_view app_id) {
    device::v1::AgentFrame frame;
    frame.mutable_register_app()->set_request_id(request_id);
    frame.mutable_register_app()->set_app_id(std::string(app_id));
    Receive(frame);
  }
  void ReceiveRemoveApp(uint32_t request_id, absl::string_view app_id,
                        uint64_t registration_id = 0) {
    device::v1::AgentFrame frame;
    frame.mutable_remove_app()->set_registration_id(registration_id);
    frame.mutable_remove_app()->set_request_id(request_id);
    frame.mutable_remove_app()->set_app_id(std::string(app_id));
    Receive(frame);
  }

  void ReceiveTopicChange(uint32_t request_id, uint64_t registration_id, absl::string_view topic,
                          bool subscribed = true) {
    device::v1::AgentFrame frame;
    device::v1::TopicChange* change = frame.mutable_topic_change();
    change->set_request_id(request_id);
    change->set_registration_id(registration_id);
    change->set_topic(std::string(topic));
    change->set_subscribed(subscribed);
    Receive(frame);
  }

  void ReceiveSubscribe(uint32_t request_id, absl::string_view instance) {
    device::v1::AgentFrame frame;
    frame.mutable_register_app()->set_request_id(request_id);
    device::v1::Subscription* subscription = frame.mutable_register_app()->mutable_subscription();
    subscription->set_instance(std::string(instance));
    subscription->set_owner("origin");
    subscription->set_vapid_key("key");
    subscription->set_receipts(true);
    Receive(frame);
  }
  void ReceiveUnsubscribe(uint32_t request_id, absl::string_view instance) {
    device::v1::AgentFrame frame;
    frame.mutable_remove_app()->set_request_id(request_id);
    frame.mutable_remove_app()->set_instance(std::string(instance));
    Receive(frame);
  }

  // --- The loop. ---

  void Flush() {
    if (!host.flush_asked) return;
    host.flush_asked = false;
    connection.OnFlush();
  }
  // Lets time pass, firing the timer when it is due.
  void Advance(absl::Duration d) {
    const MonotonicTime end = clock.Monotonic() + d;
    while (host.timer.has_value() && *host.timer <= end) {
      if (*host.timer > clock.Monotonic()) clock.Advance(*host.timer - clock.Monotonic());
      host.timer.reset();
      connection.OnTimer();
    }
    clock.Advance(end - clock.Monotonic());
  }

  // --- The registry. ---

  static internal::v1::Envelope Message(uint64_t seq, size_t payload_bytes = 5) {
    internal::v1::Envelope message;
    message.set_seq(seq);
    message.set_message_id(std::string(MessageId::kSize, static_cast<char>(seq)));
    message.set_registration_id(77);
    message.set_payload(std::string(payload_bytes, 'p'));
    message.set_accepted_at_ms(1000);
    message.set_expires_at_ms(2000);
    return message;
  }
  static internal::v1::Envelope NowOrNever(uint64_t seq) {
    internal::v1::Envelope message = Message(seq);
    message.set_expires_at_ms(message.accepted_at_ms());
    return message;
  }
  static internal::v1::BindResponse Bound(uint64_t settled_seq = 0) {
    internal::v1::BindResponse response;
    response.set_mailbox_id(std::string(MailboxId::kSize, 'b'));
    response.set_settled_seq(settled_seq);
    response.mutable_page()->set_complete_to_seq(settled_seq);
    return response;
  }
  static internal::v1::PullResponse Pulled(uint64_t first, uint64_t last, bool more,
                                           size_t payload_bytes = 5) {
    internal::v1::PullResponse response;
    for (uint64_t seq = first; seq <= last; ++seq) {
      *response.mutable_page()->add_messages() = Message(seq, payload_bytes);
    }
    response.mutable_page()->set_complete_to_seq(last);
    response.mutable_page()->set_more(more);
    return response;
  }

  internal::v1::ConnectorRequest ForSession(uint64_t epoch = 0) const {
    internal::v1::ConnectorRequest request;
    request.set_device_id(std::string(device_id.bytes()));
    request.mutable_route()->set_session_id(kSessionId);
    request.set_epoch(epoch);
    return request;
  }
  // What HandOver answers.
  bool Deliver(internal::v1::Envelope message, uint64_t epoch = 0) {
    internal::v1::ConnectorRequest request = ForSession(epoch);
    *request.mutable_deliver()->mutable_message() = std::move(message);
    return connection.HandOver(request);
  }
  bool Evict(uint64_t winning_login_number) {
    internal::v1::ConnectorRequest request = ForSession();
    request.mutable_evict()->set_winning_login_number(winning_login_number);
    return connection.HandOver(request);
  }
  // Hand-overs were dropped on their way.
  bool Miss() {
    internal::v1::ConnectorRequest request = ForSession();
    request.mutable_missed();
    return connection.HandOver(request);
  }
  // "DEVICE_ACKED 7": what the registry was told of a hand-over last. Empty: nothing.
  std::string LastOutcome() const {
    if (host.outcomes.empty()) return "";
    return absl::StrCat(
        internal::v1::HandedOverRequest::Outcome_Name(host.outcomes.back().outcome()), " ",
        host.outcomes.back().seq());
  }
  static internal::v1::ResumeResponse Resumed(bool behind, uint64_t epoch = 0) {
    internal::v1::ResumeResponse response;
    response.set_behind(behind);
    response.set_epoch(epoch);
    return response;
  }

  static absl::Status Unavailable() {
    return MakeError(absl::StatusCode::kUnavailable, "REGISTRY_UNAVAILABLE", "away");
  }
  static absl::Status StaleLogin(uint64_t winner) {
    return WithMetadata(
        MakeError(absl::StatusCode::kFailedPrecondition, "STALE_LOGIN", "a later login is bound"),
        "winning_login_number", absl::StrCat(winner));
  }

  // --- Short cuts. ---

  void ExpectClosed(CloseReason reason) const {
    ASSERT_TRUE(host.closed.has_value());
    EXPECT_EQ(Name(host.closed->reason), Name(reason)) << host.closed->detail;
    EXPECT_EQ(connection.state(), ConnectionState::kClosed);
  }

  // Brings a new connection to `state`.
  void BringTo(ConnectionState state, uint64_t settled_seq = 0) {
    if (state == ConnectionState::kHandshaking) return;
    if (state == ConnectionState::kClosed) return connection.OnTransportClosed(absl::OkStatus());
    connection.OnOpen();
    if (state == ConnectionState::kAwaitingLogin) return;
    Receive(LoginFrame());
    if (state == ConnectionState::kBinding) return;
    connection.OnBound(Bound(settled_seq));
    if (state == ConnectionState::kActive) return;
    // Something unacknowledged keeps the drain from being over at once.
    Deliver(Message(settled_seq + 1));
    connection.Drain();
  }
  // The seqs of the pushes and gaps the agent received, in order.
  std::vector<uint64_t> PushedSeqs() const {
    std::vector<uint64_t> seqs;
    for (const device::v1::ConnectorFrame& frame : host.frames) {
      if (frame.has_push()) seqs.push_back(frame.push().seq());
      if (frame.has_gap()) seqs.push_back(frame.gap().seq());
    }
    return seqs;
  }
  // The connectors that take this one's agents when it drains.
  void SetPublicUrl(std::string url) { context_.public_url = std::move(url); }
  void SetDrainTo(std::vector<std::string> addresses) { context_.drain_to = std::move(addresses); }
  // The GoAway the agent received last, or an empty one.
  device::v1::GoAway LastGoAway() const {
    if (host.frames.empty()) return {};
    return host.frames.back().go_away();
  }

  SimulatedClock clock;
  Gauge bytes_in_flight;
  FakeConnectionHost host;
  DeviceId device_id;

 private:
  std::mt19937_64 random_{1};
  ConnectionContext context_;

 public:
  DeviceConnection connection;
};

}  // namespace bellwire::connector

#endif  // BELLWIRE_CONNECTOR_TESTING_CONNECTION_HARNESS_H_
