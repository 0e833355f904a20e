#include "device-agent/client/bellwire.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "device-agent/client/client.h"
#include "device-agent/client/notification.h"

namespace {

using bellwire::agent::Notification;

// A Notification in C. Points into the Notification that it was made of, which must not move.
struct NotificationInC {
  std::vector<const char*> title_args;
  std::vector<const char*> body_args;
  std::vector<bellwire_datum> data;
  bellwire_notification notification = {};

  explicit NotificationInC(const Notification& n) {
    for (const std::string& arg : n.localized_title.args) title_args.push_back(arg.c_str());
    for (const std::string& arg : n.localized_body.args) body_args.push_back(arg.c_str());
    for (const auto& [name, value] : n.data) data.push_back({name.c_str(), value.c_str()});
    notification.title = n.title.c_str();
    notification.subtitle = n.subtitle.c_str();
    notification.body = n.body.c_str();
    notification.title_loc_key = n.localized_title.key.c_str();
    notification.title_loc_args = title_args.data();
    notification.title_loc_args_count = title_args.size();
    notification.body_loc_key = n.localized_body.key.c_str();
    notification.body_loc_args = body_args.data();
    notification.body_loc_args_count = body_args.size();
    notification.image = n.image.c_str();
    notification.sound = n.sound.c_str();
    notification.category = n.category.c_str();
    notification.thread = n.thread.c_str();
    notification.has_badge = n.badge.has_value();
    notification.badge = n.badge.value_or(0);
    notification.content_available = n.content_available;
    notification.silent = n.silent();
    notification.data = data.data();
    notification.data_count = data.size();
  }
};

// An event and what its pointers point to.
struct OwnedEvent {
  bellwire_event_type type = BELLWIRE_NONE;
  // Of a token, an error or a topic; of a message, decrypted or not, its id.
  std::string text;
  std::string payload;
  uint64_t delivery_id = 0;
  int64_t accepted_at_ms = 0;
  bool redelivered = false;
  uint32_t dropped = 0;
  int error_code = 0;
  bellwire::agent::v1::Content content;
  bool subscribed = false;
  int outcome = 0;
  bool encrypted = false;
};

}  // namespace

// Turns callbacks into a queue: they come inside Dispatch only, and bellwire_next takes them one by
// one.
struct bellwire_client {
  std::unique_ptr<bellwire::agent::Client> client;
  std::deque<OwnedEvent> queue;
  // The last one given out, and what its payload says.
  OwnedEvent current;
  std::optional<Notification> notification;
  std::optional<NotificationInC> notification_in_c;
};

namespace {

bellwire::agent::ClientCallbacks CallbacksInto(bellwire_client* c) {
  bellwire::agent::ClientCallbacks callbacks;
  auto push = [c](OwnedEvent event) { c->queue.push_back(std::move(event)); };
  callbacks.on_token = [push](const std::string& token) {
    push({.type = BELLWIRE_TOKEN, .text = token});
  };
  callbacks.on_message = [push](const bellwire::agent::Message& message) {
    push({.type = BELLWIRE_MESSAGE,
          .text = message.message_id,
          .payload = message.payload,
          .delivery_id = message.delivery_id,
          .accepted_at_ms = absl::ToUnixMillis(message.accepted_at),
          .redelivered = message.redelivered,
          .content = message.content,
          .encrypted = message.encrypted});
    return false;  // bellwire_ack says when.
  };
  callbacks.on_undecryptable = [push](const std::string& message_id) {
    push({.type = BELLWIRE_UNDECRYPTABLE, .text = message_id});
  };
  callbacks.on_gap = [push](uint32_t dropped) { push({.type = BELLWIRE_GAP, .dropped = dropped}); };
  callbacks.on_error = [push](bellwire::agent::v1::Error::Code code, const std::string& message) {
    push({.type = BELLWIRE_ERROR, .text = message, .error_code = code});
  };
  callbacks.on_connection = [c, push](bool connected) {
    // Messages of a connection that is gone come again on the next one, under the same numbers.
    if (!connected) {
      std::erase_if(c->queue, [](const OwnedEvent& e) { return e.type == BELLWIRE_MESSAGE; });
    }
    push({.type = connected ? BELLWIRE_CONNECTED : BELLWIRE_DISCONNECTED});
  };
  callbacks.on_unregistered = [push] { push({.type = BELLWIRE_UNREGISTERED}); };
  callbacks.on_topic_changed = [push](const std::string& topic, bool subscribed,
                                      bellwire::agent::v1::TopicChanged::Outcome outcome) {
    push({.type = BELLWIRE_TOPIC_CHANGED,
          .text = topic,
          .subscribed = subscribed,
          .outcome = outcome});
  };
  return callbacks;
}

void Fill(const OwnedEvent& from, bellwire_event* to) {
  *to = bellwire_event{};
  to->type = from.type;
  to->delivery_id = from.delivery_id;
  to->accepted_at_ms = from.accepted_at_ms;
  to->redelivered = from.redelivered;
  to->dropped = from.dropped;
  to->error_code = from.error_code;
  switch (from.type) {
    case BELLWIRE_TOKEN:
      to->token = from.text.c_str();
      break;
    case BELLWIRE_MESSAGE:
      to->message_id = from.text.c_str();
      to->payload = from.payload.data();
      to->payload_size = from.payload.size();
      to->door = from.content.door();
      to->encrypted = from.encrypted;
      break;
    case BELLWIRE_UNDECRYPTABLE:
      to->message_id = from.text.c_str();
      break;
    case BELLWIRE_TOPIC_CHANGED:
      to->topic = from.text.c_str();
      to->subscribed = from.subscribed;
      to->outcome = from.outcome;
      break;
    case BELLWIRE_ERROR:
      to->error_message = from.text.c_str();
      break;
    default:
      break;
  }
}

}  // namespace

extern "C" {

bellwire_client* bellwire_connect(const char* socket_path, const char* app_id) {
  return bellwire_connect_encrypted(socket_path, app_id, "");
}

bellwire_client* bellwire_connect_encrypted(const char* socket_path, const char* app_id,
                                            const char* key_file) {
  if (app_id == nullptr || key_file == nullptr) return nullptr;
  auto c = std::make_unique<bellwire_client>();
  bellwire::agent::ClientOptions options;
  if (socket_path != nullptr) options.socket_path = socket_path;
  options.app_id = app_id;
  options.key_file = key_file;
  auto client = bellwire::agent::Client::Create(options, CallbacksInto(c.get()));
  if (!client.ok()) return nullptr;
  c->client = *std::move(client);
  return c.release();
}

void bellwire_register(bellwire_client* client) { client->client->Register(); }

void bellwire_unregister(bellwire_client* client) { client->client->Unregister(); }

int bellwire_change_topic(bellwire_client* client, const char* topic, int subscribed) {
  return client->client->ChangeTopic(topic, subscribed != 0).ok() ? 0 : -1;
}

int bellwire_fd(const bellwire_client* client) { return client->client->fd(); }

int bellwire_next(bellwire_client* client, int timeout_ms, bellwire_event* event) {
  const absl::Duration timeout =
      timeout_ms < 0 ? absl::InfiniteDuration() : absl::Milliseconds(timeout_ms);
  const bellwire::MonotonicTime start = bellwire::RealClock()->Monotonic();
  absl::Status status;
  while (client->queue.empty() && status.ok()) {
    const absl::Duration left =
        std::max(timeout - (bellwire::RealClock()->Monotonic() - start), absl::ZeroDuration());
    status = client->client->Dispatch(left);
    if (left == absl::ZeroDuration()) break;
  }
  client->current = OwnedEvent();
  const bool has_event = !client->queue.empty();
  if (has_event) {
    client->current = std::move(client->queue.front());
    client->queue.pop_front();
  }
  Fill(client->current, event);
  client->notification_in_c.reset();
  client->notification.reset();
  if (client->current.type == BELLWIRE_MESSAGE) {
    client->notification =
        bellwire::agent::ParseNotification(client->current.content, client->current.payload);
  }
  if (client->notification.has_value()) {
    client->notification_in_c.emplace(*client->notification);
    event->notification = &client->notification_in_c->notification;
  }
  if (has_event) return 1;
  return status.ok() ? 0 : -1;
}

void bellwire_ack(bellwire_client* client, uint64_t delivery_id) {
  client->client->Ack({delivery_id});
}

void bellwire_close(bellwire_client* client) { delete client; }

}  // extern "C"
