#include "gateway/doors/json/timestamp_text.h"

#include <string>

#include "absl/time/time.h"
#include "google/protobuf/util/time_util.h"

namespace bellwire::gateway {

using google::protobuf::util::TimeUtil;

bool ReadTimestamp(absl::string_view text, google::protobuf::Timestamp* time) {
  absl::Time parsed;
  return absl::ParseTime(absl::RFC3339_full, text, &parsed, nullptr) &&
         parsed >= absl::FromUnixSeconds(TimeUtil::kTimestampMinSeconds) &&
         parsed < absl::FromUnixSeconds(TimeUtil::kTimestampMaxSeconds + 1) &&
         TimeUtil::FromString(std::string(text), time);
}

}  // namespace bellwire::gateway
