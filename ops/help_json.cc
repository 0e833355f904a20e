#include "ops/help_json.h"

#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace bellwire {
namespace {

nlohmann::ordered_json Describe(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back(absl::StrCat("-", name));
  for (const std::string& name : option.get_lnames()) names.push_back(absl::StrCat("--", name));
  const bool is_flag = option.get_items_expected_max() == 0;
  return {{"names", names},
          {"positional", option.get_positional() ? option.get_name(true, false) : ""},
          {"type", is_flag ? "" : option.get_type_name()},
          {"description", option.get_description()},
          {"default", option.get_default_str()},
          {"environment", option.get_envname()},
          {"required", option.get_required()},
          {"repeated", option.get_items_expected_max() > 1},
          {"flag", is_flag}};
}

nlohmann::ordered_json Describe(const CLI::App& app) {
  nlohmann::ordered_json json = {{"name", app.get_name()},
                                 {"description", app.get_description()},
                                 {"footer", app.get_footer()},
                                 {"options", nlohmann::ordered_json::array()},
                                 {"commands", nlohmann::ordered_json::array()}};
  for (const CLI::Option* option : app.get_options()) json["options"].push_back(Describe(*option));
  const auto all = [](const CLI::App*) { return true; };
  for (const CLI::App* command : app.get_subcommands(all)) {
    json["commands"].push_back(Describe(*command));
  }
  return json;
}

}  // namespace

std::string HelpAsJson(const CLI::App& app) {
  return Describe(app).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace bellwire
