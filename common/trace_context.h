#ifndef BELLWIRE_COMMON_TRACE_CONTEXT_H_
#define BELLWIRE_COMMON_TRACE_CONTEXT_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

// Which trace of its sender a message belongs to: the field `traceparent` of W3C Trace Context,
// which OpenTelemetry writes. Pure functions.
namespace bellwire {

// As it is kept and travels between the daemons: trace id (16), parent id (8), flags (1).
inline constexpr size_t kTraceContextBytes = 25;

// The bytes of a field such as 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01. nullopt: it
// is malformed. Of a version that is newer than 00 what 00 has is taken, as W3C asks for.
std::optional<std::string> ParseTraceparent(absl::string_view field);

// Of version 00. "" for what is not kTraceContextBytes long: there is no trace.
std::string FormatTraceparent(absl::string_view trace_context);

// The trace id, 32 characters of hex, as tracing systems look for it. "": there is no trace.
std::string TraceIdOf(absl::string_view trace_context);

}  // namespace bellwire

#endif  // BELLWIRE_COMMON_TRACE_CONTEXT_H_
