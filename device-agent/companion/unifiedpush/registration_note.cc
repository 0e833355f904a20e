#include "device-agent/companion/unifiedpush/registration_note.h"

#include "nlohmann/json.hpp"

namespace bellwire::companion {
namespace {

// The text of a field, or nullopt if it is something else.
std::optional<std::string> Text(const nlohmann::json& json, const char* field) {
  const auto it = json.find(field);
  if (it == json.end() || !it->is_string()) return std::nullopt;
  return it->get<std::string>();
}

}  // namespace

std::string EncodeNote(const RegistrationNote& note) {
  const nlohmann::json json = {{"generation", static_cast<int>(note.generation)},
                               {"service", note.service},
                               {"token", note.token},
                               {"description", note.description},
                               {"told_endpoint", note.told_endpoint}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::optional<RegistrationNote> DecodeNote(absl::string_view text) {
  const auto json = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (!json.is_object()) return std::nullopt;
  const auto generation = json.find("generation");
  if (generation == json.end() || (*generation != 1 && *generation != 2)) return std::nullopt;
  const auto service = Text(json, "service");
  const auto token = Text(json, "token");
  const auto description = Text(json, "description");
  const auto told_endpoint = Text(json, "told_endpoint");
  if (!service || !token || !description || !told_endpoint) return std::nullopt;
  if (!IsServiceName(*service) || !CheckToken(*token).ok()) return std::nullopt;
  return RegistrationNote{*generation == 1 ? Generation::k1 : Generation::k2, *service, *token,
                          *description, *told_endpoint};
}

}  // namespace bellwire::companion
