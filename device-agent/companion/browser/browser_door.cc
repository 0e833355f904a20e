#include "device-agent/companion/browser/browser_door.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "crypto/file_util.h"
#include "nlohmann/json.hpp"

namespace bellwire::companion {
namespace {

constexpr size_t kSecretBytes = 16;
// Below the ports that the kernel gives to outgoing connections, one of which might hold ours after
// a restart.
constexpr uint16_t kFirstPort = 20000;
constexpr uint16_t kPorts = 12000;
constexpr int kPortTries = 64;

std::optional<std::array<uint8_t, kSecretBytes>> RandomBytes() {
  std::array<uint8_t, kSecretBytes> bytes;
  if (RAND_bytes(bytes.data(), bytes.size()) != 1) return std::nullopt;
  return bytes;
}

bool IsFree(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const bool is_free = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return is_free;
}

absl::StatusOr<BrowserDoor> NewDoor() {
  const auto secret = RandomBytes();
  if (!secret) return absl::UnavailableError("OpenSSL has no random bytes");
  BrowserDoor door;
  door.secret = absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(secret->data()), secret->size()));
  for (int i = 0; i < kPortTries; ++i) {
    const auto random = RandomBytes();
    if (!random) break;
    const uint16_t port = kFirstPort + ((*random)[0] << 8 | (*random)[1]) % kPorts;
    if (!IsFree(port)) continue;
    door.port = port;
    return door;
  }
  return MakeError(absl::StatusCode::kUnavailable, "NO_PORT_FREE",
                   absl::StrCat("no port of 127.0.0.1 from ", kFirstPort, " to ",
                                kFirstPort + kPorts - 1, " is free"));
}

absl::StatusOr<BrowserDoor> Parse(absl::string_view text, const std::string& path) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  BrowserDoor door;
  if (json.is_object() && json.contains("port") && json["port"].is_number_unsigned() &&
      json.contains("secret") && json["secret"].is_string()) {
    const uint64_t port = json["port"].get<uint64_t>();
    if (port <= 65535) door.port = static_cast<uint16_t>(port);
    door.secret = json["secret"].get<std::string>();
  }
  bool is_hex = door.secret.size() == 2 * kSecretBytes;
  for (char c : door.secret) is_hex = is_hex && absl::ascii_isxdigit(c);
  if (door.port == 0 || !is_hex) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "BAD_BROWSER_DOOR",
                     absl::StrCat(path,
                                  " holds no port and secret: remove it, then run "
                                  "`bellwire companion firefox on` again"));
  }
  return door;
}

bool IsSecret(absl::string_view text, absl::string_view secret) {
  return text.size() == secret.size() &&
         CRYPTO_memcmp(text.data(), secret.data(), secret.size()) == 0;
}

}  // namespace

std::string BrowserDoor::host() const { return absl::StrCat("127.0.0.1:", port); }
std::string BrowserDoor::url() const { return absl::StrCat("ws://", host(), "/", secret); }

std::string BrowserDoorPath(const std::string& state_dir) { return state_dir + "/browsers.json"; }

absl::StatusOr<BrowserDoor> LoadOrCreateBrowserDoor(const std::string& path) {
  absl::StatusOr<std::string> text = ReadPrivateFile(path);
  if (absl::IsNotFound(text.status())) {
    BELLWIRE_ASSIGN_OR_RETURN(const BrowserDoor door, NewDoor());
    const nlohmann::ordered_json json = {{"port", door.port}, {"secret", door.secret}};
    const absl::Status made = CreateFileAtomically(path, json.dump() + "\n", FileAccess::kPrivate);
    if (made.ok()) return door;
    // Another process was faster.
    if (!absl::IsAlreadyExists(made)) return made;
    text = ReadPrivateFile(path);
  }
  if (!text.ok()) return text.status();
  return Parse(*text, path);
}

absl::Status CheckUpgrade(const BrowserDoor& door, const UpgradeRequest& request) {
  if (request.hosts.size() != 1 || request.hosts[0] != door.host()) {
    return absl::PermissionDeniedError("another Host than the door's");
  }
  if (request.origins.size() > 1 ||
      (request.origins.size() == 1 && !IsSecret(request.origins[0], door.url()))) {
    return absl::PermissionDeniedError("another Origin than the door's: a web page");
  }
  if (request.target.empty() || request.target[0] != '/' ||
      !IsSecret(request.target.substr(1), door.secret)) {
    return absl::PermissionDeniedError("another path than the door's");
  }
  return absl::OkStatus();
}

}  // namespace bellwire::companion
