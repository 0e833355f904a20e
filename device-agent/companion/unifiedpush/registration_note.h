#ifndef BELLWIRE_DEVICE_AGENT_COMPANION_UNIFIEDPUSH_REGISTRATION_NOTE_H_
#define BELLWIRE_DEVICE_AGENT_COMPANION_UNIFIEDPUSH_REGISTRATION_NOTE_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "device-agent/companion/unifiedpush/arguments.h"

namespace bellwire::companion {

// What must be known of an app's registration after a restart: kept with its subscription
// (Subscription::note), as JSON.
struct RegistrationNote {
  // What the app spoke when it registered last.
  Generation generation = Generation::k2;
  std::string service;
  std::string token;
  std::string description;
  // The endpoint that the app was told last. Empty: none.
  std::string told_endpoint;

  friend bool operator==(const RegistrationNote&, const RegistrationNote&) = default;
};

// At most kMaxNoteBytes for fields within their bounds.
std::string EncodeNote(const RegistrationNote& note);
// Nullopt: EncodeNote never wrote this.
std::optional<RegistrationNote> DecodeNote(absl::string_view text);

}  // namespace bellwire::companion

#endif  // BELLWIRE_DEVICE_AGENT_COMPANION_UNIFIEDPUSH_REGISTRATION_NOTE_H_
