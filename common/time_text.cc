#include "common/time_text.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace bellwire {

std::string RenderTime(absl::Time time) {
  if (time == absl::UnixEpoch()) return "";
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", time, absl::LocalTimeZone());
}

std::string RenderTimeForJson(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone());
}

std::string RenderDuration(absl::Duration duration) {
  if (duration < absl::ZeroDuration()) return absl::StrCat("-", RenderDuration(-duration));
  if (duration < absl::Milliseconds(1)) {
    return absl::StrFormat("%d us", absl::ToInt64Microseconds(duration));
  }
  if (duration < absl::Seconds(1)) {
    return absl::StrFormat("%.1f ms", absl::ToDoubleMilliseconds(duration));
  }
  if (duration < absl::Minutes(1)) {
    return absl::StrFormat("%.2f s", absl::ToDoubleSeconds(duration));
  }
  if (duration < absl::Hours(1)) {
    return absl::StrFormat("%d min %d s", absl::ToInt64Minutes(duration),
                           absl::ToInt64Seconds(duration) % 60);
  }
  if (duration < absl::Hours(48)) {
    return absl::StrFormat("%d h %d min", absl::ToInt64Hours(duration),
                           absl::ToInt64Minutes(duration) % 60);
  }
  return absl::StrFormat("%d days", absl::ToInt64Hours(duration) / 24);
}

}  // namespace bellwire
