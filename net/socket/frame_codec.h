#ifndef BELLWIRE_NET_SOCKET_FRAME_CODEC_H_
#define BELLWIRE_NET_SOCKET_FRAME_CODEC_H_

#include <cstddef>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bellwire::net {

// Appends one frame to `out`: an unsigned varint (LEB128) length, then `body`. An empty body is a
// heartbeat: one zero byte. REQUIRES: body.size() <= kMaxFrameBytes.
void AppendFrame(absl::string_view body, std::string* out);

// Cuts a byte stream into frames (docs/reference/wire_protocol.md). Complete frames inside one
// chunk are handed on without a copy; only an incomplete tail is kept, and an idle decoder holds no
// heap memory. Thread-compatible.
class FrameDecoder {
 public:
  // Frames above `max_frame_bytes` are an error.
  explicit FrameDecoder(size_t max_frame_bytes);

  // Calls `on_frame` with the body of each complete frame, in order (empty: a heartbeat). The view
  // is valid during the call only. `on_frame` returns false to stop at once (the connection is
  // being closed); the rest of the chunk is then dropped and OK returned.
  //   INVALID_ARGUMENT: a length above the bound, or a varint that is too long or not minimal; the
  //   decoder must not be used any more.
  absl::Status Feed(absl::string_view chunk,
                    absl::FunctionRef<bool(absl::string_view body)> on_frame);

  // For a change of bound after login.
  void set_max_frame_bytes(size_t n) { max_frame_bytes_ = n; }
  // Bytes of the incomplete frame held now.
  size_t buffered_bytes() const { return partial_.size(); }

 private:
  size_t max_frame_bytes_;
  std::string partial_;
};

}  // namespace bellwire::net

#endif  // BELLWIRE_NET_SOCKET_FRAME_CODEC_H_
