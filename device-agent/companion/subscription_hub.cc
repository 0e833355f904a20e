#include "device-agent/companion/subscription_hub.h"

#include "absl/strings/str_cat.h"

namespace bellwire::companion {
namespace {

absl::Status CheckLength(absl::string_view what, size_t size, size_t least, size_t most) {
  if (size >= least && size <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("subscription: ", what, " has ", size,
                                                 " bytes; it takes ", least, " to ", most));
}

}  // namespace

absl::Status CheckSubscription(const Subscription& subscription) {
  if (absl::Status s =
          CheckLength("instance", subscription.instance.size(), 1, kMaxInstanceNameBytes);
      !s.ok()) {
    return s;
  }
  if (absl::Status s = CheckLength("owner", subscription.owner.size(), 1, kMaxOwnerBytes);
      !s.ok()) {
    return s;
  }
  if (absl::Status s = CheckLength("note", subscription.note.size(), 0, kMaxNoteBytes); !s.ok()) {
    return s;
  }
  const std::string& key = subscription.vapid_key;
  if (!key.empty() && (key.size() != kVapidKeyBytes || key[0] != '\x04')) {
    return absl::InvalidArgumentError(
        "subscription: vapid_key is no uncompressed P-256 point (65 bytes, the first 0x04)");
  }
  return absl::OkStatus();
}

}  // namespace bellwire::companion
