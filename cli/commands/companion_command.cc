#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/command.h"
#include "cli/commands/firefox_try.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "device-agent/companion/browser/browser_door.h"
#include "device-agent/companion/browser/firefox_profile.h"
#include "device-agent/companion/state_directory.h"
#include "ops/main_support.h"

namespace bellwire::cli {
namespace {

struct Flags {
  std::string state_dir = companion::DefaultStateDirectory();
  std::vector<std::string> profiles;
};

std::string Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Those that were named, or else all of the user's.
absl::StatusOr<std::vector<std::string>> ProfilesOf(const Flags& flags) {
  if (!flags.profiles.empty()) return flags.profiles;
  const std::string home = Environment("HOME");
  const std::string config_home = Environment("XDG_CONFIG_HOME");
  std::vector<std::string> profiles =
      companion::FindFirefoxProfiles(home, config_home.empty() ? home + "/.config" : config_home);
  if (!profiles.empty()) return profiles;
  return WithHint(absl::NotFoundError(absl::StrCat("no Firefox profile below ", home)),
                  "start Firefox once, or name the folder with --profile DIR (about:support "
                  "shows it)");
}

absl::StatusOr<companion::BrowserDoor> DoorOf(const Flags& flags) {
  if (flags.state_dir.empty()) {
    return absl::InvalidArgumentError(
        "neither XDG_STATE_HOME nor HOME is set: name the companion's folder with --state_dir");
  }
  BELLWIRE_RETURN_IF_ERROR(companion::PrepareStateDirectory(flags.state_dir));
  return companion::LoadOrCreateBrowserDoor(companion::BrowserDoorPath(flags.state_dir));
}

absl::Status Turn(const Flags& flags, bool on, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<std::string> profiles, ProfilesOf(flags));
  BELLWIRE_ASSIGN_OR_RETURN(const companion::BrowserDoor door, DoorOf(flags));
  nlohmann::ordered_json json = {{"profiles", nlohmann::ordered_json::array()}};
  bool is_any_changed = false;
  for (const std::string& profile : profiles) {
    BELLWIRE_ASSIGN_OR_RETURN(const bool is_changed,
                              on ? companion::TurnFirefoxOn(profile, door.url())
                                 : companion::TurnFirefoxOff(profile, door.url()));
    is_any_changed = is_any_changed || is_changed;
    json["profiles"].push_back({{"path", profile}, {"on", on}, {"changed", is_changed}});
    if (!context->terminal->json()) {
      context->terminal->Line(
          absl::StrCat(profile, ": ", is_changed ? "" : "already ", on ? "on" : "off"));
    }
  }
  if (context->terminal->json()) {
    context->terminal->Json(json);
  } else if (is_any_changed) {
    context->terminal->Line(
        on ? "Start Firefox anew: its pushes then come through this phone's agent. Pages that had "
             "subscribed before are told to subscribe again."
           : "Firefox uses its own push server from its next start on.");
  }
  return absl::OkStatus();
}

absl::Status Show(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<std::string> profiles, ProfilesOf(flags));
  BELLWIRE_ASSIGN_OR_RETURN(const companion::BrowserDoor door, DoorOf(flags));
  nlohmann::ordered_json json = {{"address", door.host()},
                                 {"profiles", nlohmann::ordered_json::array()}};
  std::vector<std::vector<std::string>> rows;
  for (const std::string& profile : profiles) {
    BELLWIRE_ASSIGN_OR_RETURN(const bool on, companion::IsFirefoxOn(profile, door.url()));
    json["profiles"].push_back({{"path", profile}, {"on", on}});
    rows.push_back({profile, on ? context->terminal->Good("on") : context->terminal->Dim("off")});
  }
  if (context->terminal->json()) {
    context->terminal->Json(json);
  } else {
    context->terminal->Table({"PROFILE", "BELLWIRE"}, rows);
  }
  return absl::OkStatus();
}

void AddTry(CLI::App* firefox, CommandContext* context) {
  auto flags = std::make_shared<FirefoxTryFlags>();
  flags->state_dir = companion::DefaultStateDirectory();
  flags->ca_file = DefaultPushCaFile();
  CLI::App* command = firefox->add_subcommand(
      "try",
      "Start a Firefox with a profile of its own, whose page subscribes, and show a push in it. "
      "Nothing of your own profiles changes");
  command->add_option("--firefox", flags->firefox, "Default: firefox-esr or firefox, of PATH")
      ->type_name("PROGRAM");
  command
      ->add_option("--ca", flags->ca_file,
                   "Authority of the server's certificate (default: /etc/bellwire/ca.pem if there "
                   "is one, else what this machine trusts)")
      ->type_name("FILE");
  command->add_option("--text", flags->text, "What the page is to show")->capture_default_str();
  command->add_flag("--close", flags->close,
                    "End when the push is shown; otherwise when Firefox is closed");
  command
      ->add_option("--state_dir", flags->state_dir,
                   "As bellwire-companion has it (default: $XDG_STATE_HOME/bellwire, or "
                   "~/.local/state/bellwire)")
      ->type_name("DIR");
  AddJsonFlag(command, context);
  SetExamples(command, "  bellwire companion firefox try");
  command->callback([context, flags] {
    context->run = [=]() -> absl::Status {
      BELLWIRE_ASSIGN_OR_RETURN(const companion::BrowserDoor door,
                                DoorOf({.state_dir = flags->state_dir}));
      return TryFirefox(*flags, door, context);
    };
  });
}

}  // namespace

void AddCompanionCommand(CLI::App* root, CommandContext* context) {
  CLI::App* companion = root->add_subcommand("companion", "Software on this phone that exists")
                            ->require_subcommand(1);
  CLI::App* firefox =
      companion
          ->add_subcommand("firefox",
                           "Whether Firefox gets its pushes through this phone's agent, by way of "
                           "bellwire-companion (docs/guide/browser.md)")
          ->require_subcommand(1);
  const auto add = [&](const std::string& name, const std::string& description) {
    auto flags = std::make_shared<Flags>();
    CLI::App* command = firefox->add_subcommand(name, description);
    command
        ->add_option("--profile", flags->profiles,
                     "Folder of a Firefox profile; may be repeated (default: all of this user's)")
        ->type_name("DIR");
    command
        ->add_option("--state_dir", flags->state_dir,
                     "As bellwire-companion has it (default: $XDG_STATE_HOME/bellwire, or "
                     "~/.local/state/bellwire)")
        ->type_name("DIR");
    AddJsonFlag(command, context);
    SetExamples(command, "  bellwire companion firefox " + name);
    return std::make_pair(command, flags);
  };
  const auto [on, on_flags] =
      add("on", "Write the settings to user.js; Firefox is to be restarted");
  on->callback(
      [context, flags = on_flags] { context->run = [=] { return Turn(*flags, true, context); }; });
  const auto [off, off_flags] = add("off", "Take them away again; Firefox must be closed");
  off->callback([context, flags = off_flags] {
    context->run = [=] { return Turn(*flags, false, context); };
  });
  const auto [status, status_flags] = add("status", "Which profiles are on");
  status->callback(
      [context, flags = status_flags] { context->run = [=] { return Show(*flags, context); }; });
  AddTry(firefox, context);
}

}  // namespace bellwire::cli
