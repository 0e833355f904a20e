#include "cli/proto_render.h"

#include "cli/terminal.h"

namespace bellwire::cli {
namespace {

std::string JsonTime(const google::protobuf::Timestamp& timestamp) {
  return RenderTimeForJson(TimeOf(timestamp));
}

}  // namespace

absl::Time TimeOf(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

nlohmann::ordered_json ToJson(const admin::v1::Team& team) {
  nlohmann::ordered_json json = {{"team_id", team.team_id()},
                                 {"name", team.name()},
                                 {"create_time", JsonTime(team.create_time())}};
  if (team.apns_store_one()) json["apns_store_one"] = true;
  if (team.has_delete_time()) json["delete_time"] = JsonTime(team.delete_time());
  return json;
}

nlohmann::ordered_json ToJson(const admin::v1::App& app) {
  return {{"app_id", app.app_id()},
          {"team_id", app.team_id()},
          {"overflow_policy", admin::v1::OverflowPolicy_Name(app.overflow_policy())},
          {"create_time", JsonTime(app.create_time())}};
}

nlohmann::ordered_json ToJson(const admin::v1::Key& key) {
  nlohmann::ordered_json json = {{"key_id", key.key_id()},
                                 {"team_id", key.team_id()},
                                 {"kind", admin::v1::Key::Kind_Name(key.kind())}};
  if (!key.public_key_pem().empty()) json["public_key_pem"] = key.public_key_pem();
  json["create_time"] = JsonTime(key.create_time());
  if (key.has_revoke_time()) json["revoke_time"] = JsonTime(key.revoke_time());
  return json;
}

nlohmann::ordered_json ToJson(const admin::v1::Alias& alias) {
  return {{"team_id", alias.team_id()},
          {"name", alias.name()},
          {"token", alias.token()},
          {"create_time", JsonTime(alias.create_time())}};
}

nlohmann::ordered_json ToJson(const push::v1::SendResponse& response) {
  return {{"message_id", response.message_id()},
          {"outcome", push::v1::SendResponse::Outcome_Name(response.outcome())},
          {"duplicate", response.duplicate()}};
}

nlohmann::ordered_json ToJson(const push::v1::GetMessageResponse& response) {
  nlohmann::ordered_json json = {{"message_id", response.message_id()},
                                 {"app_id", response.app_id()},
                                 {"state", push::v1::Step_Name(response.state())},
                                 {"terminal", response.terminal()},
                                 {"device_connected", response.device_connected()}};
  if (!response.terminal()) {
    json["waits_for"] = push::v1::GetMessageResponse::WaitsFor_Name(response.waits_for());
  }
  if (response.priority() != push::v1::PRIORITY_UNSPECIFIED) {
    json["priority"] = push::v1::Priority_Name(response.priority());
  }
  if (response.has_deliver_at()) json["deliver_at"] = JsonTime(response.deliver_at());
  if (response.has_expires_at()) json["expires_at"] = JsonTime(response.expires_at());
  if (!response.traceparent().empty()) json["traceparent"] = response.traceparent();
  json["receipts"] = nlohmann::ordered_json::array();
  for (const push::v1::Receipt& receipt : response.receipts()) {
    nlohmann::ordered_json entry = {{"step", push::v1::Step_Name(receipt.step())},
                                    {"time", JsonTime(receipt.time())}};
    if (!receipt.detail().empty()) entry["detail"] = receipt.detail();
    json["receipts"].push_back(std::move(entry));
  }
  return json;
}

nlohmann::ordered_json ToJson(const push::v1::WatchReceiptsResponse& response) {
  nlohmann::ordered_json json;
  if (response.has_receipt()) {
    json["token"] = response.token();
    if (!response.message_id().empty()) json["message_id"] = response.message_id();
    json["app_id"] = response.app_id();
    json["step"] = push::v1::Step_Name(response.receipt().step());
    json["time"] = JsonTime(response.receipt().time());
    if (!response.receipt().detail().empty()) json["detail"] = response.receipt().detail();
  }
  json["cursor"] = response.cursor();
  return json;
}

}  // namespace bellwire::cli
