#ifndef BELLWIRE_COMMON_LOG_H_
#define BELLWIRE_COMMON_LOG_H_

#include <initializer_list>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

// Structured logs on stderr: one event a line, a fixed event name and its fields, as logfmt
// (`time=… level=info event=session_bound device=…`) or JSON. spdlog does the work.
//
//   LogInfo("session_bound", {{"device", ToHex(id)}, {"shard", 3}});
//
// The event name is a constant in snake_case: what varies goes into fields. Payloads, tokens and
// keys are never logged. Thread-safe.
namespace bellwire {

// One field; the value is rendered at once.
struct LogField {
  LogField(absl::string_view key, const absl::AlphaNum& value) : key(key), value(value.Piece()) {}
  absl::string_view key;
  std::string value;
};

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kLogfmt, kJson };

void LogDebug(absl::string_view event, std::initializer_list<LogField> fields = {});
void LogInfo(absl::string_view event, std::initializer_list<LogField> fields = {});
void LogWarning(absl::string_view event, std::initializer_list<LogField> fields = {});
void LogError(absl::string_view event, std::initializer_list<LogField> fields = {});

// For main(). Defaults: kInfo, kLogfmt.
void SetLogLevel(LogLevel level);
void SetLogFormat(LogFormat format);
// "debug", "info", "warning" or "error"; false for anything else.
bool ParseLogLevel(absl::string_view text, LogLevel* level);

// Renders one line without its time. For the sink and its test.
std::string RenderLogLine(LogFormat format, LogLevel level, absl::string_view event,
                          std::initializer_list<LogField> fields);

}  // namespace bellwire

#endif  // BELLWIRE_COMMON_LOG_H_
