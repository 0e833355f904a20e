/* Bellwire for apps, in plain C: a token for the app's backend, and the messages it sends.
 *
 *   bellwire_client *client = bellwire_connect(NULL, "com.example.mail");
 *   bellwire_register(client);
 *   for (;;) {
 *     bellwire_event event;
 *     if (bellwire_next(client, -1, &event) < 0) break;
 *     if (event.type == BELLWIRE_TOKEN) send_to_my_backend(event.token);
 *     if (event.type == BELLWIRE_MESSAGE && show(event.payload, event.payload_size))
 *       bellwire_ack(client, event.delivery_id);
 *   }
 *   bellwire_close(client);
 *
 * A client belongs to one thread at a time. While the agent is away it reconnects by itself.
 * No function but bellwire_close() takes a NULL client. Link //device-agent/client:bellwire. */
#ifndef BELLWIRE_DEVICE_AGENT_CLIENT_BELLWIRE_H_
#define BELLWIRE_DEVICE_AGENT_CLIENT_BELLWIRE_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bellwire_client bellwire_client;

/* What an event says. */
typedef enum bellwire_event_type {
  BELLWIRE_NONE = 0,  /* The time was over. */
  BELLWIRE_TOKEN = 1, /* `token`: send it to your backend. With a key file, the encrypted token. */
  BELLWIRE_MESSAGE = 2,   /* A message; acknowledge `delivery_id` once it is taken for good. */
  BELLWIRE_GAP = 3,       /* `dropped` messages never reached the phone: synchronise. Said once. */
  BELLWIRE_ERROR = 4,     /* `error_code`, `error_message`: the agent refused something. */
  BELLWIRE_CONNECTED = 5, /* The agent answered. */
  BELLWIRE_DISCONNECTED = 6,  /* The agent is away; the client reconnects. */
  BELLWIRE_UNREGISTERED = 7,  /* The token is dead, as bellwire_unregister() asked. */
  BELLWIRE_TOPIC_CHANGED = 8, /* `topic`, `subscribed`, `outcome`: what became of a change. */
  BELLWIRE_UNDECRYPTABLE = 9  /* `message_id`: encrypted, not for these keys. It is acknowledged. */
} bellwire_event_type;

/* The numbers of bellwire.agent.v1.Error.Code. */
typedef enum bellwire_error_code {
  BELLWIRE_ERROR_UNKNOWN_APP = 1,
  BELLWIRE_ERROR_PERMISSION_DENIED = 2,
  BELLWIRE_ERROR_PROTOCOL = 3,
  BELLWIRE_ERROR_SESSION_REPLACED = 4,
  BELLWIRE_ERROR_LIMIT_REACHED = 5,
  BELLWIRE_ERROR_BAD_APP_ID = 6,
  BELLWIRE_ERROR_INTERNAL = 7
} bellwire_error_code;

/* The numbers of bellwire.agent.v1.TopicChanged.Outcome. */
typedef enum bellwire_topic_outcome {
  BELLWIRE_TOPIC_OK = 1,       /* It is so, durably at the server. */
  BELLWIRE_TOPIC_BAD_NAME = 2, /* The name is malformed. */
  BELLWIRE_TOPIC_LIMIT_REACHED =
      3,                           /* Too many topics of this app, or too many changes at a time. */
  BELLWIRE_TOPIC_UNREGISTERED = 4, /* The app is not registered. */
  BELLWIRE_TOPIC_UNAVAILABLE = 5,  /* The server can't just now; ask again later. */
  BELLWIRE_TOPIC_NOT_CONNECTED = 6 /* There is no session with the server; ask again later. */
} bellwire_topic_outcome;

/* How the backend sent a message: the numbers of bellwire.agent.v1.Content.Door. */
typedef enum bellwire_door {
  BELLWIRE_DOOR_OWN = 0,      /* gRPC or JSON: the payload is the app's own. */
  BELLWIRE_DOOR_WEB_PUSH = 1, /* Encrypted. */
  BELLWIRE_DOOR_APNS = 2,     /* The payload is the JSON of APNs. */
  BELLWIRE_DOOR_FCM = 3,      /* The payload is a message of FCM HTTP v1. */
  BELLWIRE_DOOR_NTFY = 4,
  BELLWIRE_DOOR_MATRIX = 5
} bellwire_door;

/* A name and its text. */
typedef struct bellwire_datum {
  const char* name;
  const char* value;
} bellwire_datum;

/* What a message of APNs or FCM asks the app to show: device-agent/client/notification.h says it
 * field by field. Texts are never NULL; absent ones are empty. One that holds a zero byte is cut
 * there. */
typedef struct bellwire_notification {
  const char* title;
  const char* subtitle;
  const char* body;
  const char* title_loc_key; /* Not empty: the app's own text of that name, in place of `title`. */
  const char* const* title_loc_args;
  size_t title_loc_args_count;
  const char* body_loc_key;
  const char* const* body_loc_args;
  size_t body_loc_args_count;
  const char* image;
  const char* sound;
  const char* category;
  const char* thread;
  int has_badge;
  int64_t badge;
  int content_available;
  int silent; /* Not zero: there is nothing to see or to hear. */
  const bellwire_datum* data;
  size_t data_count;
} bellwire_notification;

/* Pointers are valid until the next call of bellwire_next() or bellwire_close() for this client,
 * and NULL or zero where the type has no such field. Strings end with a zero byte; a payload may
 * hold any. */
typedef struct bellwire_event {
  bellwire_event_type type;
  const char* token;
  uint64_t delivery_id;
  const char* message_id; /* UUID as text. */
  const void* payload;
  size_t payload_size;
  int64_t accepted_at_ms; /* Since the Unix epoch. */
  int redelivered;        /* Not zero: it was delivered before and not acknowledged. */
  uint32_t dropped;
  int error_code;
  const char* error_message;
  int door; /* Of a message: bellwire_door. */
  const bellwire_notification* notification; /* Of a message; NULL: it came through another door. */
  const char* topic;
  int subscribed;
  int outcome; /* bellwire_topic_outcome. */
  int encrypted; /* Of a message, not zero: the backend encrypted it, and `payload` is decrypted. */
} bellwire_event;

/* Makes a client for one app. `socket_path` NULL: the default, /run/bellwire/agent.sock. NULL if
 * `app_id` is malformed, the path is too long, or there is no memory or descriptor left; an agent
 * that is away is no error. */
bellwire_client* bellwire_connect(const char* socket_path, const char* app_id);

/* The same, with end-to-end encryption (docs/guide/end_to_end.md): `key_file` is a file of the
 * app's own with its keys, made if there is none. NULL also if it can't be read or made, or is
 * damaged. */
bellwire_client* bellwire_connect_encrypted(const char* socket_path, const char* app_id,
                                            const char* key_file);

/* Asks for the token and from then on for messages; repeated by itself on every new connection. */
void bellwire_register(bellwire_client* client);

/* Kills the token and drops what waits. */
void bellwire_unregister(bellwire_client* client);

/* Subscribes the app to a topic of its team, or (`subscribed` zero) ends that: its backend sends
 * one message to all who are subscribed. 0: BELLWIRE_TOPIC_CHANGED tells what becomes of it. -1:
 * not now, because the agent has not told the token yet, or 64 changes are not answered. Of one
 * topic, ask again when it was answered. */
int bellwire_change_topic(bellwire_client* client, const char* topic, int subscribed);

/* A descriptor that is readable when bellwire_next() has something to do. For poll() only. */
int bellwire_fd(const bellwire_client* client);

/* The next event, after at most `timeout_ms` milliseconds (0: at once, negative: for ever). 1:
 * `event` is filled. 0: the time was over (BELLWIRE_NONE). -1: this client is at its end, because
 * another connection speaks for the app (SESSION_REPLACED) or another user owns it
 * (PERMISSION_DENIED); a BELLWIRE_ERROR event has said so. */
int bellwire_next(bellwire_client* client, int timeout_ms, bellwire_event* event);

/* The app has taken this message for good: it will not come again. */
void bellwire_ack(bellwire_client* client, uint64_t delivery_id);

/* Closes and frees. What was not acknowledged comes again on the next connection. */
void bellwire_close(bellwire_client* client);

#ifdef __cplusplus
}
#endif

#endif /* BELLWIRE_DEVICE_AGENT_CLIENT_BELLWIRE_H_ */
