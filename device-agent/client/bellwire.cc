#include "device-agent/client/bellwire.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "absl/time/time.h"
#include "common/clock.h"
#include "device-agent/client/client.h"

namespace {

// An event and what its pointers point to.
struct OwnedEvent {
  bellwire_event_type type = BELLWIRE_NONE;
  // Of a token or an error; of a message, its id.
  std::string text;
  std::string payload;
  uint64_t delivery_id = 0;
  int64_t accepted_at_ms = 0;
  bool redelivered = false;
  uint32_t dropped = 0;
  int error_code = 0;
};

}  // namespace

// Turns callbacks into a queue: they come inside Dispatch only, and bellwire_next takes them one by
// one.
struct bellwire_client {
  std::unique_ptr<bellwire::agent::Client> client;
  std::deque<OwnedEvent> queue;
  // The last one given out.
  OwnedEvent current;
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
          .redelivered = message.redelivered});
    return false;  // bellwire_ack says when.
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
  if (app_id == nullptr) return nullptr;
  auto c = std::make_unique<bellwire_client>();
  bellwire::agent::ClientOptions options;
  if (socket_path != nullptr) options.socket_path = socket_path;
  options.app_id = app_id;
  auto client = bellwire::agent::Client::Create(options, CallbacksInto(c.get()));
  if (!client.ok()) return nullptr;
  c->client = *std::move(client);
  return c.release();
}

void bellwire_register(bellwire_client* client) { client->client->Register(); }

void bellwire_unregister(bellwire_client* client) { client->client->Unregister(); }

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
  if (has_event) return 1;
  return status.ok() ? 0 : -1;
}

void bellwire_ack(bellwire_client* client, uint64_t delivery_id) {
  client->client->Ack({delivery_id});
}

void bellwire_close(bellwire_client* client) { delete client; }

}  // extern "C"
