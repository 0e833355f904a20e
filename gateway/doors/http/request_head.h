#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_REQUEST_HEAD_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_REQUEST_HEAD_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "gateway/doors/http/header_list.h"

namespace bellwire::http {

// What a request says before its body.
struct RequestHead {
  std::string method;
  // As the client wrote it: "https:" is seen in the wild.
  std::string scheme;
  std::string authority;
  // With the query.
  std::string path;
  // Without the pseudo fields.
  HeaderList headers;
  // The body's length, if the client announced it.
  std::optional<uint64_t> content_length;
  // Fields beyond kMaxHttpHeadBytes were dropped: answer with an error.
  bool truncated = false;
};

// Collects the fields of one HTTP/2 header block, and checks them as RFC 9113, 8.2 and 8.3 ask:
// names in lower case, no field of the connection, pseudo fields first and once, no byte that could
// smuggle something past the next parser. Only `:scheme` may hold anything (firebase-admin sends
// "https:"). Pure.
class RequestHeadReader {
 public:
  // `trailers`: fields after a body, which have no pseudo fields.
  explicit RequestHeadReader(bool trailers = false) : trailers_(trailers) {}

  // False: the block is beyond kMaxHttpHopelessHeadBytes.
  bool Add(absl::string_view name, absl::string_view value);
  // False: malformed, and Take must not be called.
  bool Finish();
  RequestHead Take() { return std::move(head_); }
  // Bytes that the fields kept so far count for.
  size_t bytes() const { return kept_bytes_; }

 private:
  bool AddPseudo(absl::string_view name, absl::string_view value);
  bool AddField(absl::string_view name, absl::string_view value);

  const bool trailers_;
  bool malformed_ = false;
  bool fields_begun_ = false;
  size_t bytes_ = 0;
  size_t kept_bytes_ = 0;
  RequestHead head_;
};

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_REQUEST_HEAD_H_
