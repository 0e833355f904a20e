#include "device-agent/client/client.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "crypto/encryption/app_keys.h"
#include "crypto/encryption/encrypted_token.h"
#include "device-agent/client/agent_link.h"
#include "device-agent/client/handled_deliveries.h"

namespace bellwire::agent {
namespace {

// As many as the agent takes of one app.
constexpr size_t kMaxTopicChangesOfApp = 64;

v1::Hello HelloOf(const ClientOptions& options) {
  v1::Hello hello;
  hello.set_app_id(options.app_id);
  hello.set_client_version(options.client_version);
  return hello;
}

class ClientImpl final : public Client, private AgentLink::Owner {
 public:
  ClientImpl(const ClientOptions& options, ClientCallbacks callbacks)
      : callbacks_(std::move(callbacks)),
        key_file_(options.key_file),
        link_(options.socket_path, HelloOf(options), this) {}

  absl::Status Init();

  void Register() override;
  void Unregister() override;
  void Ack(const std::vector<uint64_t>& delivery_ids) override;
  absl::Status ChangeTopic(const std::string& topic, bool subscribed) override;
  int fd() const override { return link_.fd(); }
  absl::Status Dispatch(absl::Duration timeout) override { return link_.Dispatch(timeout); }
  absl::Status Run() override { return link_.Run(); }
  void Stop() override { link_.Stop(); }
  bool connected() const override { return link_.greeted(); }

 private:
  // AgentLink::Owner
  void OnGreeted(const v1::HelloOk& hello_ok) override;
  void OnFrame(const v1::AgentFrame& frame) override;
  void OnLost() override;
  void OnTurn() override { SendAcks(); }

  void TellToken() const;
  void ReplaceKeys();
  void OnDelivery(const v1::Delivery& delivery);
  void OnGap(const v1::Gap& gap);
  void OnTopicChanged(const v1::TopicChanged& answer);
  void AckSoon(uint64_t delivery_id);
  void SendAcks();
  void SendWishes();

  const ClientCallbacks callbacks_;
  const std::string key_file_;
  AgentLink link_;
  // Null without a key file.
  std::unique_ptr<AppKeys> keys_;
  bool wants_registration_ = false;
  bool wants_unregistration_ = false;
  std::string token_;
  // The agent has told the token on this connection.
  bool registered_ = false;
  // Changes of topics that it has not answered on this connection.
  std::vector<v1::ChangeTopic> topic_changes_;
  HandledDeliveries handled_;
  std::vector<uint64_t> acks_;
};

absl::Status ClientImpl::Init() {
  if (!key_file_.empty()) {
    BELLWIRE_ASSIGN_OR_RETURN(keys_, AppKeys::LoadOrCreate(key_file_));
  }
  return link_.Init();
}

// --- The app's wishes. ---

void ClientImpl::Register() {
  wants_registration_ = true;
  wants_unregistration_ = false;
  if (link_.greeted()) SendWishes();
}

void ClientImpl::Unregister() {
  wants_registration_ = false;
  wants_unregistration_ = true;
  if (link_.greeted()) SendWishes();
}

void ClientImpl::Ack(const std::vector<uint64_t>& delivery_ids) {
  for (const uint64_t id : delivery_ids) AckSoon(id);
  SendAcks();
}

absl::Status ClientImpl::ChangeTopic(const std::string& topic, bool subscribed) {
  if (!registered_ || !link_.greeted()) {
    return absl::UnavailableError("the agent has not told this app its token yet");
  }
  if (topic_changes_.size() >= kMaxTopicChangesOfApp) {
    return absl::ResourceExhaustedError("too many changes of topics are not answered yet");
  }
  v1::AppFrame frame;
  frame.mutable_change_topic()->set_topic(topic);
  frame.mutable_change_topic()->set_subscribed(subscribed);
  topic_changes_.push_back(frame.change_topic());
  link_.Send(frame);
  return absl::OkStatus();
}

// --- The connection. ---

void ClientImpl::OnLost() {
  registered_ = false;
  // Some of them may have been done.
  for (const v1::ChangeTopic& change : std::exchange(topic_changes_, {})) {
    if (!callbacks_.on_topic_changed) continue;
    callbacks_.on_topic_changed(change.topic(), change.subscribed(),
                                v1::TopicChanged::NOT_CONNECTED);
  }
  acks_.clear();  // They mean nothing to the next connection, which is given these messages again.
  if (callbacks_.on_connection) callbacks_.on_connection(false);
}

void ClientImpl::OnFrame(const v1::AgentFrame& frame) {
  using Frame = v1::AgentFrame;
  switch (frame.body_case()) {
    case Frame::kRegistered:
      registered_ = true;
      // On every connection, but news only if it is another one.
      if (token_ == frame.registered().token()) return;
      token_ = frame.registered().token();
      return TellToken();
    case Frame::kUnregistered:
      wants_unregistration_ = false;
      token_.clear();
      registered_ = false;
      ReplaceKeys();
      if (callbacks_.on_unregistered) callbacks_.on_unregistered();
      return;
    case Frame::kDelivery:
      return OnDelivery(frame.delivery());
    case Frame::kGap:
      return OnGap(frame.gap());
    case Frame::kTopicChanged:
      return OnTopicChanged(frame.topic_changed());
    case Frame::kError:
      if (callbacks_.on_error) callbacks_.on_error(frame.error().code(), frame.error().message());
      return;
    default:  // Not for an app, or from a later agent.
      return;
  }
}

void ClientImpl::OnGreeted(const v1::HelloOk& hello_ok) {
  handled_.Enter(hello_ok.inbox_id());
  SendWishes();
  if (callbacks_.on_connection) callbacks_.on_connection(true);
}

void ClientImpl::TellToken() const {
  if (!callbacks_.on_token) return;
  callbacks_.on_token(keys_ ? FormatEncryptedToken({token_, keys_->recipient()}) : token_);
}

void ClientImpl::ReplaceKeys() {
  if (!keys_) return;
  auto replaced = AppKeys::Replace(key_file_);
  // The former ones serve as well; they only last longer than they should.
  if (replaced.ok()) keys_ = *std::move(replaced);
}

void ClientImpl::OnDelivery(const v1::Delivery& delivery) {
  if (handled_.Give(delivery.delivery_id(), delivery.message_id())) {
    return AckSoon(delivery.delivery_id());
  }
  if (!callbacks_.on_message) return;
  Message message;
  message.delivery_id = delivery.delivery_id();
  message.message_id = delivery.message_id();
  if (keys_ && IsEncryptedPayload(delivery.payload())) {
    absl::StatusOr<std::string> text = keys_->Decrypt(delivery.payload());
    if (!text.ok()) {
      if (callbacks_.on_undecryptable) callbacks_.on_undecryptable(message.message_id);
      return AckSoon(message.delivery_id);
    }
    message.payload = *std::move(text);
    message.encrypted = true;
  } else {
    message.payload = delivery.payload();
  }
  message.accepted_at = absl::FromUnixMillis(delivery.accepted_at_ms());
  message.redelivered = delivery.redelivered();
  message.content = delivery.content();
  message.priority = delivery.priority();
  if (callbacks_.on_message(message)) AckSoon(message.delivery_id);
}

void ClientImpl::OnGap(const v1::Gap& gap) {
  if (!handled_.Give(gap.delivery_id(), "") && callbacks_.on_gap) callbacks_.on_gap(gap.dropped());
  if (link_.stopped()) return;
  AckSoon(gap.delivery_id());
}

void ClientImpl::OnTopicChanged(const v1::TopicChanged& answer) {
  const auto it = std::find_if(
      topic_changes_.begin(), topic_changes_.end(), [&answer](const v1::ChangeTopic& change) {
        return change.topic() == answer.topic() && change.subscribed() == answer.subscribed();
      });
  if (it == topic_changes_.end()) return;
  topic_changes_.erase(it);
  if (callbacks_.on_topic_changed) {
    callbacks_.on_topic_changed(answer.topic(), answer.subscribed(), answer.outcome());
  }
}

void ClientImpl::AckSoon(uint64_t delivery_id) {
  handled_.Handle(delivery_id);
  acks_.push_back(delivery_id);
}

void ClientImpl::SendAcks() {
  if (!link_.greeted()) return acks_.clear();
  for (size_t i = 0; i < acks_.size(); i += kMaxAppAcksPerFrame) {
    v1::AppFrame frame;
    const size_t end = std::min(acks_.size(), i + kMaxAppAcksPerFrame);
    frame.mutable_ack()->mutable_delivery_ids()->Add(acks_.begin() + static_cast<ptrdiff_t>(i),
                                                     acks_.begin() + static_cast<ptrdiff_t>(end));
    link_.Send(frame);
  }
  acks_.clear();
}

void ClientImpl::SendWishes() {
  v1::AppFrame frame;
  if (wants_unregistration_) {
    frame.mutable_unregister();
  } else if (wants_registration_) {
    frame.mutable_register_();
  } else {
    return;
  }
  link_.Send(frame);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Create(const ClientOptions& options,
                                                       ClientCallbacks callbacks) {
  if (!IsValidAppId(options.app_id)) {
    return absl::InvalidArgumentError(
        absl::StrCat("an app id is a reverse domain name such as com.example.mail, not \"",
                     options.app_id, "\""));
  }
  auto client = std::make_unique<ClientImpl>(options, std::move(callbacks));
  if (absl::Status s = client->Init(); !s.ok()) return s;
  return client;
}

}  // namespace bellwire::agent
