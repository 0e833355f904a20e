// The decoder never crashes, and says the same however the bytes are cut: the first byte of the
// input chooses the sizes of the chunks, the rest is the stream.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/limits.h"
#include "net/socket/frame_codec.h"

namespace {

struct Outcome {
  bool ok = true;
  std::vector<std::string> bodies;
  bool operator==(const Outcome&) const = default;
};

Outcome Decode(absl::string_view stream, size_t chunk_bytes) {
  Outcome outcome;
  bellwire::net::FrameDecoder decoder(bellwire::kMaxFrameBytes);
  while (outcome.ok && !stream.empty()) {
    const absl::string_view chunk = stream.substr(0, chunk_bytes);
    stream.remove_prefix(chunk.size());
    outcome.ok = decoder
                     .Feed(chunk,
                           [&](absl::string_view body) {
                             outcome.bodies.emplace_back(body);
                             return true;
                           })
                     .ok();
    if (decoder.buffered_bytes() > bellwire::kMaxFrameBytes + 3) std::abort();
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const absl::string_view stream(reinterpret_cast<const char*>(data + 1), size - 1);
  if (Decode(stream, 1 + data[0] % 64) != Decode(stream, stream.size())) {
    std::fprintf(stderr, "the frames depend on how the stream was cut\n");
    std::abort();
  }
  return 0;
}
