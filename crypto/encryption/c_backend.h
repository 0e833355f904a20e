#ifndef BELLWIRE_CRYPTO_ENCRYPTION_C_BACKEND_H_
#define BELLWIRE_CRYPTO_ENCRYPTION_C_BACKEND_H_

#include "crypto/encryption/bellwire_encrypt.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a backend in C would send. */
typedef struct c_backend_message {
  char token[BELLWIRE_TOKEN_SIZE];
  unsigned char payload[BELLWIRE_PAYLOAD_SIZE];
  size_t size;
} c_backend_message;

bellwire_encrypt_result c_backend_make(const char* encrypted_token, const char* text,
                                       c_backend_message* message);

#ifdef __cplusplus
}
#endif

#endif /* BELLWIRE_CRYPTO_ENCRYPTION_C_BACKEND_H_ */
