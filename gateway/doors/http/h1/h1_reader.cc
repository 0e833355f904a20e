#include "gateway/doors/http/h1/h1_reader.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/limits.h"

namespace bellwire::http {
namespace {

namespace beast = boost::beast::http;
using ErrorCode = boost::beast::error_code;
using BeastView = boost::beast::string_view;

constexpr int kBadRequest = 400;
constexpr int kExpectationFailed = 417;
constexpr int kHeadTooLarge = 431;
constexpr int kVersionNotSupported = 505;

constexpr absl::string_view kEmptyLine = "\r\n";
// "0", and two ends of lines: every chunked body ends with so many.
constexpr size_t kLastChunkBytes = 5;

absl::string_view View(BeastView text) { return absl::string_view(text.data(), text.size()); }

// RFC 9110, 7.6.1, and what else is between us and the peer alone.
bool IsOfTheConnection(absl::string_view name) {
  return name == "connection" || name == "keep-alive" || name == "proxy-connection" ||
         name == "te" || name == "trailer" || name == "upgrade" || name == "http2-settings";
}

// Whether a request line is right but for the number of its version (RFC 9112, 2.3).
bool NamesOtherVersion(absl::string_view head) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(head.substr(0, head.find(kEmptyLine)), ' ');
  return words.size() == 3 && words[2].size() == 8 && absl::StartsWith(words[2], "HTTP/") &&
         absl::ascii_isdigit(static_cast<unsigned char>(words[2][5])) && words[2][6] == '.' &&
         absl::ascii_isdigit(static_cast<unsigned char>(words[2][7]));
}

// RFC 3986, 3.2, without user information.
bool IsAuthority(absl::string_view text) {
  for (const char c : text) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) &&
        absl::string_view("-._~%!$&'()*+,;=:[]").find(c) == absl::string_view::npos) {
      return false;
    }
  }
  return true;
}

}  // namespace

// Beast's parser, and what it found.
class H1Reader::Parser final : public beast::basic_parser<true> {
 public:
  Parser() {
    body_limit(boost::none);
    // Its own bound counts what is left in the buffer; ours counts all.
    header_limit(UINT32_MAX);
  }

  std::string method;
  std::string target;
  int version = 0;
  std::vector<std::pair<std::string, std::string>> fields;
  absl::string_view body;

 private:
  void on_request_impl(beast::verb, BeastView method_text, BeastView target_text, int number,
                       ErrorCode&) override {
    method = std::string(View(method_text));
    target = std::string(View(target_text));
    version = number;
  }
  void on_response_impl(int, BeastView, int, ErrorCode&) override {}
  void on_field_impl(beast::field, BeastView name, BeastView value, ErrorCode&) override {
    if (in_trailers_) return;  // Nobody asks for them.
    fields.emplace_back(absl::AsciiStrToLower(View(name)), std::string(View(value)));
  }
  void on_header_impl(ErrorCode&) override { in_trailers_ = true; }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
  size_t on_body_impl(BeastView data, ErrorCode&) override {
    body = View(data);
    return data.size();
  }
  void on_chunk_header_impl(std::uint64_t, BeastView, ErrorCode&) override {}
  size_t on_chunk_body_impl(std::uint64_t, BeastView data, ErrorCode&) override {
    body = View(data);
    return data.size();
  }
  void on_finish_impl(ErrorCode&) override {}

  bool in_trailers_ = false;
};

H1Reader::H1Reader(absl::string_view scheme) : scheme_(scheme) {}
H1Reader::~H1Reader() = default;

void H1Reader::Feed(absl::string_view bytes) {
  DropConsumed();
  buffer_.append(bytes.data(), bytes.size());
}

void H1Reader::DropConsumed() {
  if (begin_ == 0) return;
  if (begin_ == buffer_.size()) {
    // An idle connection holds no memory.
    std::string().swap(buffer_);
  } else {
    buffer_.erase(0, begin_);
  }
  scanned_ -= std::min(scanned_, begin_);
  begin_ = 0;
}

H1Reader::Event H1Reader::Next() {
  body_ = absl::string_view();
  switch (state_) {
    case State::kHead:
      return ReadHead();
    case State::kBody:
      return ReadBody();
    case State::kError:
      break;
  }
  return Event::kError;
}

H1Reader::Event H1Reader::ReadHead() {
  DropConsumed();
  // One empty line before a request is the end of a body that a client counted wrong (RFC 9112,
  // 2.2).
  while (scanned_ == 0 && absl::StartsWith(buffer_, kEmptyLine)) {
    if (std::exchange(skipped_line_, true)) return Fail(kBadRequest, "an empty request");
    buffer_.erase(0, kEmptyLine.size());
  }
  // Line by line.
  for (;;) {
    const size_t end = buffer_.find('\n', scanned_);
    if (end == std::string::npos) break;
    const absl::string_view line = absl::string_view(buffer_).substr(scanned_, end - scanned_);
    if (!absl::EndsWith(line, "\r")) return Fail(kBadRequest, "a line that doesn't end with CR LF");
    if (scanned_ > 0 && !line.empty() && (line.front() == ' ' || line.front() == '\t')) {
      return Fail(kBadRequest, "a folded field");
    }
    scanned_ = end + 1;
    if (line != "\r") continue;
    const size_t size = std::exchange(scanned_, 0);
    if (size > kMaxHttpHopelessHeadBytes) break;
    const Event event = ParseHead(absl::string_view(buffer_).substr(0, size));
    begin_ = size;
    return event;
  }
  if (buffer_.size() > kMaxHttpHopelessHeadBytes) {
    return Fail(kHeadTooLarge, "header fields that are too long");
  }
  return Event::kMore;
}

H1Reader::Event H1Reader::ParseHead(absl::string_view bytes) {
  parser_ = std::make_unique<Parser>();
  ErrorCode error;
  const size_t parsed = parser_->put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  if (error == beast::error::bad_version && NamesOtherVersion(bytes)) {
    return Fail(kVersionNotSupported, "a version of HTTP that isn't served");
  }
  if (error || parsed != bytes.size() || !parser_->is_header_done()) {
    return Fail(kBadRequest, "a malformed request");
  }
  is_http_1_0_ = parser_->version == 10;
  keep_alive_ = parser_->keep_alive();
  expects_continue_ = false;
  has_body_ = !parser_->is_done();

  // As HTTP/2 has it: one reader checks the fields of both.
  std::optional<std::string> host;
  RequestHeadReader reader;
  bool hopeless = false;
  const auto add = [&](absl::string_view name, absl::string_view value) {
    hopeless = hopeless || !reader.Add(name, value);
  };
  for (const auto& [name, value] : parser_->fields) {
    if (name != "host") continue;
    if (host.has_value()) return Fail(kBadRequest, "two Host fields");
    if (!IsAuthority(value)) return Fail(kBadRequest, "a malformed Host field");
    host = value;
  }
  if (!host.has_value() && !is_http_1_0_) return Fail(kBadRequest, "no Host field");
  absl::string_view scheme = scheme_;
  absl::string_view target = parser_->target;
  absl::string_view authority = host.has_value() ? absl::string_view(*host) : "";
  // A target in absolute form, as for a proxy, names the authority itself (RFC 9112, 3.2.2).
  for (const absl::string_view absolute : {"http", "https"}) {
    if (!absl::StartsWithIgnoreCase(target, absl::StrCat(absolute, "://"))) continue;
    scheme = absolute;
    target.remove_prefix(absolute.size() + 3);
    const size_t slash = std::min(target.find_first_of("/?"), target.size());
    authority = target.substr(0, slash);
    target.remove_prefix(slash);
    if (!IsAuthority(authority)) return Fail(kBadRequest, "a malformed target");
    if (target.empty()) target = "/";
    break;
  }
  add(":method", parser_->method);
  add(":scheme", scheme);
  if (!authority.empty()) add(":authority", authority);
  add(":path", target);
  for (const auto& [name, value] : parser_->fields) {
    if (name == "host" || IsOfTheConnection(name)) continue;
    if (name == "transfer-encoding") {
      // Beast would also take "gzip, chunked", and a coding that it doesn't know for none.
      if (is_http_1_0_ || !absl::EqualsIgnoreCase(value, "chunked")) {
        return Fail(kBadRequest, "a Transfer-Encoding that isn't served");
      }
    } else if (name == "expect") {
      if (!absl::EqualsIgnoreCase(value, "100-continue")) {
        return Fail(kExpectationFailed, "an expectation that isn't met");
      }
      expects_continue_ = !is_http_1_0_;
    } else {
      add(name, value);
    }
  }
  if (hopeless) return Fail(kHeadTooLarge, "header fields that are too long");
  if (!reader.Finish()) return Fail(kBadRequest, "a malformed request");
  head_ = reader.Take();
  parser_->fields.clear();
  state_ = State::kBody;
  skipped_line_ = false;
  return Event::kHead;
}

H1Reader::Event H1Reader::ReadBody() {
  for (;;) {
    if (parser_->is_done()) {
      parser_.reset();
      state_ = State::kHead;
      return Event::kEnd;
    }
    const absl::string_view rest = absl::string_view(buffer_).substr(begin_);
    // Beast asserts that a last chunk, with its empty line, is not given to it byte by byte.
    if (rest.empty() || (parser_->chunked() && rest.size() < kLastChunkBytes)) return Event::kMore;
    parser_->body = absl::string_view();
    ErrorCode error;
    begin_ += parser_->put(boost::asio::const_buffer(rest.data(), rest.size()), error);
    if (error == beast::error::need_more) {
      if (buffered_bytes() > kMaxH1ChunkLineBytes) {
        return Fail(kBadRequest, "a chunk's line or trailers that are too long");
      }
      return Event::kMore;
    }
    if (error) return Fail(kBadRequest, "a malformed chunk");
    if (!parser_->body.empty()) {
      body_ = parser_->body;
      return Event::kBody;
    }
  }
}

H1Reader::Event H1Reader::Fail(int status, absl::string_view error) {
  state_ = State::kError;
  error_status_ = status;
  error_ = error;
  parser_.reset();
  return Event::kError;
}

}  // namespace bellwire::http
