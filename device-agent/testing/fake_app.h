#ifndef BELLWIRE_DEVICE_AGENT_TESTING_FAKE_APP_H_
#define BELLWIRE_DEVICE_AGENT_TESTING_FAKE_APP_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "bellwire/agent/v1/agent.pb.h"
#include "common/limits.h"
#include "gtest/gtest.h"
#include "net/loop/event_loop.h"
#include "net/socket/frame_codec.h"
#include "net/socket/stream.h"

namespace bellwire::agent {

// An app that speaks to an agent frame by frame: nothing by itself but Hello, Register and, if told
// so, acknowledgements. On one loop; not thread-safe.
class FakeApp final : public net::Stream::Delegate {
 public:
  // Says Hello and Register as soon as the stream is open, unless `app_id` is empty.
  FakeApp(net::EventLoop* loop, std::unique_ptr<net::Stream> stream, std::string app_id,
          bool acks = true)
      : loop_(loop), stream_(std::move(stream)), app_id_(std::move(app_id)), acks_(acks) {
    stream_->SetDelegate(this);
  }
  ~FakeApp() override { Close(); }

  void Close() {
    if (stream_ == nullptr) return;
    stream_->Close();
    loop_->DeleteLater(std::move(stream_));
  }

  void Send(const v1::AppFrame& frame) {
    std::string bytes;
    net::AppendFrame(frame.SerializeAsString(), &bytes);
    SendBytes(bytes);
  }
  void SendBytes(absl::string_view bytes) {
    if (stream_ != nullptr) stream_->Write(bytes);
  }
  void Hello() {
    v1::AppFrame frame;
    frame.mutable_hello()->set_app_id(app_id_);
    Send(frame);
  }
  void HelloAsCompanion() {
    v1::AppFrame frame;
    frame.mutable_hello()->set_companion(true);
    Send(frame);
  }
  void Subscribe(const std::string& instance, const std::string& owner = "org.example.App",
                 const std::string& vapid_key = "", bool receipts = false) {
    v1::AppFrame frame;
    frame.mutable_subscribe()->set_instance(instance);
    frame.mutable_subscribe()->set_owner(owner);
    frame.mutable_subscribe()->set_vapid_key(vapid_key);
    frame.mutable_subscribe()->set_receipts(receipts);
    Send(frame);
  }
  void Unsubscribe(const std::string& instance) {
    v1::AppFrame frame;
    frame.mutable_unsubscribe()->set_instance(instance);
    Send(frame);
  }
  void Register() {
    v1::AppFrame frame;
    frame.mutable_register_();
    Send(frame);
  }
  void Unregister() {
    v1::AppFrame frame;
    frame.mutable_unregister();
    Send(frame);
  }
  void ChangeTopic(const std::string& topic, bool subscribed) {
    v1::AppFrame frame;
    frame.mutable_change_topic()->set_topic(topic);
    frame.mutable_change_topic()->set_subscribed(subscribed);
    Send(frame);
  }
  void AskForStatus() {
    v1::AppFrame frame;
    frame.mutable_status_request();
    Send(frame);
  }
  void SetActivity(v1::Activity activity) {
    v1::AppFrame frame;
    frame.mutable_set_activity()->set_activity(activity);
    Send(frame);
  }
  void SetNetwork(v1::SetNetwork::Kind kind, const std::string& name) {
    v1::AppFrame frame;
    frame.mutable_set_network()->set_kind(kind);
    frame.mutable_set_network()->set_name(name);
    Send(frame);
  }
  void Ack(uint64_t delivery_id, const std::string& instance = "") {
    v1::AppFrame frame;
    frame.mutable_ack()->set_instance(instance);
    frame.mutable_ack()->add_delivery_ids(delivery_id);
    Send(frame);
  }

  net::Stream* stream() { return stream_.get(); }
  bool closed() const { return stream_ == nullptr; }

  // What it heard.
  std::vector<std::string> tokens;
  // Endpoints, as "INSTANCE=URL", and instances that were unsubscribed.
  std::vector<std::string> endpoints;
  std::vector<std::string> unsubscribed;
  // Payloads, and "gap N"; of a subscription, behind "INSTANCE: ".
  std::vector<std::string> got;
  std::vector<v1::Delivery> deliveries;
  // "+news OK".
  std::vector<std::string> topic_changes;
  std::vector<v1::Error::Code> errors;
  // What each of them was about; empty: the connection.
  std::vector<std::string> error_instances;
  std::vector<v1::Status> statuses;
  std::string inbox_id;
  int unregistered = 0;
  int activities_set = 0;
  int networks_set = 0;
  std::vector<v1::Enrolled> enrolled;

 private:
  void OnOpen() override {
    if (app_id_.empty()) return;
    Hello();
    Register();
  }
  void OnClosed(const absl::Status&) override { loop_->DeleteLater(std::move(stream_)); }
  void OnData(absl::string_view data) override {
    const absl::Status status = decoder_.Feed(data, [this](absl::string_view body) {
      v1::AgentFrame frame;
      EXPECT_TRUE(frame.ParseFromString(std::string(body)));
      OnFrame(frame);
      return true;
    });
    EXPECT_TRUE(status.ok()) << status;
  }
  void OnFrame(const v1::AgentFrame& frame) {
    if (frame.has_hello_ok()) inbox_id = frame.hello_ok().inbox_id();
    if (frame.has_registered()) tokens.push_back(frame.registered().token());
    if (frame.has_unregistered()) ++unregistered;
    if (frame.has_activity_set()) ++activities_set;
    if (frame.has_network_set()) ++networks_set;
    if (frame.has_enrolled()) enrolled.push_back(frame.enrolled());
    if (frame.has_subscribed()) {
      endpoints.push_back(
          absl::StrCat(frame.subscribed().instance(), "=", frame.subscribed().endpoint()));
    }
    if (frame.has_unsubscribed()) unsubscribed.push_back(frame.unsubscribed().instance());
    if (frame.has_error()) {
      errors.push_back(frame.error().code());
      error_instances.push_back(frame.error().instance());
    }
    if (frame.has_topic_changed()) {
      topic_changes.push_back(
          absl::StrCat(frame.topic_changed().subscribed() ? "+" : "-",
                       frame.topic_changed().topic(), " ",
                       v1::TopicChanged::Outcome_Name(frame.topic_changed().outcome())));
    }
    if (frame.has_status()) statuses.push_back(frame.status());
    if (frame.has_delivery()) {
      const std::string& instance = frame.delivery().instance();
      got.push_back(
          absl::StrCat(instance, instance.empty() ? "" : ": ", frame.delivery().payload()));
      deliveries.push_back(frame.delivery());
      if (acks_) Ack(frame.delivery().delivery_id(), instance);
    }
    if (frame.has_gap()) {
      const std::string& instance = frame.gap().instance();
      got.push_back(
          absl::StrCat(instance, instance.empty() ? "" : ": ", "gap ", frame.gap().dropped()));
      if (acks_) Ack(frame.gap().delivery_id(), instance);
    }
  }

  net::EventLoop* const loop_;
  std::unique_ptr<net::Stream> stream_;
  const std::string app_id_;
  const bool acks_;
  net::FrameDecoder decoder_{kMaxFrameBytes};
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_TESTING_FAKE_APP_H_
