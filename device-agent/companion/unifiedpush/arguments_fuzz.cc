// Whatever an app on the bus says is refused, or becomes a registration within its bounds that
// comes back from the disk as it was; and whatever lies on the disk is read without a crash.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "device-agent/companion/subscription_hub.h"
#include "device-agent/companion/unifiedpush/arguments.h"
#include "device-agent/companion/unifiedpush/registration_note.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace bellwire::companion;  // NOLINT: a program of its own.
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  if (const auto note = DecodeNote(input); note.has_value()) {
    if (!(DecodeNote(EncodeNote(*note)) == note)) abort();
  }

  // Service, token, description and key, a line each.
  std::vector<absl::string_view> lines = absl::StrSplit(input, absl::MaxSplits('\n', 3));
  lines.resize(4);
  const auto request = CheckRegister(Generation::k2, lines[0], lines[1], lines[2], lines[3]);
  if (!request.ok()) return 0;
  if (request->service != lines[0] || request->token != lines[1]) abort();
  if (request->token.size() > kMaxTokenBytes) abort();
  if (request->description.size() > kMaxDescriptionBytes) abort();
  const RegistrationNote note{request->generation, request->service, request->token,
                              request->description, ""};
  if (!(DecodeNote(EncodeNote(note)) == note)) abort();

  Subscription subscription;
  subscription.instance = "up:1";
  subscription.owner = request->service;
  subscription.vapid_key = request->vapid_key;
  subscription.note = EncodeNote(note);
  if (!CheckSubscription(subscription).ok()) abort();
  return 0;
}
