#include "registry/transfer/export_stream.h"

#include <openssl/sha.h>

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "registry/engine/store_error.h"

namespace bellwire::registry {

using storage::v1::ExportEnd;
using storage::v1::ExportFrame;
using storage::v1::ExportHeader;
using storage::v1::ExportRecord;
using storage::v1::ExportRecords;

namespace {

constexpr uint32_t kFamilies = static_cast<uint32_t>(Family::kTopics) + 1;
// ReadBytes asks for no more memory at once than this: a length may be a lie.
constexpr size_t kReadPieceBytes = 64 * 1024;

std::string Sha256(absl::string_view bytes) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

absl::Status FormatError(absl::string_view what) {
  return MakeError(absl::StatusCode::kFailedPrecondition, "EXPORT_FORMAT",
                   absl::StrCat("this can't be imported: ", what));
}

absl::Status DamagedError(absl::string_view what) {
  return MakeError(absl::StatusCode::kDataLoss, "EXPORT_DAMAGED",
                   absl::StrCat("the export is damaged: ", what,
                                ". Nothing of it was imported; export it again"));
}

absl::Status CheckRecord(const ExportRecord& record) {
  if (record.family() >= kFamilies) {
    return FormatError(absl::StrCat("it has records of family ", record.family()));
  }
  if (record.key().empty() || record.key().size() > kMaxExportKeyBytes) {
    return FormatError(absl::StrCat("it has a key of ", record.key().size(), " bytes"));
  }
  return absl::OkStatus();
}

}  // namespace

ExportChain::ExportChain() : checksum_(Sha256(kExportMagic)) {}

const std::string& ExportChain::Add(absl::string_view body) {
  checksum_ = Sha256(absl::StrCat(checksum_, body));
  return checksum_;
}

absl::Status ExportWriter::WriteFrame(const ExportFrame& frame) {
  const std::string body = frame.SerializeAsString();
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(body.size() >> shift));
  }
  absl::StrAppend(&bytes, body, chain_.Add(body));
  return write_(bytes);
}

absl::Status ExportWriter::Begin(const ExportHeader& header) {
  BELLWIRE_RETURN_IF_ERROR(write_(kExportMagic));
  ExportFrame frame;
  *frame.mutable_header() = header;
  frame.mutable_header()->set_version(kExportVersion);
  return WriteFrame(frame);
}

absl::Status ExportWriter::Add(Family family, absl::string_view key, absl::string_view value) {
  if (key.size() > kMaxExportKeyBytes || value.size() > kMaxExportFrameBytes / 2) {
    return StoreCorruptError(absl::StrCat("a record with a key of ", key.size(),
                                          " bytes and a value of ", value.size(), " bytes"));
  }
  if (pending_bytes_ + key.size() + value.size() > kExportFrameBytes) {
    BELLWIRE_RETURN_IF_ERROR(Flush());
  }
  ExportRecord* record = pending_.mutable_records()->add_records();
  record->set_family(static_cast<uint32_t>(family));
  record->set_key(std::string(key));
  record->set_value(std::string(value));
  pending_bytes_ += key.size() + value.size();
  ++records_;
  return absl::OkStatus();
}

absl::Status ExportWriter::Flush() {
  if (!pending_.has_records()) return absl::OkStatus();
  const absl::Status written = WriteFrame(pending_);
  pending_.Clear();
  pending_bytes_ = 0;
  return written;
}

absl::Status ExportWriter::End() {
  BELLWIRE_RETURN_IF_ERROR(Flush());
  ExportFrame frame;
  frame.mutable_end()->set_records(records_);
  return WriteFrame(frame);
}

std::string ExportWriter::fingerprint() const { return absl::BytesToHexString(chain_.checksum()); }

std::string ExportReader::fingerprint() const { return absl::BytesToHexString(chain_.checksum()); }

absl::StatusOr<std::string> ExportReader::ReadBytes(size_t size) {
  std::string bytes;
  while (bytes.size() < size) {
    const size_t before = bytes.size();
    bytes.resize(before + std::min(size - before, kReadPieceBytes));
    BELLWIRE_ASSIGN_OR_RETURN(const size_t got,
                              read_(absl::MakeSpan(bytes.data() + before, bytes.size() - before)));
    bytes.resize(before + got);
    if (got == 0) {
      return DamagedError(
          absl::StrCat("it ends within frame ", frames_ + 1, ", after ", records_, " records"));
    }
  }
  return bytes;
}

absl::StatusOr<ExportFrame> ExportReader::ReadFrame() {
  BELLWIRE_ASSIGN_OR_RETURN(const std::string length, ReadBytes(sizeof(uint32_t)));
  size_t size = 0;
  for (const char byte : length) size = size << 8 | static_cast<uint8_t>(byte);
  if (size > kMaxExportFrameBytes) {
    return DamagedError(absl::StrCat("frame ", frames_ + 1, " has ", size, " bytes"));
  }
  BELLWIRE_ASSIGN_OR_RETURN(const std::string body, ReadBytes(size));
  BELLWIRE_ASSIGN_OR_RETURN(const std::string checksum, ReadBytes(SHA256_DIGEST_LENGTH));
  ++frames_;
  if (chain_.Add(body) != checksum) {
    return DamagedError(absl::StrCat("frame ", frames_, " has another checksum than its bytes"));
  }
  ExportFrame frame;
  if (!frame.ParseFromString(body)) {
    return DamagedError(absl::StrCat("frame ", frames_, " can't be parsed"));
  }
  return frame;
}

absl::StatusOr<ExportHeader> ExportReader::Begin() {
  const absl::StatusOr<std::string> magic = ReadBytes(kExportMagic.size());
  if (!magic.ok() && !absl::IsDataLoss(magic.status())) return magic.status();
  if (!magic.ok() || *magic != kExportMagic) {
    return FormatError("it is no export of `bellwire registry export`");
  }
  BELLWIRE_ASSIGN_OR_RETURN(ExportFrame frame, ReadFrame());
  if (!frame.has_header()) return DamagedError("it has no header");
  if (frame.header().version() != kExportVersion) {
    return FormatError(absl::StrCat("it has version ", frame.header().version(),
                                    "; this program knows version ", kExportVersion));
  }
  return std::move(*frame.mutable_header());
}

absl::StatusOr<std::optional<ExportRecords>> ExportReader::Next() {
  BELLWIRE_ASSIGN_OR_RETURN(ExportFrame frame, ReadFrame());
  if (frame.has_end()) {
    BELLWIRE_RETURN_IF_ERROR(CheckEnd(frame.end()));
    return std::optional<ExportRecords>();
  }
  if (!frame.has_records()) {
    return DamagedError(absl::StrCat("frame ", frames_, " has neither records nor the end"));
  }
  for (const ExportRecord& record : frame.records().records()) {
    BELLWIRE_RETURN_IF_ERROR(CheckRecord(record));
  }
  records_ += static_cast<uint64_t>(frame.records().records_size());
  return std::optional<ExportRecords>(std::move(*frame.mutable_records()));
}

absl::Status ExportReader::CheckEnd(const ExportEnd& end) {
  if (end.records() != records_) {
    return DamagedError(
        absl::StrCat("it should have ", end.records(), " records and has ", records_));
  }
  char more = 0;
  BELLWIRE_ASSIGN_OR_RETURN(const size_t got, read_(absl::MakeSpan(&more, 1)));
  if (got != 0) return DamagedError("something follows its end");
  return absl::OkStatus();
}

}  // namespace bellwire::registry
