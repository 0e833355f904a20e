#include "registry/transfer/export_stream.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire::registry {
namespace {

using storage::v1::ExportHeader;
using storage::v1::ExportRecord;
using storage::v1::ExportRecords;

// A stream of so many records, each in a frame of its own if they are `large`.
std::string Stream(int records, bool large = false) {
  std::string bytes;
  ExportWriter writer([&](absl::string_view piece) {
    absl::StrAppend(&bytes, piece);
    return absl::OkStatus();
  });
  ExportHeader header;
  header.set_numbers_after(7);
  EXPECT_TRUE(writer.Begin(header).ok());
  for (int n = 0; n < records; ++n) {
    const std::string value = large ? std::string(kExportFrameBytes, 'v') : absl::StrCat("v", n);
    EXPECT_TRUE(
        writer.Add(n % 2 == 0 ? Family::kDevices : Family::kTopics, absl::StrCat("k", n), value)
            .ok());
  }
  EXPECT_TRUE(writer.End().ok());
  EXPECT_EQ(writer.records(), static_cast<uint64_t>(records));
  return bytes;
}

// "k0 k1 …" of what the stream has, or the reason why it was refused. Reads `piece` bytes at a
// time.
std::string Read(absl::string_view bytes, size_t piece = 1 << 20) {
  ExportReader reader([&](absl::Span<char> buffer) -> absl::StatusOr<size_t> {
    const size_t size = std::min({buffer.size(), bytes.size(), piece});
    std::copy_n(bytes.data(), size, buffer.data());
    bytes.remove_prefix(size);
    return size;
  });
  const auto header = reader.Begin();
  if (!header.ok()) return ErrorReason(header.status());
  EXPECT_EQ(header->numbers_after(), 7u);
  std::string keys;
  while (true) {
    const auto records = reader.Next();
    if (!records.ok()) return ErrorReason(records.status());
    if (!records->has_value()) return keys;
    for (const ExportRecord& record : (*records)->records()) {
      absl::StrAppend(&keys, keys.empty() ? "" : " ", record.key());
    }
  }
}

TEST(ExportStreamTest, WhatWasWrittenIsRead) {
  EXPECT_EQ(Read(Stream(0)), "");
  EXPECT_EQ(Read(Stream(3)), "k0 k1 k2");
  EXPECT_EQ(Read(Stream(3), /*piece=*/1), "k0 k1 k2") << "from a pipe";
  EXPECT_EQ(Read(Stream(3, /*large=*/true)), "k0 k1 k2");
}

TEST(ExportStreamTest, EveryByteCounts) {
  const std::string whole = Stream(3);
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    const std::string reason = Read(damaged);
    EXPECT_TRUE(reason == "EXPORT_DAMAGED" || reason == "EXPORT_FORMAT") << at << ": " << reason;
  }
}

TEST(ExportStreamTest, AnEndThatIsMissingIsNoticed) {
  const std::string whole = Stream(3);
  for (size_t size = kExportMagic.size(); size < whole.size(); ++size) {
    EXPECT_EQ(Read(whole.substr(0, size)), "EXPORT_DAMAGED") << size;
  }
  EXPECT_EQ(Read(whole.substr(0, 5)), "EXPORT_FORMAT");
  EXPECT_EQ(Read(""), "EXPORT_FORMAT");
  EXPECT_EQ(Read(whole + "x"), "EXPORT_DAMAGED");
  EXPECT_EQ(Read(whole + whole), "EXPORT_DAMAGED");
}

// The places of the frames in a stream.
std::vector<std::pair<size_t, size_t>> Frames(absl::string_view bytes) {
  std::vector<std::pair<size_t, size_t>> frames;
  for (size_t at = kExportMagic.size(); at < bytes.size();) {
    size_t size = 0;
    for (int i = 0; i < 4; ++i) size = size << 8 | static_cast<uint8_t>(bytes[at + i]);
    frames.push_back({at, 4 + size + 32});
    at += 4 + size + 32;
  }
  return frames;
}

TEST(ExportStreamTest, FramesAreInTheirPlace) {
  const std::string whole = Stream(3, /*large=*/true);
  const auto frames = Frames(whole);
  ASSERT_EQ(frames.size(), 5u) << "header, three of records, end";
  const auto without = [&](size_t frame) {
    std::string bytes = whole;
    return bytes.erase(frames[frame].first, frames[frame].second);
  };
  for (size_t frame = 0; frame + 1 < frames.size(); ++frame) {
    EXPECT_EQ(Read(without(frame)), "EXPORT_DAMAGED") << frame << " is missing";
  }
  std::string twice = whole;
  twice.insert(frames[1].first, whole.substr(frames[1].first, frames[1].second));
  EXPECT_EQ(Read(twice), "EXPORT_DAMAGED");
  std::string swapped = without(1);
  swapped.insert(frames[2].first, whole.substr(frames[1].first, frames[1].second));
  EXPECT_EQ(Read(swapped), "EXPORT_DAMAGED");
}

// A stream whose checksums are right and whose contents are not.
std::string Forged(const std::vector<storage::v1::ExportFrame>& frames) {
  std::string bytes(kExportMagic);
  ExportChain chain;
  for (const auto& frame : frames) {
    const std::string body = frame.SerializeAsString();
    const auto size = static_cast<uint32_t>(body.size());
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(size >> shift));
    absl::StrAppend(&bytes, body, chain.Add(body));
  }
  return bytes;
}

TEST(ExportStreamTest, WhatThisVersionDoesNotKnowIsRefused) {
  storage::v1::ExportFrame header, records, end;
  header.mutable_header()->set_version(kExportVersion);
  header.mutable_header()->set_numbers_after(7);
  ExportRecord* record = records.mutable_records()->add_records();
  record->set_key("k");
  end.mutable_end()->set_records(1);
  EXPECT_EQ(Read(Forged({header, records, end})), "k");
  storage::v1::ExportFrame newer = header;
  newer.mutable_header()->set_version(kExportVersion + 1);
  EXPECT_EQ(Read(Forged({newer, records, end})), "EXPORT_FORMAT");
  EXPECT_EQ(Read(Forged({records, end})), "EXPORT_DAMAGED") << "no header";
  EXPECT_EQ(Read(Forged({header, header, end})), "EXPORT_DAMAGED");
  EXPECT_EQ(Read(Forged({header, records, records, end})), "EXPORT_DAMAGED") << "the number";
  record->set_family(99);
  EXPECT_EQ(Read(Forged({header, records, end})), "EXPORT_FORMAT");
  record->set_family(0);
  record->set_key(std::string(kMaxExportKeyBytes + 1, 'k'));
  EXPECT_EQ(Read(Forged({header, records, end})), "EXPORT_FORMAT");
  record->set_key("");
  EXPECT_EQ(Read(Forged({header, records, end})), "EXPORT_FORMAT");
}

TEST(ExportStreamTest, AFrameIsBounded) {
  std::string bytes = Stream(0);
  // The length of the first frame.
  bytes[kExportMagic.size()] = '\x7f';
  EXPECT_EQ(Read(bytes), "EXPORT_DAMAGED");
  ExportWriter writer([](absl::string_view) { return absl::OkStatus(); });
  EXPECT_EQ(ErrorReason(writer.Add(Family::kDevices, "k", std::string(kMaxExportFrameBytes, 'v'))),
            "STORE_CORRUPT");
}

TEST(ExportStreamTest, AFullDiskIsTheErrorOfTheExport) {
  ExportWriter writer([](absl::string_view) { return absl::UnavailableError("full"); });
  EXPECT_TRUE(absl::IsUnavailable(writer.Begin(ExportHeader())));
}

}  // namespace
}  // namespace bellwire::registry
