#include "registry/devices/enrolments.h"

#include <optional>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "bellwire/storage/v1/storage.pb.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "crypto/enrolment_token.h"
#include "google/protobuf/util/message_differencer.h"
#include "google/protobuf/util/time_util.h"
#include "registry/engine/records.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {
namespace {

using admin::v1::Enrolment;
using google::protobuf::util::MessageDifferencer;
using google::protobuf::util::TimeUtil;

Enrolment ToAnswer(Enrolment record) {
  record.clear_token_sha256();
  return record;
}

bool IsExpired(const Enrolment& record, int64_t now_ms) {
  return TimeUtil::TimestampToMilliseconds(record.expire_time()) <= now_ms;
}
bool IsUsedUp(const Enrolment& record) {
  return record.devices() != 0 && record.used() >= record.devices();
}

absl::Status NotFound(absl::string_view enrolment_id) {
  return MakeError(absl::StatusCode::kNotFound, "ENROLMENT_NOT_FOUND",
                   absl::StrCat("there is no enrolment \"", enrolment_id, "\""));
}

absl::Status BadEnrolment(absl::string_view why) {
  return MakeError(
      absl::StatusCode::kUnauthenticated, "BAD_ENROLMENT",
      absl::StrCat("the enrolment token ", why, "; ask whoever runs the server for another one"));
}

absl::Status ForEach(
    const Overlay& overlay,
    absl::FunctionRef<void(absl::string_view key, const Enrolment& record)> visit) {
  absl::Status status;
  BELLWIRE_RETURN_IF_ERROR(overlay.Scan(Family::kNames, EnrolmentsFrom(), EnrolmentsEnd(),
                                        [&](absl::string_view key, absl::string_view value) {
                                          const auto record = ParseRecord<Enrolment>(value);
                                          status = record.status();
                                          if (record.ok()) visit(key, *record);
                                          return status.ok();
                                        }));
  return status;
}

}  // namespace

absl::StatusOr<Enrolment> Enrolments::Put(const Enrolment& enrolment, int64_t now_ms) {
  const std::string key = EnrolmentKey(enrolment.enrolment_id());
  BELLWIRE_ASSIGN_OR_RETURN(const std::optional<Enrolment> present,
                            GetRecord<Enrolment>(*overlay_, Family::kNames, key));
  if (present.has_value()) {
    // A call that is repeated.
    if (MessageDifferencer::Equals(*present, enrolment)) return ToAnswer(*present);
    return MakeError(
        absl::StatusCode::kAlreadyExists, "ENROLMENT_EXISTS",
        absl::StrCat("another enrolment has the id \"", enrolment.enrolment_id(), "\""));
  }
  size_t all = 0;
  std::vector<std::string> ended;
  BELLWIRE_RETURN_IF_ERROR(
      ForEach(*overlay_, [&](absl::string_view record_key, const Enrolment& record) {
        ++all;
        if (IsExpired(record, now_ms) || IsUsedUp(record)) ended.emplace_back(record_key);
      }));
  if (all >= kMaxEnrolments) {
    if (ended.empty()) {
      return MakeError(absl::StatusCode::kResourceExhausted, "LIMIT_REACHED",
                       absl::StrCat("there are ", all,
                                    " enrolments that are good still, which is the most; delete "
                                    "some"));
    }
    for (const std::string& record_key : ended) overlay_->Delete(Family::kNames, record_key);
  }
  Enrolment record = enrolment;
  record.clear_used();
  overlay_->Put(Family::kNames, key, record.SerializeAsString());
  return ToAnswer(std::move(record));
}

absl::StatusOr<std::vector<Enrolment>> Enrolments::List() const {
  std::vector<Enrolment> all;
  BELLWIRE_RETURN_IF_ERROR(ForEach(*overlay_, [&](absl::string_view, const Enrolment& record) {
    all.push_back(ToAnswer(record));
  }));
  for (Enrolment& enrolment : all) {
    BELLWIRE_ASSIGN_OR_RETURN(const uint64_t at_feeds, UsedAtFeeds(enrolment.enrolment_id()));
    enrolment.set_used(static_cast<uint32_t>(enrolment.used() + at_feeds));
  }
  return all;
}

absl::StatusOr<Enrolment> Enrolments::Delete(absl::string_view enrolment_id) {
  const std::string key = EnrolmentKey(enrolment_id);
  BELLWIRE_ASSIGN_OR_RETURN(const std::optional<Enrolment> present,
                            GetRecord<Enrolment>(*overlay_, Family::kNames, key));
  if (!present.has_value()) return NotFound(enrolment_id);
  overlay_->Delete(Family::kNames, key);
  return ToAnswer(*present);
}

absl::StatusOr<std::string> Enrolments::Use(absl::string_view token, int64_t now_ms) {
  if (token.empty()) {
    return MakeError(absl::StatusCode::kUnauthenticated, "ENROLMENT_REQUIRED",
                     "the server takes enrolled devices only, and this one has no enrolment token; "
                     "ask whoever runs the server for one");
  }
  const std::optional<absl::string_view> id = IdOfEnrolmentToken(token);
  if (!id.has_value()) return BadEnrolment("is malformed");
  const std::string key = EnrolmentKey(*id);
  BELLWIRE_ASSIGN_OR_RETURN(std::optional<Enrolment> record,
                            GetRecord<Enrolment>(*overlay_, Family::kNames, key));
  if (!record.has_value() || !EnrolmentTokenMatches(token, record->token_sha256())) {
    return BadEnrolment("is not known here");
  }
  if (IsExpired(*record, now_ms)) return BadEnrolment("has expired");
  BELLWIRE_ASSIGN_OR_RETURN(const uint64_t at_feeds, UsedAtFeeds(*id));
  Enrolment all = *record;
  all.set_used(static_cast<uint32_t>(record->used() + at_feeds));
  if (IsUsedUp(all)) return BadEnrolment("has let in as many devices as it may");
  if (feeds_.own == 0) {
    record->set_used(record->used() + 1);
    overlay_->Put(Family::kNames, key, record->SerializeAsString());
    return std::string(*id);
  }
  const std::string own_key = EnrolmentUseKey(*id, feeds_.own);
  BELLWIRE_ASSIGN_OR_RETURN(const auto own, GetRecord<storage::v1::DeviceCount>(
                                                *overlay_, Family::kNames, own_key));
  storage::v1::DeviceCount used;
  used.set_devices((own.has_value() ? own->devices() : 0) + 1);
  overlay_->Put(Family::kNames, own_key, used.SerializeAsString());
  return std::string(*id);
}

absl::StatusOr<uint64_t> Enrolments::UsedAtFeeds(absl::string_view enrolment_id) const {
  uint64_t used = 0;
  for (const uint32_t feed : feeds_.all()) {
    if (feed == 0) continue;
    BELLWIRE_ASSIGN_OR_RETURN(
        const auto record, GetRecord<storage::v1::DeviceCount>(
                               *overlay_, Family::kNames, EnrolmentUseKey(enrolment_id, feed)));
    if (record.has_value()) used += record->devices();
  }
  return used;
}

}  // namespace bellwire::registry
