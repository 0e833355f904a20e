#ifndef BELLWIRE_DEVICE_AGENT_CLIENT_NOTIFICATION_H_
#define BELLWIRE_DEVICE_AGENT_CLIENT_NOTIFICATION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "bellwire/agent/v1/agent.pb.h"

// What a backend that speaks APNs or FCM asks its app to show. Pure functions.
namespace bellwire::agent {

// Text that the app has in the person's language, in the place of one that the backend wrote.
struct LocalizedText {
  // Names it among the app's texts. Empty: there is none.
  std::string key;
  // For its places.
  std::vector<std::string> args;

  friend bool operator==(const LocalizedText&, const LocalizedText&) = default;
};

// The fields of `aps` and of a message of FCM that mean the same. An app that needs others parses
// the payload itself. Texts are UTF-8, otherwise any: they may hold control characters.
struct Notification {
  std::string title;
  // APNs only.
  std::string subtitle;
  std::string body;
  // If not empty, shown in the place of `title` and `body`.
  LocalizedText localized_title;
  LocalizedText localized_body;
  // The URL of a picture (of APNs: fcm_options.image, as FCM writes it).
  std::string image;
  // Its name, such as "default". Empty: none.
  std::string sound;
  // The number at the app's icon; 0 takes it away. Unset: it stays as it is.
  std::optional<int64_t> badge;
  // What its buttons do: `category`, `click_action`.
  std::string category;
  // Those of one are shown together, or replace one another: `thread-id`, `tag`.
  std::string thread;
  // The app is to do something in the background: `content-available`, or a message of FCM that has
  // data.
  bool content_available = false;
  // The backend's own: `data` of FCM; of APNs what is beside `aps`. In the order of the names. A
  // value of APNs that is no text is JSON.
  std::vector<std::pair<std::string, std::string>> data;

  // Whether there is nothing for a person to see or to hear.
  bool silent() const;

  friend bool operator==(const Notification&, const Notification&) = default;
};

// nullopt: the message came through another door, or its payload is not what that door takes. A
// field of the wrong type counts as absent: a message that one app understands must not stop
// another.
std::optional<Notification> ParseNotification(const v1::Content& content,
                                              absl::string_view payload);

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_CLIENT_NOTIFICATION_H_
