#ifndef BELLWIRE_DEVICE_AGENT_CLIENT_C_APP_H_
#define BELLWIRE_DEVICE_AGENT_CLIENT_C_APP_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What an app in C has seen. */
typedef struct c_app_result {
  char token[512];
  char last_payload[256];
  int last_door;
  int last_encrypted;
  size_t undecryptable;
  /* Of the last message that had one. */
  char last_title[64];
  char last_body[64];
  int64_t last_badge;
  size_t messages;
  uint32_t dropped;
  /* What bellwire_change_topic answered, and what became of it. */
  int change_topic;
  int topic_outcome;
  int connected;
} c_app_result;

/* Registers, subscribes to a topic unless it is NULL, and takes so many messages. 0, or -1 if there
 * is no client. */
int c_app_run(const char* socket_path, const char* app_id, const char* topic, size_t messages,
              c_app_result* result);

/* The same, with end-to-end encryption and without topics: takes so many messages, decryptable or
 * not. */
int c_app_run_encrypted(const char* socket_path, const char* app_id, const char* key_file,
                        size_t messages, c_app_result* result);

/* 0 once the agent has noted it. */
int c_app_unregister(const char* socket_path, const char* app_id);

#ifdef __cplusplus
}
#endif

#endif /* BELLWIRE_DEVICE_AGENT_CLIENT_C_APP_H_ */
