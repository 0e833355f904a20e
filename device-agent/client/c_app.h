#ifndef BELLWIRE_DEVICE_AGENT_CLIENT_C_APP_H_
#define BELLWIRE_DEVICE_AGENT_CLIENT_C_APP_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What an app in C has seen. */
typedef struct c_app_result {
  char token[129];
  char last_payload[256];
  size_t messages;
  uint32_t dropped;
  int connected;
} c_app_result;

/* Registers, and takes so many messages. 0, or -1 if there is no client. */
int c_app_run(const char* socket_path, const char* app_id, size_t messages, c_app_result* result);

/* 0 once the agent has noted it. */
int c_app_unregister(const char* socket_path, const char* app_id);

#ifdef __cplusplus
}
#endif

#endif /* BELLWIRE_DEVICE_AGENT_CLIENT_C_APP_H_ */
