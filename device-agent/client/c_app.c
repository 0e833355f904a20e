/* An app in C, as bellwire.h shows it. Compiled as C: the header must be C. */
#include "device-agent/client/c_app.h"

#include <poll.h>
#include <string.h>

#include "device-agent/client/bellwire.h"

static int run(bellwire_client *client, const char *topic, size_t messages,
               c_app_result *result) {
  bellwire_event event;
  memset(result, 0, sizeof(*result));
  if (client == NULL) return -1;
  bellwire_register(client);
  while (result->messages < messages || (topic != NULL && result->topic_outcome == 0)) {
    struct pollfd ready = {bellwire_fd(client), POLLIN, 0};
    if (poll(&ready, 1, 60 * 1000) <= 0) break;
    /* Everything there is, then back to poll(). */
    while (bellwire_next(client, 0, &event) > 0) {
      switch (event.type) {
        case BELLWIRE_CONNECTED:
          result->connected++;
          break;
        case BELLWIRE_TOKEN:
          if (topic != NULL) result->change_topic = bellwire_change_topic(client, topic, 1);
          strncpy(result->token, event.token, sizeof(result->token) - 1);
          break;
        case BELLWIRE_GAP:
          result->dropped += event.dropped;
          break;
        case BELLWIRE_MESSAGE:
          if (event.payload_size < sizeof(result->last_payload)) {
            memcpy(result->last_payload, event.payload, event.payload_size);
            result->last_payload[event.payload_size] = 0;
          }
          result->last_door = event.door;
          result->last_encrypted = event.encrypted;
          if (event.notification != NULL) {
            strncpy(result->last_title, event.notification->title, sizeof(result->last_title) - 1);
            strncpy(result->last_body, event.notification->body, sizeof(result->last_body) - 1);
            if (event.notification->has_badge) result->last_badge = event.notification->badge;
          }
          result->messages++;
          bellwire_ack(client, event.delivery_id);
          break;
        case BELLWIRE_UNDECRYPTABLE:
          result->undecryptable++;
          result->messages++;
          break;
        case BELLWIRE_TOPIC_CHANGED:
          if (event.subscribed && strcmp(event.topic, topic) == 0) {
            result->topic_outcome = event.outcome;
          }
          break;
        default:
          break;
      }
    }
  }
  bellwire_close(client);
  return 0;
}

int c_app_run(const char *socket_path, const char *app_id, const char *topic, size_t messages,
              c_app_result *result) {
  return run(bellwire_connect(socket_path, app_id), topic, messages, result);
}

int c_app_run_encrypted(const char *socket_path, const char *app_id, const char *key_file,
                        size_t messages, c_app_result *result) {
  return run(bellwire_connect_encrypted(socket_path, app_id, key_file), NULL, messages, result);
}

int c_app_unregister(const char *socket_path, const char *app_id) {
  bellwire_event event;
  int result = -1;
  bellwire_client *client = bellwire_connect(socket_path, app_id);
  if (client == NULL) return -1;
  bellwire_unregister(client);
  while (result < 0 && bellwire_next(client, 60 * 1000, &event) > 0) {
    if (event.type == BELLWIRE_UNREGISTERED) result = 0;
  }
  bellwire_close(client);
  return result;
}
