// Whoever has the disk may put any bytes where a sealed record was, and a key file may be damaged.
// Nothing opens but what was sealed for its place. An input: a byte of the key's length, the key,
// and the record; all of it is also read as a key file.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "crypto/payload_keys.h"
#include "registry/sealing/record_seal.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using bellwire::PayloadKeys;
  using bellwire::registry::Family;
  using bellwire::registry::RecordSeal;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto keys = PayloadKeys::Parse(text, "keys");
  if (keys.ok() && (*keys)->keys().empty()) std::abort();
  if (text.empty()) return 0;
  const absl::string_view key = text.substr(1, data[0]);
  const absl::string_view record = text.substr(1 + key.size());
  static RecordSeal* const seal = new RecordSeal(PayloadKeys::ForTesting({1}));
  std::string opened;
  // Nobody but this process has its key, and it never seals under the same place what it opens.
  if (seal->Open(Family::kDevices, key, record, &opened).ok()) std::abort();
  if (!opened.empty()) std::abort();
  const std::string& id = seal->keys().newest().id;
  std::string sealed = seal->Seal(id, Family::kDevices, key, record);
  if (!seal->Open(Family::kDevices, key, sealed, &opened).ok() || opened != record) std::abort();
  sealed[data[size - 1] % sealed.size()] ^= 1;
  if (seal->Open(Family::kDevices, key, sealed, &opened).ok()) std::abort();
  return 0;
}
