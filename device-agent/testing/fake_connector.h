#ifndef BELLWIRE_DEVICE_AGENT_TESTING_FAKE_CONNECTOR_H_
#define BELLWIRE_DEVICE_AGENT_TESTING_FAKE_CONNECTOR_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "bellwire/device/v1/device.pb.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/limits.h"
#include "crypto/device_key.h"
#include "device-agent/testing/pushes.h"
#include "gtest/gtest.h"
#include "net/loop/event_loop.h"
#include "net/socket/frame_codec.h"
#include "net/socket/stream.h"

namespace bellwire::agent {

// A server as small as can be, for one agent: a mailbox in memory that sends what is not
// acknowledged to each new session, and registers apps. Notes what the agent says. On one loop; not
// thread-safe.
class FakeConnector final : public net::Stream::Delegate {
 public:
  // Must outlive its streams' loop callbacks, as every delegate.
  explicit FakeConnector(net::EventLoop* loop) : loop_(loop) {}
  ~FakeConnector() override { Drop(); }

  // A new connection; an older one is cut.
  void Accept(std::unique_ptr<net::Stream> stream) {
    Drop();
    ++connections;
    ready_ = false;
    decoder_ = net::FrameDecoder(kMaxFrameBytes);
    stream_ = std::move(stream);
    stream_->SetDelegate(this);
  }

  // Sends message `seq` of the app now if there is a session, else when there is one.
  void Push(uint64_t seq, uint64_t registration_id) {
    Push(TestPush(seq, registration_id, loop_->clock()));
  }
  void Push(const device::v1::Push& push) {
    device::v1::ConnectorFrame frame;
    *frame.mutable_push() = push;
    mailbox_[push.seq()] = frame;
    if (ready_) Send(frame);
  }
  void Send(const device::v1::ConnectorFrame& frame) {
    std::string bytes;
    net::AppendFrame(frame.SerializeAsString(), &bytes);
    SendBytes(bytes);
  }
  void SendBytes(absl::string_view bytes) {
    if (stream_ != nullptr) stream_->Write(bytes);
  }
  // Cuts the connection.
  void Drop() {
    if (stream_ == nullptr) return;
    stream_->Close();
    loop_->DeleteLater(std::move(stream_));
    ready_ = false;
  }
  // As a server whose data were lost: no mailbox, other registrations.
  void Replace() {
    Drop();
    mailbox_.clear();
    mailbox_id = NewMailboxId();
    generation_ += 1;
  }

  uint64_t RegistrationIdOf(const std::string& app_id) {
    uint64_t& id = registration_ids_[app_id];
    if (id == 0) id = 100 * generation_ + registration_ids_.size();
    return id;
  }
  std::string TokenOf(const std::string& app_id) {
    return absl::StrCat("token-", app_id, "-", generation_);
  }

  // What stands for the app id in RegistrationIdOf, TokenOf and app_requests: it itself for the
  // first owner of it, "APP_ID@2" for the second.
  std::string AppOf(const std::string& app_id, const std::string& owner) {
    std::vector<std::string>& owners = owners_[app_id];
    const auto known = std::find(owners.begin(), owners.end(), owner);
    const size_t n = static_cast<size_t>(known - owners.begin()) + 1;
    if (known == owners.end()) owners.push_back(owner);
    return n == 1 || !knows_owners ? app_id : absl::StrCat(app_id, "@", n);
  }
  // What stands for the app id of a subscription in RegistrationIdOf, ForgetRegistration and
  // app_requests.
  static std::string SubscriptionId(const std::string& instance) {
    return absl::StrCat("subscription ", absl::BytesToHexString(instance));
  }
  std::string EndpointOf(const std::string& instance) {
    return absl::StrCat("https://push.example/wpush/", absl::BytesToHexString(instance), "-",
                        generation_);
  }

  // A server whose store came back from a backup that doesn't know the app: another registration.
  void ForgetRegistration(const std::string& app_id) {
    registration_ids_.erase(app_id);
    generation_ += 1;
  }
  // This server's time: it does not jump with the phone's.
  absl::Time Now() const {
    return began_ + (loop_->clock().Boottime() - began_boottime_) + clock_ahead;
  }

  net::Stream* stream() { return stream_.get(); }
  bool ready() const { return ready_; }
  size_t unacked() const { return mailbox_.size(); }

  // What it does.
  MailboxId mailbox_id = NewMailboxId();
  bool answers_logins = true;
  bool answers_heartbeats = true;
  bool takes_acks = true;
  device::v1::AppRegistered::Outcome register_outcome = device::v1::AppRegistered::OK;
  bool removes = true;
  // False: it is older than RegisterApp.owner.
  bool knows_owners = true;
  // Unset: it knows no topics.
  std::optional<device::v1::TopicChanged::Outcome> topic_outcome = device::v1::TopicChanged::OK;
  // In the Welcome. Default: none.
  std::optional<device::v1::HeartbeatBounds> heartbeat_bounds;
  uint64_t acked_up_to_seq = 0;
  uint64_t registrations_tag = 0;
  // How far this server's clock is ahead of the phone's, as that was when the test began.
  absl::Duration clock_ahead;

  // What it heard.
  int connections = 0;
  std::vector<device::v1::Login> logins;
  int heartbeats = 0;
  // "message:OUTCOME", as they came.
  std::vector<std::string> app_acks;
  // "register com.example.mail", "remove com.example.mail".
  std::vector<std::string> app_requests;
  // "+news", "-news".
  std::vector<std::string> topic_changes;
  // What was asked for, as it came.
  std::vector<device::v1::Subscription> subscriptions;
  // ActivityChanges.
  std::vector<device::v1::Activity> activities;
  std::vector<device::v1::NetworkReport> network_reports;

 private:
  void OnOpen() override {}
  void OnClosed(const absl::Status&) override {
    loop_->DeleteLater(std::move(stream_));
    ready_ = false;
  }

  void OnData(absl::string_view data) override {
    const absl::Status status = decoder_.Feed(data, [this](absl::string_view body) {
      if (body.empty()) {
        ++heartbeats;
        if (answers_heartbeats) SendBytes(absl::string_view("\0", 1));
        return true;
      }
      device::v1::AgentFrame frame;
      EXPECT_TRUE(frame.ParseFromString(std::string(body)));
      OnFrame(frame);
      return stream_ != nullptr;
    });
    EXPECT_TRUE(status.ok()) << status;
  }

  void OnFrame(const device::v1::AgentFrame& frame) {
    if (frame.has_login()) return OnLogin(frame.login());
    EXPECT_TRUE(ready_) << "a frame before Welcome";
    if (frame.has_ack() && takes_acks) {
      for (const auto& range : frame.ack().ranges()) {
        for (uint64_t seq = range.first(); seq <= range.last(); ++seq) mailbox_.erase(seq);
      }
    }
    for (const auto& item : frame.app_ack().items()) {
      uint64_t n = 0;
      for (int i = 8; i < 16; ++i) n = n << 8 | static_cast<uint8_t>(item.message_id()[i]);
      app_acks.push_back(absl::StrCat(n, ":", device::v1::AppAck::Outcome_Name(item.outcome())));
    }
    if (frame.has_network_report()) network_reports.push_back(frame.network_report());
    if (frame.has_activity_change()) activities.push_back(frame.activity_change().activity());
    device::v1::ConnectorFrame answer;
    if (frame.has_topic_change()) {
      topic_changes.push_back(absl::StrCat(frame.topic_change().subscribed() ? "+" : "-",
                                           frame.topic_change().topic()));
      if (!topic_outcome.has_value()) return;
      answer.mutable_topic_changed()->set_request_id(frame.topic_change().request_id());
      answer.mutable_topic_changed()->set_outcome(*topic_outcome);
      return Send(answer);
    }
    if (frame.has_register_app()) {
      const bool is_subscription = frame.register_app().has_subscription();
      const std::string& instance = frame.register_app().subscription().instance();
      const std::string app_id =
          is_subscription ? SubscriptionId(instance)
                          : AppOf(frame.register_app().app_id(), frame.register_app().owner());
      app_requests.push_back("register " + app_id);
      if (is_subscription) subscriptions.push_back(frame.register_app().subscription());
      auto* registered = answer.mutable_app_registered();
      registered->set_request_id(frame.register_app().request_id());
      registered->set_outcome(register_outcome);
      registered->set_app_id(frame.register_app().app_id());
      registered->set_instance(instance);
      if (register_outcome == device::v1::AppRegistered::OK) {
        registered->set_registration_id(RegistrationIdOf(app_id));
        registered->set_token(TokenOf(app_id));
        if (is_subscription) registered->set_endpoint(EndpointOf(instance));
        registered->set_registrations_tag(registrations_tag);
      }
      Send(answer);
    } else if (frame.has_remove_app()) {
      const std::string app_id =
          frame.remove_app().instance().empty()
              ? AppOf(frame.remove_app().app_id(), frame.remove_app().owner())
              : SubscriptionId(frame.remove_app().instance());
      app_requests.push_back("remove " + app_id);
      answer.mutable_app_removed()->set_request_id(frame.remove_app().request_id());
      answer.mutable_app_removed()->set_ok(removes);
      if (removes) registration_ids_.erase(app_id);
      Send(answer);
    }
  }

  void OnLogin(const device::v1::Login& login) {
    logins.push_back(login);
    const absl::Status proof = VerifyLogin(login.public_key(), stream_->tls_exporter(),
                                           login.login_number(), login.signature());
    EXPECT_TRUE(proof.ok()) << proof;
    if (answers_logins) AnswerLogin();
  }

 public:
  // For a test that did not let it answer by itself.
  void AnswerLogin() {
    device::v1::ConnectorFrame frame;
    frame.mutable_welcome()->set_mailbox_id(std::string(mailbox_id.bytes()));
    frame.mutable_welcome()->set_server_time_ms(absl::ToUnixMillis(Now()));
    frame.mutable_welcome()->set_acked_up_to_seq(acked_up_to_seq);
    frame.mutable_welcome()->set_registrations_tag(registrations_tag);
    if (heartbeat_bounds.has_value()) {
      *frame.mutable_welcome()->mutable_heartbeat_bounds() = *heartbeat_bounds;
    }
    Send(frame);
    ready_ = true;
    for (const auto& [seq, push] : mailbox_) Send(push);
  }

 private:
  net::EventLoop* const loop_;
  std::unique_ptr<net::Stream> stream_;
  net::FrameDecoder decoder_{kMaxFrameBytes};
  bool ready_ = false;
  std::map<uint64_t, device::v1::ConnectorFrame> mailbox_;
  std::map<std::string, uint64_t> registration_ids_;
  // By app id, in the order in which they came.
  std::map<std::string, std::vector<std::string>> owners_;
  uint64_t generation_ = 1;
  const absl::Time began_ = loop_->clock().WallNow();
  const MonotonicTime began_boottime_ = loop_->clock().Boottime();
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_TESTING_FAKE_CONNECTOR_H_
