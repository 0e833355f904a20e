#ifndef BELLWIRE_REGISTRY_TRANSFER_EXPORT_STREAM_H_
#define BELLWIRE_REGISTRY_TRANSFER_EXPORT_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "bellwire/storage/v1/export.pb.h"
#include "registry/engine/kv_engine.h"

// The bytes of an export (docs/reference/export_format.md): a magic, then frames, each with a
// checksum over itself and everything before it. So a reader notices damage, a frame that is
// missing, twice there or elsewhere, and an end that is missing.
namespace bellwire::registry {

inline constexpr absl::string_view kExportMagic = "BELLWIRE-EXPORT\n";
// Of the stream and of the records in it.
inline constexpr uint32_t kExportVersion = 1;
// A frame of records is written once its keys and values reach so much.
inline constexpr size_t kExportFrameBytes = 256 * 1024;
// A reader refuses a longer body: one record is far smaller.
inline constexpr size_t kMaxExportFrameBytes = 8 * 1024 * 1024;
// Longest key, in bytes: the longest of the store is below 300.
inline constexpr size_t kMaxExportKeyBytes = 1024;

// The checksum of a frame: SHA-256 of the checksum before and of the frame's body. Before the first
// frame it is SHA-256 of the magic.
class ExportChain {
 public:
  ExportChain();
  // 32 bytes.
  const std::string& Add(absl::string_view body);
  const std::string& checksum() const { return checksum_; }

 private:
  std::string checksum_;
};

// Writes a stream. Not thread-safe. Errors are those of `write`.
class ExportWriter {
 public:
  // `write` takes all bytes, or fails.
  explicit ExportWriter(std::function<absl::Status(absl::string_view bytes)> write)
      : write_(std::move(write)) {}

  // First, once.
  absl::Status Begin(const storage::v1::ExportHeader& header);
  //   DATA_LOSS STORE_CORRUPT: a record is too large to be one of a store.
  absl::Status Add(Family family, absl::string_view key, absl::string_view value);
  // Last, once.
  absl::Status End();

  uint64_t records() const { return records_; }
  // After End: the checksum of the last frame, in hexadecimal. It stands for the whole stream.
  std::string fingerprint() const;

 private:
  absl::Status WriteFrame(const storage::v1::ExportFrame& frame);
  absl::Status Flush();

  const std::function<absl::Status(absl::string_view)> write_;
  ExportChain chain_;
  storage::v1::ExportFrame pending_;
  size_t pending_bytes_ = 0;
  uint64_t records_ = 0;
};

// Reads a stream that nobody vouches for. Keeps one frame in memory. Not thread-safe.
//
// Errors: those of `read`, and
//   FAILED_PRECONDITION EXPORT_FORMAT: it is no export, or of a version that this program does not
//     know.
//   DATA_LOSS EXPORT_DAMAGED: bytes are not those that were written, or some are missing. What was
//     read before must not be used.
class ExportReader {
 public:
  // `read` fills a part of the buffer and answers how much; 0: the stream has ended.
  explicit ExportReader(std::function<absl::StatusOr<size_t>(absl::Span<char> buffer)> read)
      : read_(std::move(read)) {}

  // First, once.
  absl::StatusOr<storage::v1::ExportHeader> Begin();
  // The next records, each with a known family and a key. nullopt: that was all, the end is whole,
  // and nothing follows it.
  absl::StatusOr<std::optional<storage::v1::ExportRecords>> Next();

  uint64_t records() const { return records_; }
  // As ExportWriter::fingerprint, once Next has answered nullopt.
  std::string fingerprint() const;

 private:
  // DATA_LOSS unless there are so many bytes.
  absl::StatusOr<std::string> ReadBytes(size_t size);
  absl::StatusOr<storage::v1::ExportFrame> ReadFrame();
  absl::Status CheckEnd(const storage::v1::ExportEnd& end);

  const std::function<absl::StatusOr<size_t>(absl::Span<char>)> read_;
  ExportChain chain_;
  uint64_t frames_ = 0;
  uint64_t records_ = 0;
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TRANSFER_EXPORT_STREAM_H_
