#include "cli/payload.h"

#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

TEST(PayloadTest, KnowsUtf8) {
  for (const char* good : {"", "plain", "line\nline", "gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac",
                           "\xf0\x9f\x94\x94", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
  }
  for (const char* bad : {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
                          "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "a\xff"}) {
    EXPECT_FALSE(IsUtf8(bad)) << bad;
  }
}

TEST(PayloadTest, TextIsShownAsItIs) {
  EXPECT_EQ(RenderPayload("gr\xc3\xbc\xc3\x9f"), "gr\xc3\xbc\xc3\x9f");
}

TEST(PayloadTest, WhatCouldMoveTheCursorIsShownAsHex) {
  EXPECT_EQ(RenderPayload("\033[2J"), "(4 bytes) 1b5b324a");
  EXPECT_EQ(RenderPayload("\xc2\x9b"), "(2 bytes) c29b");
  EXPECT_EQ(RenderPayload(std::string(40, '\x01')),
            "(40 bytes) 0101010101010101010101010101010101010101010101010101010101010101...");
}

TEST(PayloadTest, JsonHasTextOrBase64) {
  nlohmann::ordered_json json;
  AddPayload("{\n}", &json);
  EXPECT_EQ(json["payload"], "{\n}");
  nlohmann::ordered_json binary;
  AddPayload("\xff\xfe", &binary);
  EXPECT_EQ(binary["payload_base64"], "//4=");
}

}  // namespace
}  // namespace bellwire::cli
