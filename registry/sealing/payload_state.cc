#include "registry/sealing/payload_state.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "google/protobuf/util/time_util.h"
#include "registry/engine/records.h"
#include "registry/engine/store_error.h"
#include "registry/keys/keys.h"

namespace bellwire::registry {

using google::protobuf::util::TimeUtil;
using State = storage::v1::PayloadKeys;

absl::StatusOr<std::optional<State>> ReadPayloadState(const KvReader& store) {
  BELLWIRE_ASSIGN_OR_RETURN(std::optional<State> state,
                            GetRecord<State>(store, Family::kNames, PayloadKeysKey()));
  if (state.has_value() && state->current().size() != PayloadKey::kIdBytes) {
    return StoreCorruptError("the record of the keys that seal payloads");
  }
  return state;
}

absl::Status CheckPayloadKeys(const std::optional<State>& state, const PayloadKeys* keys) {
  if (!state.has_value()) return absl::OkStatus();
  std::vector<std::string> missing;
  const auto look_for = [&](const std::string& id) {
    if (keys == nullptr || keys->Find(id) == nullptr) missing.push_back(PayloadKeyName(id));
  };
  look_for(state->current());
  for (const std::string& id : state->former()) look_for(id);
  if (missing.empty()) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kFailedPrecondition, "PAYLOAD_KEY_MISSING",
      absl::StrCat(
          "the store's payloads are sealed with ", missing.size() == 1 ? "a key" : "keys", " that ",
          keys == nullptr ? "nobody gave: name the key file with --payload_key_file"
                          : "the payload key file does not have: put it back into the file",
          ". Missing: ", absl::StrJoin(missing, ", "), ". Nothing was changed."));
}

State BeginSealing(absl::string_view newest_id, bool empty, int64_t now_ms) {
  State state;
  state.set_current(std::string(newest_id));
  state.set_clear(true);
  state.set_began_at_ms(now_ms);
  if (empty) EndSealing(/*old_files=*/false, now_ms, &state);
  return state;
}

State Rotated(const State& state, absl::string_view newest_id, int64_t now_ms) {
  State rotated;
  rotated.set_current(std::string(newest_id));
  for (const std::string& id : state.former()) {
    if (id != newest_id) rotated.add_former(id);
  }
  if (state.current() != newest_id) rotated.add_former(state.current());
  rotated.set_clear(state.clear());
  rotated.set_began_at_ms(now_ms);
  return rotated;
}

void EndSealing(bool old_files, int64_t now_ms, State* state) {
  state->clear_former();
  state->clear_clear();
  state->clear_family();
  state->clear_after();
  // Zero says that it goes on.
  state->set_ended_at_ms(std::max<int64_t>(1, now_ms));
  state->set_old_files(old_files);
}

admin::v1::PayloadKeysOfStore Describe(const std::optional<State>& state,
                                       const PayloadKeys* keys) {
  admin::v1::PayloadKeysOfStore described;
  if (!state.has_value()) return described;
  described.set_current_key_id(PayloadKeyName(state->current()));
  for (const std::string& id : state->former()) described.add_former_key_ids(PayloadKeyName(id));
  if (keys != nullptr) {
    for (const PayloadKey& key : keys->keys()) {
      const bool needed =
          key.id == state->current() || std::count(state->former().begin(), state->former().end(),
                                                   key.id) != 0;
      if (!needed) described.add_unneeded_key_ids(PayloadKeyName(key.id));
    }
  }
  described.set_clear_payloads(state->clear());
  described.set_records_seen(state->seen());
  described.set_records_resealed(state->resealed());
  *described.mutable_begin_time() = TimeUtil::MillisecondsToTimestamp(state->began_at_ms());
  if (state->ended_at_ms() != 0) {
    *described.mutable_end_time() = TimeUtil::MillisecondsToTimestamp(state->ended_at_ms());
  }
  described.set_old_files(state->old_files());
  return described;
}

}  // namespace bellwire::registry
