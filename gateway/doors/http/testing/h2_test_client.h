#ifndef BELLWIRE_GATEWAY_DOORS_HTTP_TESTING_H2_TEST_CLIENT_H_
#define BELLWIRE_GATEWAY_DOORS_HTTP_TESTING_H2_TEST_CLIENT_H_

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace bellwire::http {

using Fields = std::vector<std::pair<std::string, std::string>>;

// An honest HTTP/2 client without a socket, for tests: what it says is taken by Output, what it is
// told goes to Input. Raw bytes can be mixed in by the test, for clients that aren't honest.
class H2TestClient {
 public:
  struct Response {
    Fields headers;
    std::string body;
    Fields trailers;
    bool closed = false;
    uint32_t error = 0;

    // The first field of this name, of headers and trailers; or "".
    std::string Get(absl::string_view name) const;
  };

  struct Options {
    uint32_t initial_window = 65535;
    bool enable_push = false;
    // Of pushes; unset: as many as the server likes.
    std::optional<uint32_t> max_concurrent_streams;
  };
  explicit H2TestClient(const Options& options);
  H2TestClient() : H2TestClient(Options()) {}
  ~H2TestClient();
  H2TestClient(const H2TestClient&) = delete;
  H2TestClient& operator=(const H2TestClient&) = delete;

  // Opens a stream. Its body is `body`; with `open` more may follow, and it is ended by EndBody.
  int32_t Request(const Fields& headers, absl::string_view body = "", bool open = false);
  void AppendBody(int32_t stream, absl::string_view body);
  void EndBody(int32_t stream);
  void Reset(int32_t stream);
  void Ping();
  // Lets the server send more on a stream that was opened with a small window.
  void Consume(int32_t stream, size_t bytes);

  std::string Output();
  // False: the server broke HTTP/2.
  bool Input(absl::string_view bytes);

  const Response& response(int32_t stream) { return responses_[stream]; }
  // A request that the server promised on a stream of the client's; its answer is response(stream).
  struct Promise {
    int32_t stream = 0;
    int32_t of_stream = 0;
    Fields request;
  };
  const std::vector<Promise>& promises() const { return promises_; }
  // The error of a GOAWAY that came.
  std::optional<uint32_t> goaway() const { return goaway_; }
  int pings_answered() const { return pings_answered_; }
  // PINGs of the server.
  int pings() const { return pings_; }

 private:
  struct Body {
    std::string bytes;
    bool open = false;
    bool deferred = false;
  };

  nghttp2_session* session_ = nullptr;
  std::map<int32_t, Response> responses_;
  std::map<int32_t, Body> bodies_;
  std::vector<Promise> promises_;
  std::optional<uint32_t> goaway_;
  int pings_answered_ = 0;
  int pings_ = 0;
};

// GET /path, or whatever else is said in `more`.
Fields GetFields(absl::string_view path, const Fields& more = {});
Fields PostFields(absl::string_view path, const Fields& more = {});

// One frame as it goes on the wire, legal or not (RFC 9113, 4.1).
std::string RawFrame(uint8_t type, uint8_t flags, uint32_t stream, absl::string_view payload);
// HPACK: each field as a literal that isn't indexed (RFC 7541, 6.2.2).
std::string RawFields(const Fields& fields);

}  // namespace bellwire::http

#endif  // BELLWIRE_GATEWAY_DOORS_HTTP_TESTING_H2_TEST_CLIENT_H_
