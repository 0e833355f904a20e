#include "ops/help_json.h"

#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace bellwire {
namespace {

TEST(HelpJsonTest, SaysWhatHelpSays) {
  CLI::App app("A program", "program");
  app.footer("Examples:\n  program send x");
  CLI::App* const send = app.add_subcommand("send", "Sends");
  std::string server = "here", text;
  std::vector<std::string> names;
  bool json = false;
  send->add_option("--server", server, "Where to")
      ->type_name("HOST:PORT")
      ->envname("SERVER")
      ->capture_default_str();
  send->add_option("NAME", names, "Which")->required();
  send->add_flag("--json", json, "For scripts");
  const nlohmann::json help = nlohmann::json::parse(HelpAsJson(app));
  EXPECT_EQ(help["name"], "program");
  EXPECT_EQ(help["footer"], "Examples:\n  program send x");
  const nlohmann::json& command = help["commands"][0];
  EXPECT_EQ(command["name"], "send");
  EXPECT_EQ(command["description"], "Sends");
  EXPECT_EQ(command["options"][1], nlohmann::json::parse(R"({
    "names": ["--server"], "positional": "", "type": "HOST:PORT", "description": "Where to",
    "default": "here", "environment": "SERVER", "required": false, "repeated": false,
    "flag": false})"));
  EXPECT_EQ(command["options"][2]["positional"], "NAME");
  EXPECT_TRUE(command["options"][2]["required"]);
  EXPECT_TRUE(command["options"][2]["repeated"]);
  EXPECT_EQ(command["options"][2]["names"], nlohmann::json::array());
  EXPECT_TRUE(command["options"][3]["flag"]);
  EXPECT_EQ(command["options"][3]["type"], "");
}

}  // namespace
}  // namespace bellwire
