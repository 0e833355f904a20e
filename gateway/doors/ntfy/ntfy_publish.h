#ifndef BELLWIRE_GATEWAY_DOORS_NTFY_NTFY_PUBLISH_H_
#define BELLWIRE_GATEWAY_DOORS_NTFY_NTFY_PUBLISH_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "bellwire/push/v1/push.pb.h"
#include "gateway/doors/http/whole_body.h"
#include "nlohmann/json.hpp"

// What a publisher of ntfy says, in whichever of its ways: body and header fields, query, or JSON.
// Pure functions.
namespace bellwire::gateway {

struct NtfyPublish {
  std::string topic;
  std::string message;
  std::string title;
  // 1 (min) to 5 (max); 0: not said.
  int priority = 0;
  std::vector<std::string> tags;
  std::string click;
  std::string icon;
  std::string attachment_url;
  std::string attachment_name;
  // Null: none.
  nlohmann::ordered_json actions;
  bool markdown = false;
  // `message` is base64 of bytes that are no text.
  bool base64 = false;
  // "X-Cache: no": now or never.
  bool cache = true;
  std::optional<absl::Time> deliver_at;
};

// The credential of a publisher: of `authorization` (Bearer, or Basic with the token as its
// password or its user), or of the query's `auth`, which is a whole such field in base64.
//   UNAUTHENTICATED MISSING_CREDENTIAL, BAD_CREDENTIAL
absl::StatusOr<std::string> NtfyCredential(const http::RequestHead& head);

// `path`: what follows "/ntfy", with its query. Whether this is a way to publish, and whether the
// topic is in the body, decide method and path. Errors are NtfyError:
//   40401: no such page · 40001, 40004 to 40007, 40009, 40011, 40013, 40014, 40017, 40018, 40021,
//   40032, 40043: as ntfy names them · 41301: too long
absl::StatusOr<NtfyPublish> ReadNtfyPublish(const http::Request& request, absl::string_view path,
                                            absl::Time now);

// The message as a subscriber of ntfy gets it. `id`, and if they are set the times.
nlohmann::ordered_json ToNtfyJson(const NtfyPublish& publish, absl::string_view id,
                                  std::optional<absl::Time> time,
                                  std::optional<absl::Time> expires);

// 3 and more wake the phone: a person is to see them now. 2 waits for the radio, 1 for the person.
push::v1::Priority ToPriority(int ntfy_priority);

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_DOORS_NTFY_NTFY_PUBLISH_H_
