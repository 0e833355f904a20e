#include "net/socket/frame_codec.h"

#include <cassert>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/limits.h"

namespace bellwire::net {
namespace {

// 28 bits: more than any bound that this codec is used with, so a longer varint is never right.
constexpr size_t kMaxVarintBytes = 4;

struct Header {
  enum State { kComplete, kIncomplete, kBad } state;
  size_t header_bytes;
  size_t body_bytes;
};

Header ParseHeader(absl::string_view data) {
  size_t value = 0;
  for (size_t i = 0; i < kMaxVarintBytes; ++i) {
    if (i == data.size()) return {Header::kIncomplete, 0, 0};
    const uint8_t byte = static_cast<uint8_t>(data[i]);
    value |= static_cast<size_t>(byte & 0x7f) << (7 * i);
    if ((byte & 0x80) != 0) continue;
    // One encoding per length: a last group of zero would be a second one.
    if (byte == 0 && i > 0) return {Header::kBad, 0, 0};
    return {Header::kComplete, i + 1, value};
  }
  return {Header::kBad, 0, 0};
}

}  // namespace

void AppendFrame(absl::string_view body, std::string* out) {
  assert(body.size() <= kMaxFrameBytes);
  size_t length = body.size();
  while (length >= 0x80) {
    out->push_back(static_cast<char>(0x80 | (length & 0x7f)));
    length >>= 7;
  }
  out->push_back(static_cast<char>(length));
  out->append(body.data(), body.size());
}

FrameDecoder::FrameDecoder(size_t max_frame_bytes) : max_frame_bytes_(max_frame_bytes) {}

absl::Status FrameDecoder::Feed(absl::string_view chunk,
                                absl::FunctionRef<bool(absl::string_view body)> on_frame) {
  for (;;) {
    // What to parse: the chunk itself, or, while a frame is split, the tail kept from before. The
    // tail grows by just the bytes its frame lacks, so that it never holds a second frame.
    const absl::string_view input = partial_.empty() ? chunk : absl::string_view(partial_);
    const Header header = ParseHeader(input);
    if (header.state == Header::kBad) {
      return absl::InvalidArgumentError("frame length is not a minimal varint");
    }
    if (header.state == Header::kComplete && header.body_bytes > max_frame_bytes_) {
      return absl::InvalidArgumentError(absl::StrCat(
          "frame of ", header.body_bytes, " bytes; at most ", max_frame_bytes_, " are allowed"));
    }
    if (header.state == Header::kComplete &&
        input.size() >= header.header_bytes + header.body_bytes) {
      const size_t frame_bytes = header.header_bytes + header.body_bytes;
      if (partial_.empty()) {
        chunk.remove_prefix(frame_bytes);
        if (!on_frame(input.substr(header.header_bytes, header.body_bytes)))
          return absl::OkStatus();
      } else {
        // Moved out first, so that the memory goes with the frame.
        const std::string frame = std::move(partial_);
        partial_ = std::string();
        const absl::string_view body = absl::string_view(frame).substr(header.header_bytes);
        if (!on_frame(body)) return absl::OkStatus();
      }
      continue;
    }
    if (chunk.empty()) return absl::OkStatus();
    if (partial_.empty()) {
      partial_.assign(chunk.data(), chunk.size());
      return absl::OkStatus();
    }
    const size_t lacking = header.state == Header::kComplete
                               ? header.header_bytes + header.body_bytes - partial_.size()
                               : 1;
    const absl::string_view taken = chunk.substr(0, lacking);
    partial_.append(taken.data(), taken.size());
    chunk.remove_prefix(taken.size());
  }
}

}  // namespace bellwire::net
