#ifndef BELLWIRE_REGISTRY_DEVICES_ENROLMENTS_H_
#define BELLWIRE_REGISTRY_DEVICES_ENROLMENTS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "bellwire/admin/v1/devices.pb.h"
#include "registry/engine/overlay.h"
#include "registry/keys/feeds.h"

namespace bellwire::registry {

// The tokens that let new devices in. One record each, which no device and no team owns. A use is
// counted in the commit that makes the device: one that does not hear the answer is known when it
// asks again, and needs no token. Not thread-safe.
//
// Errors of all methods that read: those of KvReader.
class Enrolments {
 public:
  // Those that are good still. One for each batch of phones that somebody hands out.
  static constexpr size_t kMaxEnrolments = 1000;
  // Devices that one lets in, and for how long it is good.
  static constexpr uint32_t kMaxDevices = 1'000'000;
  static constexpr int kMaxDays = 366;

  // Changes go into `overlay`, which outlives it. Registries that share a store count uses each in
  // its feed. So two of them may take the last place of a token at the same moment: one device more
  // than it has comes in then, for each registry but one at most.
  explicit Enrolments(Overlay* overlay, Feeds feeds = {})
      : overlay_(overlay), feeds_(std::move(feeds)) {}

  // Keeps a new one. Forgets those that let nobody in any more, if there are many.
  //   ALREADY_EXISTS ENROLMENT_EXISTS: another one has this id · RESOURCE_EXHAUSTED LIMIT_REACHED
  absl::StatusOr<admin::v1::Enrolment> Put(const admin::v1::Enrolment& enrolment, int64_t now_ms);
  // All, without the hashes of their tokens, in the order of their ids.
  absl::StatusOr<std::vector<admin::v1::Enrolment>> List() const;
  // NOT_FOUND ENROLMENT_NOT_FOUND
  absl::StatusOr<admin::v1::Enrolment> Delete(absl::string_view enrolment_id);

  // Lets one device in by this token; answers the enrolment's id.
  //   UNAUTHENTICATED ENROLMENT_REQUIRED: no token · BAD_ENROLMENT: none of this server's, or it is
  //   expired or used up; the message says which, to whoever has the token
  absl::StatusOr<std::string> Use(absl::string_view token, int64_t now_ms);

 private:
  // How many devices came in by it at the registries of other feeds than feed 0.
  absl::StatusOr<uint64_t> UsedAtFeeds(absl::string_view enrolment_id) const;

  Overlay* const overlay_;
  const Feeds feeds_;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_DEVICES_ENROLMENTS_H_
