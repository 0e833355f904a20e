#include "rpc/test_pki.h"

#include <stdlib.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "crypto/certificates.h"
#include "crypto/file_util.h"
#include "gtest/gtest.h"
#include "rpc/credentials.h"

namespace bellwire {
namespace {

void Write(const std::string& stem, const KeyAndCertificate& pair) {
  EXPECT_TRUE(CreateFileAtomically(stem + ".pem", pair.certificate_pem, FileAccess::kPublic).ok());
  EXPECT_TRUE(CreateFileAtomically(stem + ".key", pair.key_pem, FileAccess::kPrivate).ok());
}

void WriteCaAndLeaf(const std::string& dir, const std::string& leaf_name, LeafRequest request) {
  const absl::Time now = RealClock()->WallNow();
  request.validity = {now - absl::Hours(1), now + absl::Hours(24)};
  const auto ca = MakeCertificateAuthority("Bellwire test CA", request.validity);
  ASSERT_TRUE(ca.ok()) << ca.status();
  const auto leaf = IssueCertificate(*ca, request);
  ASSERT_TRUE(leaf.ok()) << leaf.status();
  Write(absl::StrCat(dir, "/ca"), *ca);
  Write(absl::StrCat(dir, "/", leaf_name), *leaf);
}

}  // namespace

TestPki::TestPki() : dir_(::testing::TempDir() + "/test_pki_XXXXXX") {
  EXPECT_NE(mkdtemp(dir_.data()), nullptr);
  std::filesystem::create_directory(internal_dir());
  WriteCaAndLeaf(dir_, "server",
                 {.common_name = "Bellwire test server",
                  .dns_names = {"localhost"},
                  .ip_addresses = {"127.0.0.1"},
                  .server = true});
  WriteCaAndLeaf(internal_dir(), "node",
                 {.common_name = "Bellwire test node",
                  .dns_names = {std::string(kInternalServerName)},
                  .server = true,
                  .client = true});
}

TestPki::~TestPki() {
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
}

}  // namespace bellwire
