#include "device-agent/companion/unifiedpush/arguments.h"

#include <string>

#include "absl/strings/escaping.h"
#include "device-agent/companion/unifiedpush/registration_note.h"
#include "gtest/gtest.h"

namespace bellwire::companion {
namespace {

constexpr char kService[] = "org.example.App";
// A KDE connector's token is a UUID in braces.
constexpr char kToken[] = "{1b4e28ba-2fa1-11d2-883f-0016d3cca427}";
// The generator of P-256.
constexpr char kPoint[] =
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

std::string Key() { return absl::WebSafeBase64Escape(absl::HexStringToBytes(kPoint)); }

TEST(IsServiceNameTest, IsDBusNames) {
  for (const std::string& name :
       {std::string(kService), std::string("a.b"), std::string("org.example_2.My-App"),
        "a." + std::string(253, 'b')}) {
    EXPECT_TRUE(IsServiceName(name)) << name;
  }
  for (const std::string& name :
       {std::string(), std::string("app"), std::string(":1.42"), std::string(".a.b"),
        std::string("a..b"), std::string("a.b."), std::string("a.2b"), std::string("a.b/c"),
        std::string("a.b\0c", 5), std::string("org.ex\xc3\xa4mple"),
        "a." + std::string(254, 'b')}) {
    EXPECT_FALSE(IsServiceName(name)) << name;
  }
}

TEST(CheckRegisterTest, TakesWhatConnectorsSend) {
  const auto request = CheckRegister(Generation::k2, kService, kToken, "Mail of me", Key());
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->service, kService);
  EXPECT_EQ(request->token, kToken);
  EXPECT_EQ(request->description, "Mail of me");
  EXPECT_EQ(absl::BytesToHexString(request->vapid_key), kPoint);

  const auto padded = CheckRegister(Generation::k2, kService, kToken, "", Key() + "=");
  ASSERT_TRUE(padded.ok()) << padded.status();
  EXPECT_EQ(padded->vapid_key, request->vapid_key);

  const auto first = CheckRegister(Generation::k1, kService, kToken, "", "");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->generation, Generation::k1);
  EXPECT_EQ(first->vapid_key, "");
}

TEST(CheckRegisterTest, NamesTheArgumentThatIsWrong) {
  const auto refused = [](absl::string_view argument, const std::string& service,
                          const std::string& token, const std::string& vapid) {
    const auto request = CheckRegister(Generation::k2, service, token, "", vapid);
    ASSERT_FALSE(request.ok()) << argument;
    EXPECT_EQ(request.status().message().substr(0, argument.size()), argument);
  };
  refused("service", "", kToken, "");
  refused("service", ":1.7", kToken, "");
  refused("token", kService, "", "");
  refused("token", kService, std::string(kMaxTokenBytes + 1, 't'), "");
  refused("token", kService, "\xff", "");
  refused("vapid", kService, kToken, "!");
  refused("vapid", kService, kToken, Key().substr(1));
  // The last digit says a bit more than the point has.
  std::string other = Key();
  ++other.back();
  refused("vapid", kService, kToken, other);
  refused("vapid", kService, kToken, std::string(100'000, 'A'));
  // The right length, and no point of the curve.
  refused("vapid", kService, kToken, absl::WebSafeBase64Escape("\x04" + std::string(64, 'x')));
}

TEST(CheckRegisterTest, CutsALongDescriptionBetweenCharacters) {
  const std::string longer = std::string(kMaxDescriptionBytes - 1, 'd') + "\xc3\xa4";
  const auto request = CheckRegister(Generation::k2, kService, kToken, longer, "");
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->description, std::string(kMaxDescriptionBytes - 1, 'd'));
}

TEST(RegistrationNoteTest, ComesBackAsItWas) {
  const RegistrationNote note{Generation::k1, kService, kToken, "\"q\" \xc3\xa4 \x01",
                              "https://push.example.com/wpush/1"};
  const auto again = DecodeNote(EncodeNote(note));
  ASSERT_TRUE(again.has_value());
  EXPECT_TRUE(*again == note);
}

TEST(RegistrationNoteTest, FitsWithItsLargestFields) {
  // A control character takes six bytes in JSON.
  const RegistrationNote note{Generation::k2, std::string(kMaxServiceBytes, 's'),
                              std::string(kMaxTokenBytes, '\x01'),
                              std::string(kMaxDescriptionBytes, '\x01'), std::string(1000, 'e')};
  EXPECT_LE(EncodeNote(note).size(), 4096u);
}

TEST(RegistrationNoteTest, RefusesWhatItNeverWrote) {
  for (const char* text :
       {"", "{", "[]", "1", "{}",
        R"({"generation":3,"service":"a.b","token":"t","description":"","told_endpoint":""})",
        R"({"generation":"2","service":"a.b","token":"t","description":"","told_endpoint":""})",
        R"({"generation":2,"service":"ab","token":"t","description":"","told_endpoint":""})",
        R"({"generation":2,"service":"a.b","token":"","description":"","told_endpoint":""})",
        R"({"generation":2,"service":"a.b","token":7,"description":"","told_endpoint":""})"}) {
    EXPECT_FALSE(DecodeNote(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace bellwire::companion
