#include "common/log.h"

#include <atomic>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace bellwire {
namespace {

std::atomic<LogFormat> g_format{LogFormat::kLogfmt};

constexpr absl::string_view kLevelNames[] = {"debug", "info", "warning", "error"};
constexpr spdlog::level::level_enum kSpdlogLevels[] = {spdlog::level::debug, spdlog::level::info,
                                                       spdlog::level::warn, spdlog::level::err};

spdlog::logger& Logger() {
  static spdlog::logger* const logger = [] {
    auto* made = new spdlog::logger("bellwire", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *logger;
}

std::string JsonEscape(absl::string_view text) {
  std::string out;
  for (unsigned char c : text) {
    if (c == '"' || c == '\\') {
      absl::StrAppend(&out, "\\", absl::string_view(reinterpret_cast<char*>(&c), 1));
    } else if (c < 0x20 || c >= 0x7f) {
      absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned>(c));
    } else {
      out.push_back(static_cast<char>(c));
    }
  }
  return out;
}

bool NeedsQuotes(absl::string_view value) {
  if (value.empty()) return true;
  for (unsigned char c : value) {
    if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f) return true;
  }
  return false;
}

void AppendField(LogFormat format, absl::string_view key, absl::string_view value,
                 std::string* line) {
  if (format == LogFormat::kJson) {
    absl::StrAppend(line, line->empty() ? "" : ",", "\"", key, "\":\"", JsonEscape(value), "\"");
    return;
  }
  if (!line->empty()) line->push_back(' ');
  if (NeedsQuotes(value)) {
    absl::StrAppend(line, key, "=\"", absl::CHexEscape(value), "\"");
  } else {
    absl::StrAppend(line, key, "=", value);
  }
}

void Write(LogLevel level, absl::string_view event, std::initializer_list<LogField> fields) {
  const auto spdlog_level = kSpdlogLevels[static_cast<int>(level)];
  spdlog::logger& logger = Logger();
  if (!logger.should_log(spdlog_level)) return;
  const LogFormat format = g_format.load(std::memory_order_relaxed);
  const std::string time =
      absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::Now(), absl::UTCTimeZone());
  const std::string rest = RenderLogLine(format, level, event, fields);
  const std::string line = format == LogFormat::kJson
                               ? absl::StrCat("{\"time\":\"", time, "\",", rest, "}")
                               : absl::StrCat("time=", time, " ", rest);
  logger.log(spdlog_level, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

std::string RenderLogLine(LogFormat format, LogLevel level, absl::string_view event,
                          std::initializer_list<LogField> fields) {
  std::string line;
  AppendField(format, "level", kLevelNames[static_cast<int>(level)], &line);
  AppendField(format, "event", event, &line);
  for (const LogField& field : fields) AppendField(format, field.key, field.value, &line);
  return line;
}

void LogDebug(absl::string_view event, std::initializer_list<LogField> fields) {
  Write(LogLevel::kDebug, event, fields);
}
void LogInfo(absl::string_view event, std::initializer_list<LogField> fields) {
  Write(LogLevel::kInfo, event, fields);
}
void LogWarning(absl::string_view event, std::initializer_list<LogField> fields) {
  Write(LogLevel::kWarning, event, fields);
}
void LogError(absl::string_view event, std::initializer_list<LogField> fields) {
  Write(LogLevel::kError, event, fields);
}

void SetLogLevel(LogLevel level) { Logger().set_level(kSpdlogLevels[static_cast<int>(level)]); }
void SetLogFormat(LogFormat format) { g_format.store(format, std::memory_order_relaxed); }

bool ParseLogLevel(absl::string_view text, LogLevel* level) {
  for (int i = 0; i < 4; ++i) {
    if (text == kLevelNames[i]) {
      *level = static_cast<LogLevel>(i);
      return true;
    }
  }
  return false;
}

}  // namespace bellwire
