#include "gateway/doors/grpc/message_codec.h"

#include <zlib.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"

namespace bellwire::gateway {
namespace {

// What inflated bytes come in: little is lost of a message that is too large.
constexpr size_t kInflateStep = 16 * 1024;

absl::Status Malformed(absl::string_view message) {
  return MakeError(absl::StatusCode::kInternal, "MALFORMED_MESSAGE", message);
}

absl::Status TooLarge(size_t bytes, size_t max_bytes) {
  return MakeError(
      absl::StatusCode::kResourceExhausted, "MESSAGE_TOO_LARGE",
      absl::StrCat("Received message larger than max (", bytes, " vs. ", max_bytes, ")"));
}

}  // namespace

std::optional<MessageEncoding> ParseMessageEncoding(absl::string_view name) {
  if (name == "identity") return MessageEncoding::kIdentity;
  if (name == "gzip") return MessageEncoding::kGzip;
  if (name == "deflate") return MessageEncoding::kDeflate;
  return std::nullopt;
}

absl::StatusOr<MessagePrefix> ParseMessagePrefix(absl::string_view prefix, MessageEncoding encoding,
                                                 size_t max_bytes) {
  const auto byte = [prefix](size_t i) {
    return static_cast<size_t>(static_cast<uint8_t>(prefix[i]));
  };
  if (byte(0) > 1) return Malformed("A message begins with a byte that is neither 0 nor 1.");
  MessagePrefix result = {.compressed = byte(0) == 1,
                          .bytes = byte(1) << 24 | byte(2) << 16 | byte(3) << 8 | byte(4)};
  if (result.compressed && encoding == MessageEncoding::kIdentity) {
    return Malformed("A message is compressed, and the call names no grpc-encoding.");
  }
  if (result.bytes > max_bytes) return TooLarge(result.bytes, max_bytes);
  return result;
}

absl::StatusOr<std::string> Inflate(absl::string_view compressed, MessageEncoding encoding,
                                    size_t max_bytes) {
  // zlib's own numbers: 15 bits of window, and 16 more for a gzip header.
  const int window_bits = encoding == MessageEncoding::kGzip ? 15 + 16 : 15;
  z_stream stream = {};
  if (inflateInit2(&stream, window_bits) != Z_OK) return absl::InternalError("zlib");
  const absl::Cleanup end = [&stream] { inflateEnd(&stream); };
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(compressed.data()));
  stream.avail_in = static_cast<uInt>(compressed.size());
  std::string inflated;
  for (;;) {
    const size_t before = inflated.size();
    // One byte more than is allowed tells that it is too large.
    inflated.resize(std::min(before + std::max(kInflateStep, before), max_bytes + 1));
    stream.next_out = reinterpret_cast<Bytef*>(inflated.data() + before);
    stream.avail_out = static_cast<uInt>(inflated.size() - before);
    const int code = inflate(&stream, Z_NO_FLUSH);
    inflated.resize(inflated.size() - stream.avail_out);
    if (inflated.size() > max_bytes) return TooLarge(inflated.size(), max_bytes);
    if (code == Z_STREAM_END) {
      if (stream.avail_in > 0) return Malformed("Bytes follow a compressed message.");
      return inflated;
    }
    if (code != Z_OK || (stream.avail_in == 0 && stream.avail_out > 0)) {
      return Malformed("A compressed message can't be inflated.");
    }
  }
}

void AppendMessage(const google::protobuf::MessageLite& message, std::string* out) {
  const size_t bytes = message.ByteSizeLong();
  const size_t before = out->size();
  out->resize(before + kMessagePrefixBytes + bytes);
  auto* const begin = reinterpret_cast<uint8_t*>(out->data() + before);
  begin[0] = 0;
  begin[1] = static_cast<uint8_t>(bytes >> 24);
  begin[2] = static_cast<uint8_t>(bytes >> 16);
  begin[3] = static_cast<uint8_t>(bytes >> 8);
  begin[4] = static_cast<uint8_t>(bytes);
  message.SerializeWithCachedSizesToArray(begin + kMessagePrefixBytes);
}

}  // namespace bellwire::gateway
