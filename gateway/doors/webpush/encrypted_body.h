#ifndef BELLWIRE_GATEWAY_DOORS_WEBPUSH_ENCRYPTED_BODY_H_
#define BELLWIRE_GATEWAY_DOORS_WEBPUSH_ENCRYPTED_BODY_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bellwire/internal/v1/internal.pb.h"
#include "gateway/doors/http/header_list.h"

// What a Web Push request says of its body. The body is encrypted for the user agent and passed
// through untouched; this sees to it that it is a body at all, so that a sender's mistake is
// answered here and not dropped on the phone. Pure.
namespace bellwire::webpush {

// What aes128gcm (RFC 8188 as RFC 8291 uses it) adds to the text of one record, at least: salt 16,
// record size 4, length of the key id 1, key 65, padding delimiter 1, tag 16.
inline constexpr size_t kAes128gcmOverhead = 16 + 4 + 1 + 65 + 1 + 16;
// Of the fields Encryption and Crypto-Key: registries take no more (request_decoder.h).
inline constexpr size_t kMaxFieldBytes = 512;

// The framing of one aes128gcm record. INVALID_ARGUMENT BAD_ENCRYPTION
absl::Status CheckAes128gcm(absl::string_view body);

// The content of a message with this body, from Content-Encoding, Encryption and Crypto-Key.
//   INVALID_ARGUMENT BAD_ENCRYPTION: they don't fit to each other or to the body; a body without
//   Content-Encoding, or one of another encoding than aes128gcm and aesgcm
absl::StatusOr<internal::v1::Content> ContentOf(const http::HeaderList& headers,
                                                absl::string_view body);

}  // namespace bellwire::webpush

#endif  // BELLWIRE_GATEWAY_DOORS_WEBPUSH_ENCRYPTED_BODY_H_
