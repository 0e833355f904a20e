#include "gateway/doors/ntfy/ntfy_actions.h"

#include <string>

#include "gateway/doors/json/json_text.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

std::string Read(absl::string_view text) {
  const auto actions = ParseNtfyActions(text);
  return actions.ok() ? DumpJson(*actions) : "error";
}

TEST(NtfyActionsTest, TheSimpleForm) {
  EXPECT_EQ(Read("view, Open portal, https://home.example.com/, clear=true"),
            R"([{"action":"view","label":"Open portal","url":"https://home.example.com/",)"
            R"("clear":true}])");
  EXPECT_EQ(Read("action=http, label=\"Yes, \\\"please\\\"; now\", url='https://a/?x=1,2', "
                 "method=put, headers.Authorization=Bearer x, body={\"a\":1}; view, B, https://b"),
            R"([{"action":"http","label":"Yes, \"please\"; now","url":"https://a/?x=1,2",)"
            R"("method":"PUT","headers":{"Authorization":"Bearer x"},"body":"{\"a\":1}",)"
            R"("clear":false},{"action":"view","label":"B","url":"https://b","clear":false}])");
  EXPECT_EQ(Read("broadcast, Take picture, extras.cmd=pic, intent=i;"),
            R"([{"action":"broadcast","label":"Take picture","extras":{"cmd":"pic"},"intent":"i",)"
            R"("clear":false}])");
}

TEST(NtfyActionsTest, TheJsonForm) {
  EXPECT_EQ(Read(R"( [{"action":"VIEW","label":"a","url":"https://a","clear":true,"new":[1]}] )"),
            R"([{"action":"view","clear":true,"label":"a","url":"https://a"}])");
  EXPECT_EQ(Read("[]"), "[]");
}

TEST(NtfyActionsTest, WhatIsWrongIsRefused) {
  for (const char* text :
       {"nonsense", "view", "view, a", "view, , https://a", "fly, a, https://a",
        "view, a, https://a, b", "view, a, https://a, colour=red", "view, \"a, https://a",
        "view, \"a\" b, https://a", "view,a,https://a;view,a,https://a;view,a,https://a;view,a,b",
        ";;;;;;;;", ",,,", "[1]", "[{}]", "[", "{}", R"([{"action":1}])",
        R"([{"action":"http","label":"a","url":"u","headers":{"a":1}}])",
        R"([{"action":"http","label":"a","url":"u","headers":"x"}])"}) {
    EXPECT_EQ(Read(text), "error") << text;
  }
}

}  // namespace
}  // namespace bellwire::gateway
