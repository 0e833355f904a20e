// DecryptAes128gcm takes whatever a backend, or a server in its place, sends. An input is a body
// for the receiver of RFC 8291's example. One that can be decrypted is the example's text.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/base64.h"
#include "crypto/encryption/aes128gcm.h"
#include "openssl/core_names.h"
#include "openssl/evp.h"
#include "openssl/param_build.h"

namespace {

EVP_PKEY* Receiver() {
  const std::string scalar =
      *bellwire::DecodeBase64Url("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94");
  const std::string point = *bellwire::DecodeBase64Url(
      "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4");
  OSSL_PARAM_BLD* const builder = OSSL_PARAM_BLD_new();
  BIGNUM* const number = BN_bin2bn(reinterpret_cast<const unsigned char*>(scalar.data()),
                                   static_cast<int>(scalar.size()), nullptr);
  OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
  OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, number);
  OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  OSSL_PARAM* const parameters = OSSL_PARAM_BLD_to_param(builder);
  EVP_PKEY* key = nullptr;
  EVP_PKEY_CTX* const context = EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr);
  if (EVP_PKEY_fromdata_init(context) != 1 ||
      EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, parameters) != 1) {
    std::abort();
  }
  EVP_PKEY_CTX_free(context);
  OSSL_PARAM_free(parameters);
  OSSL_PARAM_BLD_free(builder);
  BN_free(number);
  return key;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static EVP_PKEY* const receiver = Receiver();
  static const std::string& auth =
      *new std::string(*bellwire::DecodeBase64Url("BTBZMqHH6r4Tts7J_aSIgg"));
  const absl::string_view body(reinterpret_cast<const char*>(data), size);
  const auto text = bellwire::DecryptAes128gcm(receiver, auth, body);
  if (text.ok() && *text != "When I grow up, I want to be a watermelon") std::abort();
  // Whatever is sent is the sender's mistake, never ours.
  if (!text.ok() && !absl::IsInvalidArgument(text.status())) std::abort();
  return 0;
}
