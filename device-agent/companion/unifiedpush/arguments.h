#ifndef BELLWIRE_DEVICE_AGENT_COMPANION_UNIFIEDPUSH_ARGUMENTS_H_
#define BELLWIRE_DEVICE_AGENT_COMPANION_UNIFIEDPUSH_ARGUMENTS_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// What apps say on the session bus, checked. The bounds are those of the UnifiedPush specification
// for D-Bus, 0.3.0. Pure; thread-safe.
namespace bellwire::companion {

// Which of the two generations of the protocol an app speaks: org.unifiedpush.Distributor1 and
// Connector1, or 2.
enum class Generation { k1 = 1, k2 = 2 };

// Of D-Bus itself.
inline constexpr size_t kMaxServiceBytes = 255;
inline constexpr size_t kMaxTokenBytes = 100;
// A longer description is cut: it is only shown.
inline constexpr size_t kMaxDescriptionBytes = 100;

// A Register call.
struct RegisterRequest {
  Generation generation = Generation::k2;
  // The app's well-known bus name.
  std::string service;
  std::string token;
  // For people; may be empty.
  std::string description;
  // An uncompressed P-256 point, 65 bytes. Empty: none.
  std::string vapid_key;
};

// As the app wrote it; `vapid` is base64url, with or without padding, or empty.
//   INVALID_ARGUMENT: names the argument and says what it must be
absl::StatusOr<RegisterRequest> CheckRegister(Generation generation, absl::string_view service,
                                              absl::string_view token,
                                              absl::string_view description,
                                              absl::string_view vapid);

// INVALID_ARGUMENT, unless it has 1 to kMaxTokenBytes bytes of UTF-8.
absl::Status CheckToken(absl::string_view token);

// Whether D-Bus takes `name` for a well-known bus name.
bool IsServiceName(absl::string_view name);

}  // namespace bellwire::companion

#endif  // BELLWIRE_DEVICE_AGENT_COMPANION_UNIFIEDPUSH_ARGUMENTS_H_
