#include "tests/simulation/seeded_key.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace bellwire::simulation {
namespace {

// PKCS #8 (RFC 5208) of a P-256 key in the form of RFC 5915 without the public key, which follows
// from the private one; its 32 bytes come next.
constexpr absl::string_view kPrefix(
    "\x30\x41\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d"
    "\x03\x01\x07\x04\x27\x30\x25\x02\x01\x01\x04\x20",
    35);
constexpr int kPrivateKeyBytes = 32;

}  // namespace

std::unique_ptr<DeviceKey> SeededKey(Random random, const std::string& path) {
  std::string der(kPrefix);
  // Without the first bit it is below the order of the group.
  for (int i = 0; i < kPrivateKeyBytes; ++i) {
    der.push_back(static_cast<char>(random.Below(i == 0 ? 0x80 : 0x100)));
  }
  std::ofstream(path) << "-----BEGIN PRIVATE KEY-----\n"
                      << absl::Base64Escape(der).insert(64, "\n")
                      << "\n-----END PRIVATE KEY-----\n";
  std::filesystem::permissions(
      path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  absl::StatusOr<std::unique_ptr<DeviceKey>> key = DeviceKey::LoadOrCreate(path);
  if (!key.ok()) {
    std::cerr << "no device key: " << key.status() << "\n";
    std::abort();
  }
  return *std::move(key);
}

}  // namespace bellwire::simulation
