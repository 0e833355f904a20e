#include "gateway/doors/http/request_head.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "common/limits.h"

namespace bellwire::http {
namespace {

// RFC 9113, 6.5.2: what a field counts for beside its bytes.
constexpr size_t kFieldOverhead = 32;
// Schemes are "https" or the like; "https:" is tolerated, a page of text is not.
constexpr size_t kMaxSchemeBytes = 16;

// RFC 9110, 5.6.2, without capital letters.
bool IsTokenByte(unsigned char c) {
  if (c >= 'a' && c <= 'z') return true;
  if (c >= '0' && c <= '9') return true;
  return absl::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != absl::string_view::npos;
}

bool IsName(absl::string_view name) {
  if (name.empty()) return false;
  for (const char c : name) {
    if (!IsTokenByte(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

// RFC 9113, 8.2.1: no NUL, CR or LF, no space at either end. Other controls are refused as well.
bool IsValue(absl::string_view value) {
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) return false;
  }
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  return value.empty() || (!is_space(value.front()) && !is_space(value.back()));
}

// No spaces, no controls: for methods, paths and hosts.
bool IsVisible(absl::string_view value) {
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f) return false;
  }
  return true;
}

// RFC 9113, 8.2.2.
bool IsOfTheConnection(absl::string_view name, absl::string_view value) {
  if (name == "te") return value != "trailers";
  return name == "connection" || name == "keep-alive" || name == "proxy-connection" ||
         name == "transfer-encoding" || name == "upgrade";
}

}  // namespace

bool RequestHeadReader::Add(absl::string_view name, absl::string_view value) {
  const size_t bytes = name.size() + value.size() + kFieldOverhead;
  bytes_ += bytes;
  if (bytes_ > kMaxHttpHopelessHeadBytes) return false;
  if (malformed_) return true;
  if (bytes_ > kMaxHttpHeadBytes) {
    head_.truncated = true;
    return true;
  }
  kept_bytes_ += bytes;
  malformed_ = !(absl::StartsWith(name, ":") ? AddPseudo(name, value) : AddField(name, value));
  return true;
}

bool RequestHeadReader::AddPseudo(absl::string_view name, absl::string_view value) {
  if (trailers_ || fields_begun_ || value.empty() || !IsVisible(value)) return false;
  const auto set_once = [value](std::string* field) {
    if (!field->empty()) return false;
    field->assign(value.data(), value.size());
    return true;
  };
  if (name == ":method") return IsValue(value) && set_once(&head_.method);
  if (name == ":path") return (value.front() == '/' || value == "*") && set_once(&head_.path);
  if (name == ":authority") return set_once(&head_.authority);
  if (name == ":scheme") return value.size() <= kMaxSchemeBytes && set_once(&head_.scheme);
  return false;
}

bool RequestHeadReader::AddField(absl::string_view name, absl::string_view value) {
  fields_begun_ = true;
  if (!IsName(name) || !IsValue(value) || IsOfTheConnection(name, value)) return false;
  if (name == "content-length") {
    uint64_t length = 0;
    if (trailers_ || head_.content_length.has_value()) return false;
    if (value.empty() || value.find_first_not_of("0123456789") != absl::string_view::npos ||
        !absl::SimpleAtoi(value, &length)) {
      return false;
    }
    head_.content_length = length;
  }
  head_.headers.push_back({std::string(name), std::string(value)});
  return true;
}

bool RequestHeadReader::Finish() {
  if (malformed_) return false;
  if (trailers_) return true;
  // Some clients of HTTP/2 write it as HTTP/1 does.
  if (head_.authority.empty()) {
    if (const std::string* host = FindHeader(head_.headers, "host")) head_.authority = *host;
  }
  // What is missing may have been dropped.
  if (head_.truncated) return true;
  if (head_.method == "CONNECT") return false;
  return !head_.method.empty() && !head_.path.empty() && !head_.scheme.empty();
}

}  // namespace bellwire::http
