#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_H1_H1_READER_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_H1_H1_READER_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "gateway/doors/http/request_head.h"

namespace bellwire::http {

// The longest line of a chunk's size and extensions, and all trailers together.
inline constexpr size_t kMaxH1ChunkLineBytes = 4096;

// Reads requests of HTTP/1.0 and 1.1 from bytes, one after another. Boost.Beast parses; this is
// stricter, so that no proxy in front can see other boundaries between requests than we do. Refused
// are: a bare LF or CR, a folded field, space before a colon, Content-Length beside
// Transfer-Encoding, two of either, a transfer coding other than "chunked", one in HTTP/1.0, no or
// two Hosts, and whatever RequestHeadReader refuses.
//
// Fields of the connection (Connection, Transfer-Encoding, TE, Upgrade and the like) are not part
// of the head; Host becomes its authority. Pure; single-threaded.
class H1Reader {
 public:
  enum class Event {
    kMore,   // More bytes are needed.
    kHead,   // A request's head: take_head().
    kBody,   // Some of its body: body().
    kEnd,    // The request is complete. After it the next one begins.
    kError,  // For ever: error_status() and error() say why.
  };

  // `scheme` is what requests get that don't say one; it outlives the reader.
  explicit H1Reader(absl::string_view scheme);
  ~H1Reader();
  H1Reader(const H1Reader&) = delete;
  H1Reader& operator=(const H1Reader&) = delete;

  // Keeps a copy. Give it little beyond what Next asks for.
  void Feed(absl::string_view bytes);
  // Goes on to the next event.
  Event Next();

  // Bytes that are kept.
  size_t buffered_bytes() const { return buffer_.size() - begin_; }
  // In the middle of a request's head.
  bool in_head() const { return state_ == State::kHead && buffered_bytes() > 0; }

  // After kHead.
  RequestHead take_head() { return std::move(head_); }
  bool is_http_1_0() const { return is_http_1_0_; }
  bool keep_alive() const { return keep_alive_; }
  bool expects_continue() const { return expects_continue_; }
  bool has_body() const { return has_body_; }
  // After kBody; valid until the next call of Feed or Next.
  absl::string_view body() const { return body_; }
  // After kError.
  int error_status() const { return error_status_; }
  absl::string_view error() const { return error_; }

 private:
  class Parser;
  enum class State { kHead, kBody, kError };

  Event ReadHead();
  Event ParseHead(absl::string_view head);
  Event ReadBody();
  Event Fail(int status, absl::string_view error);
  void DropConsumed();

  const absl::string_view scheme_;
  State state_ = State::kHead;
  std::string buffer_;
  // What comes before it has been read.
  size_t begin_ = 0;
  // An empty line before this request was passed over.
  bool skipped_line_ = false;
  // Up to here the head's lines are checked.
  size_t scanned_ = 0;
  std::unique_ptr<Parser> parser_;

  RequestHead head_;
  bool is_http_1_0_ = false;
  bool keep_alive_ = false;
  bool expects_continue_ = false;
  bool has_body_ = false;
  absl::string_view body_;
  int error_status_ = 0;
  absl::string_view error_;
};

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_H1_H1_READER_H_
