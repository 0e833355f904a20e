#ifndef BELLWIRE_TESTS_ACCESS_HTTP_WORLD_H_
#define BELLWIRE_TESTS_ACCESS_HTTP_WORLD_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/testing/temp_dir.h"
#include "crypto/device_key.h"
#include "crypto/openssl_ptr.h"
#include "crypto/provider_key.h"
#include "tests/support/fleet.h"
#include "tests/support/raw_device.h"

namespace bellwire::tests {

inline constexpr char kPublicUrl[] = "https://push.example.com";
inline constexpr char kMail[] = "com.example.mail";

struct HttpRequest {
  std::string method;
  std::string path;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;
};

struct HttpAnswer {
  // 0: there was none.
  int status = 0;
  // Names in lower case.
  std::map<std::string, std::string> fields;
  // Of an endless answer, what came with its head.
  std::string body;

  bool is_success() const { return status >= 200 && status < 300; }
};

// Asks once, by HTTP/1.1 at a Unix socket, and closes.
HttpAnswer Ask(const std::string& socket_path, const HttpRequest& request);

// Two teams at a real `bellwire serve`, one phone with an app of the first and with two
// subscriptions, and every kind of credential, good and bad. Not thread-safe.
class HttpWorld {
 public:
  static absl::StatusOr<std::unique_ptr<HttpWorld>> Make();

  // Who asks: what it says in Authorization, and what it shows at the token endpoint of FCM.
  struct Caller {
    std::string name;
    std::string authorization;
    std::string assertion;
  };
  const std::vector<Caller>& callers() const { return callers_; }
  // REQUIRES: there is one of this name.
  const Caller& caller(absl::string_view name) const;

  HttpAnswer AskDoors(const HttpRequest& request) const { return Ask(http_socket_, request); }
  HttpAnswer AskConsole(const HttpRequest& request) const { return Ask(console_socket_, request); }
  // A message to the phone by the first team; its id.
  std::string NewMessage() const;
  // A message to the first team's topic "news"; its id.
  std::string NewTopicMessage() const;
  // A broadcast channel of the first team's app.
  std::string NewChannel() const;
  // A push to the subscription that anybody may use, by what its answer names: "location", or
  // "link" of the receipts.
  std::string NewPush(absl::string_view resource) const;

  const Fleet& fleet() const { return *fleet_; }
  const std::string& team_id() const { return team_id_; }
  // Of the phone's app.
  const std::string& token() const { return token_; }
  // Of a subscription without a key, and of one that "the subscriber" made.
  const std::string& open_endpoint() const { return open_endpoint_; }
  const std::string& bound_endpoint() const { return bound_endpoint_; }
  // Tokens of administrators, by name: "olga" (owner) and "reader" (read-only).
  const std::string& administrator(const std::string& name) const {
    return administrators_.at(name);
  }
  std::string path(const std::string& name) const { return dir_.path(name); }

 private:
  HttpWorld() = default;
  absl::Status Start();
  absl::Status MakeTeams();
  absl::Status MakePhone();
  absl::Status MakeCallers();
  absl::StatusOr<std::string> Subscribe(const std::string& instance, const std::string& vapid_key);
  // The answer's field. REQUIRES: the request is served.
  std::string FieldOf(const HttpRequest& request, const std::string& field) const;
  std::string JsonFieldOf(const HttpRequest& request, const std::string& field) const;

  const TempDir dir_;
  std::string http_socket_;
  std::string console_socket_;
  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<DeviceKey> device_key_;
  std::unique_ptr<RawDevice> device_;
  std::map<std::string, std::string> administrators_;
  std::string team_id_;
  std::string other_team_id_;
  std::string token_;
  std::string open_endpoint_;
  std::string bound_endpoint_;
  std::vector<Caller> callers_;
};

}  // namespace bellwire::tests

#endif  // BELLWIRE_TESTS_ACCESS_HTTP_WORLD_H_
