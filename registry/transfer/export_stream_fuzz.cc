// An importer reads files that anybody may have made. An input is a stream, or, after a first byte
// of 1, the bodies of frames, each behind two bytes of length: they get the right checksums, so
// that what is behind the checksums is reached.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "registry/transfer/export_stream.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using bellwire::registry::ExportReader;
  absl::string_view input(reinterpret_cast<const char*>(data), size);
  std::string stream(input);
  if (!input.empty() && input[0] == 1) {
    input.remove_prefix(1);
    stream = std::string(bellwire::registry::kExportMagic);
    bellwire::registry::ExportChain chain;
    while (input.size() >= 2) {
      const size_t length =
          static_cast<size_t>(static_cast<uint8_t>(input[0])) << 8 | static_cast<uint8_t>(input[1]);
      const absl::string_view body = input.substr(2, length);
      input.remove_prefix(2 + body.size());
      absl::StrAppend(&stream, std::string("\0\0", 2),
                      std::string(1, static_cast<char>(body.size() >> 8)),
                      std::string(1, static_cast<char>(body.size())), body, chain.Add(body));
    }
  }
  absl::string_view rest = stream;
  ExportReader reader([&](absl::Span<char> buffer) -> absl::StatusOr<size_t> {
    const size_t read = std::min(buffer.size(), rest.size());
    std::copy_n(rest.data(), read, buffer.data());
    rest.remove_prefix(read);
    return read;
  });
  if (!reader.Begin().ok()) return 0;
  uint64_t records = 0;
  while (true) {
    const auto next = reader.Next();
    if (!next.ok()) return 0;
    if (!next->has_value()) break;
    for (const auto& record : (*next)->records()) {
      if (record.key().empty()) std::abort();
      ++records;
    }
  }
  if (!rest.empty() || records != reader.records()) std::abort();
  return 0;
}
