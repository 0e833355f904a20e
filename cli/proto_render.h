#ifndef BELLWIRE_CLI_PROTO_RENDER_H_
#define BELLWIRE_CLI_PROTO_RENDER_H_

#include "absl/time/time.h"
#include "bellwire/admin/v1/admin.pb.h"
#include "bellwire/push/v1/push.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "nlohmann/json.hpp"

// What the server answers, as the JSON of --json: the names of the protos' fields, times in RFC
// 3339, enums by name. Pure functions.
namespace bellwire::cli {

// The epoch if it is not set.
absl::Time TimeOf(const google::protobuf::Timestamp& timestamp);

nlohmann::ordered_json ToJson(const admin::v1::Team& team);
nlohmann::ordered_json ToJson(const admin::v1::App& app);
nlohmann::ordered_json ToJson(const admin::v1::Key& key);
nlohmann::ordered_json ToJson(const admin::v1::Alias& alias);
nlohmann::ordered_json ToJson(const push::v1::SendResponse& response);
nlohmann::ordered_json ToJson(const push::v1::GetMessageResponse& response);
nlohmann::ordered_json ToJson(const push::v1::WatchReceiptsResponse& response);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_PROTO_RENDER_H_
