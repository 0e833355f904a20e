/* A backend in C, as bellwire_encrypt.h shows it. Compiled as C: the header must be C. */
#include "crypto/encryption/c_backend.h"

#include <string.h>

bellwire_encrypt_result c_backend_make(const char *encrypted_token, const char *text,
                                       c_backend_message *message) {
  return bellwire_encrypt(encrypted_token, text, strlen(text), message->token, message->payload,
                          &message->size);
}
