#include "ops/settings.h"

#include <stdlib.h>

#include <algorithm>
#include <utility>

#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/error.h"
#include "common/printable.h"
#include "common/status_macros.h"
#include "nlohmann/json.hpp"
#include "ops/config_file.h"
#include "ops/suggestion.h"

namespace bellwire {
namespace {

absl::Status BadFile(absl::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument, "BAD_CONFIG_FILE", what);
}

std::string KeyOf(const CLI::Option& option) {
  return option.get_lnames().empty() ? "" : option.get_lnames().front();
}

// Flags that ask for something at once are no settings; nor are positional arguments.
bool IsSetting(const CLI::Option& option) {
  if (option.get_lnames().empty() || option.get_positional()) return false;
  for (const absl::string_view name : {"--help", "--version", kConfigFlag, kShowConfigFlag}) {
    if (option.check_lname(std::string(absl::StripPrefix(name, "--")))) return false;
  }
  return true;
}

bool IsFlag(const CLI::Option& option) { return option.get_items_expected_max() == 0; }

bool IsGiven(const CLI::Option& option, const std::vector<std::string>& arguments) {
  for (const std::string& name : option.get_lnames()) {
    const std::string flag = absl::StrCat("--", name);
    for (const std::string& argument : arguments) {
      if (argument == flag || absl::StartsWith(argument, flag + "=")) return true;
    }
  }
  return false;
}

bool IsInEnvironment(const CLI::Option& option) {
  if (option.get_envname().empty()) return false;
  const char* const value = getenv(option.get_envname().c_str());
  // As CLI11: an empty variable is none.
  return value != nullptr && *value != '\0';
}

Setting* Find(const std::string& key, std::vector<Setting>* settings) {
  for (Setting& setting : *settings) {
    if (setting.option->check_lname(key)) return &setting;
  }
  return nullptr;
}

absl::Status AddFile(const std::string& path, std::vector<Setting>* settings) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<ConfigEntry> entries, ReadConfigFile(path));
  for (const ConfigEntry& entry : entries) {
    const std::string where = absl::StrCat(Printable(path), ":", entry.line);
    Setting* const setting = Find(entry.key, settings);
    if (setting == nullptr) {
      std::vector<std::string> known;
      for (const Setting& s : *settings) known.push_back(KeyOf(*s.option));
      const std::string nearest = Nearest(entry.key, known);
      return BadFile(WithSuggestion(absl::StrCat(where, ": there is no key \"", entry.key, "\""),
                                    nearest.empty() ? "" : absl::StrCat("\"", nearest, "\"")));
    }
    if (!setting->file_values.empty() && setting->option->get_items_expected_max() <= 1) {
      return BadFile(absl::StrCat(where, ": ", entry.key, " has a value in ", setting->where,
                                  " already and takes one only"));
    }
    if (setting->file_values.empty()) setting->where = where;
    setting->file_values.push_back(entry.value);
  }
  return absl::OkStatus();
}

// Has CLI11 write `values`, or without any the default, to the variable of the flag.
void Write(CLI::Option* option, const std::vector<std::string>& values) {
  option->clear();
  if (values.empty()) {
    option->add_result(IsFlag(*option) ? "false" : option->get_default_str());
  } else {
    for (const std::string& value : values) option->add_result(value);
  }
  option->run_callback();
  if (values.empty()) option->clear();
}

absl::string_view NameOf(SettingSource source) {
  switch (source) {
    case SettingSource::kDefault:
      return "default";
    case SettingSource::kFile:
      return "file";
    case SettingSource::kEnvironment:
      return "environment";
    case SettingSource::kFlag:
      return "flag";
  }
  return "";
}

nlohmann::json ValueOf(const Setting& setting) {
  const CLI::Option& option = *setting.option;
  if (setting.source == SettingSource::kDefault) {
    if (IsFlag(option)) return "false";
    if (option.get_default_str().empty()) return nullptr;
    return option.get_default_str();
  }
  if (option.get_items_expected_max() > 1) return option.results();
  if (option.results().empty()) return nullptr;
  return option.results().back();
}

}  // namespace

std::string ConfigFileOf(const std::vector<std::string>& arguments) {
  std::string path;
  for (size_t i = 0; i < arguments.size(); ++i) {
    absl::string_view argument = arguments[i];
    if (argument == kConfigFlag && i + 1 < arguments.size()) path = arguments[i + 1];
    if (absl::ConsumePrefix(&argument, absl::StrCat(kConfigFlag, "=")))
      path = std::string(argument);
  }
  return path;
}

absl::StatusOr<std::vector<Setting>> ResolveSettings(CLI::App* command,
                                                     const std::vector<std::string>& arguments) {
  std::vector<Setting> settings;
  for (CLI::Option* option : command->get_options()) {
    if (IsSetting(*option)) settings.push_back({.option = option});
  }
  const std::string path = ConfigFileOf(arguments);
  if (!path.empty() && command->get_option_no_throw(kConfigFlag) != nullptr) {
    BELLWIRE_RETURN_IF_ERROR(AddFile(path, &settings));
  }
  for (Setting& setting : settings) {
    if (IsGiven(*setting.option, arguments)) {
      setting.source = SettingSource::kFlag;
      setting.where.clear();
    } else if (IsInEnvironment(*setting.option)) {
      setting.source = SettingSource::kEnvironment;
      setting.where = setting.option->get_envname();
    } else if (!setting.file_values.empty()) {
      setting.source = SettingSource::kFile;
    }
  }
  return settings;
}

std::vector<std::string> FlagsOfFile(const std::vector<Setting>& settings) {
  std::vector<std::string> flags;
  for (const Setting& setting : settings) {
    if (setting.source != SettingSource::kFile) continue;
    for (const std::string& value : setting.file_values) {
      flags.push_back(absl::StrCat("--", KeyOf(*setting.option), "=", value));
    }
  }
  return flags;
}

std::string PlaceOf(absl::string_view error, const std::vector<Setting>& settings) {
  for (const Setting& setting : settings) {
    if (setting.source != SettingSource::kFile) continue;
    const std::string flag = absl::StrCat("--", KeyOf(*setting.option));
    const size_t begin = error.find(flag);
    if (begin == absl::string_view::npos) continue;
    const size_t end = begin + flag.size();
    const bool ends =
        end == error.size() ||
        !(absl::ascii_isalnum(static_cast<unsigned char>(error[end])) || error[end] == '_');
    if (ends) return absl::StrCat(" (in ", setting.where, ")");
  }
  return "";
}

std::string RenderSettings(const std::vector<Setting>& settings) {
  std::string text;
  for (const Setting& setting : settings) {
    nlohmann::ordered_json json = {{"key", KeyOf(*setting.option)},
                                   {"value", ValueOf(setting)},
                                   {"from", NameOf(setting.source)}};
    if (!setting.where.empty()) json["where"] = setting.where;
    absl::StrAppend(&text, json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                    "\n");
  }
  return text;
}

absl::StatusOr<ReloadedSettings> ReloadSettings(CLI::App* command,
                                                const std::vector<std::string>& arguments,
                                                const std::vector<std::string>& reloadable,
                                                std::vector<Setting>* running) {
  BELLWIRE_ASSIGN_OR_RETURN(std::vector<Setting> read, ResolveSettings(command, arguments));
  ReloadedSettings reloaded;
  // The flags of one command, in the same order.
  std::vector<std::pair<Setting*, Setting*>> changes;
  for (size_t i = 0; i < read.size() && i < running->size(); ++i) {
    Setting& before = (*running)[i];
    Setting& after = read[i];
    const bool decides =
        after.source == SettingSource::kFile || after.source == SettingSource::kDefault;
    if (!decides || before.file_values == after.file_values) continue;
    const std::string key = KeyOf(*after.option);
    if (std::find(reloadable.begin(), reloadable.end(), key) == reloadable.end()) {
      reloaded.need_restart.push_back(key);
    } else {
      reloaded.changed.push_back(key);
      changes.emplace_back(&before, &after);
    }
  }
  size_t done = 0;
  // CLI11 reports by exception; this is where they end.
  try {
    for (; done < changes.size(); ++done) {
      Write(changes[done].second->option, changes[done].second->file_values);
    }
  } catch (const CLI::Error& e) {
    const std::string what = absl::StrCat(e.what(), PlaceOf(e.what(), read));
    for (size_t i = 0; i <= done; ++i) {
      Write(changes[i].first->option, changes[i].first->file_values);
    }
    return BadFile(what);
  }
  for (const auto& [before, after] : changes) *before = *after;
  return reloaded;
}

}  // namespace bellwire
