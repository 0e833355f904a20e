/* For app backends, in plain C: encrypts a message so that only one app on one phone can read it;
 * neither Bellwire's server nor the phone's agent can (docs/guide/end_to_end.md).
 *
 *   char token[BELLWIRE_TOKEN_SIZE];
 *   unsigned char payload[BELLWIRE_PAYLOAD_SIZE];
 *   size_t size;
 *   if (bellwire_encrypt(encrypted_token, text, strlen(text), token, payload, &size) == 0)
 *     send(token, payload, size);
 *
 * Thread-safe. Link //crypto/encryption:bellwire_encrypt. */
#ifndef BELLWIRE_CRYPTO_ENCRYPTION_BELLWIRE_ENCRYPT_H_
#define BELLWIRE_CRYPTO_ENCRYPTION_BELLWIRE_ENCRYPT_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BELLWIRE_TOKEN_SIZE 161           /* With the zero byte. */
#define BELLWIRE_PAYLOAD_SIZE 4096        /* Of the longest encrypted payload. */
#define BELLWIRE_ENCRYPTED_TEXT_SIZE 3989 /* Of the longest text. */

typedef enum bellwire_encrypt_result {
  BELLWIRE_ENCRYPTED = 0,
  BELLWIRE_BAD_ENCRYPTED_TOKEN = -1, /* Not "e1.TOKEN.P256DH.AUTH". */
  BELLWIRE_TEXT_TOO_LONG = -2,
  BELLWIRE_CANT_ENCRYPT = -3 /* OpenSSL can't: no memory, no randomness. */
} bellwire_encrypt_result;

/* `encrypted_token` as the app got it; `text` may be NULL if `text_size` is 0. Fills `token`,
 * `payload` and `payload_size`, or else touches none of them. */
bellwire_encrypt_result bellwire_encrypt(const char* encrypted_token, const void* text,
                                         size_t text_size, char token[BELLWIRE_TOKEN_SIZE],
                                         unsigned char payload[BELLWIRE_PAYLOAD_SIZE],
                                         size_t* payload_size);

#ifdef __cplusplus
}
#endif

#endif /* BELLWIRE_CRYPTO_ENCRYPTION_BELLWIRE_ENCRYPT_H_ */
