#ifndef BELLWIRE_COMMON_TIME_TEXT_H_
#define BELLWIRE_COMMON_TIME_TEXT_H_

#include <string>

#include "absl/time/time.h"

// Times and durations as people and programs read them. Pure functions.
namespace bellwire {

// "2026-11-21 04:12:07" in the local time zone, for a person; empty for the epoch.
std::string RenderTime(absl::Time time);
// "2026-11-21T04:12:07.123Z", for a program.
std::string RenderTimeForJson(absl::Time time);
// "340 us", "1.8 ms", "2.50 s", "3 min 20 s".
std::string RenderDuration(absl::Duration duration);

}  // namespace bellwire

#endif  // BELLWIRE_COMMON_TIME_TEXT_H_
