#ifndef BELLWIRE_DEVICE_AGENT_APPS_APP_POLICY_H_
#define BELLWIRE_DEVICE_AGENT_APPS_APP_POLICY_H_

#include <sys/types.h>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "device-agent/apps/app_owner.h"

namespace bellwire::agent {

// A phone has a few hundred apps, and the integrator pins some of them.
inline constexpr size_t kMaxPolicyRules = 4096;

// The integrator's say in who may use which app id (`bellwire-agent --policy FILE`,
// docs/operate/agent.md). A file of lines; a `#` begins a comment:
//
//   com.bank.app        uid=1001
//   com.maker.dialer    executable=/usr/bin/dialer uid=32011
//   org.example.Mail    sandbox=flatpak:org.example.Mail
//   *                   nobody
//
// Each line is a rule: an app id, or `*` for all ids that no line names, and one or more
// conditions, all of which must hold. Where several lines name an id, one of them must hold;
// `nobody` never holds. An id that neither a line nor `*` names is open to everybody. Immutable and
// thread-safe.
class AppPolicy {
 public:
  // Pins nothing.
  AppPolicy() = default;

  // INVALID_ARGUMENT BAD_POLICY: names the line. A text without any rule is an error as well: an
  // empty file must not mean that everything is open.
  static absl::StatusOr<AppPolicy> Parse(absl::string_view text);
  // The same of a file, naming it; and it must belong to root or the caller, and nobody else may be
  // able to write it (FAILED_PRECONDITION POLICY_NOT_PRIVATE). NOT_FOUND and UNAVAILABLE as of
  // ReadWholeFile.
  static absl::StatusOr<AppPolicy> Load(const std::string& path);

  // Whether `who`, which runs `executable`, may speak for the app. `executable` is empty if it is
  // not known; no condition on it holds then.
  bool Allows(absl::string_view app_id, const AppOwner& who, absl::string_view executable) const;
  size_t rules() const;

 private:
  struct Rule {
    bool nobody = false;
    std::optional<uid_t> uid;
    std::optional<std::string> executable;
    std::optional<std::string> sandbox;
  };

  static absl::Status ParseLine(absl::string_view line, AppPolicy* policy);

  // By app id, or "*".
  std::map<std::string, std::vector<Rule>, std::less<>> rules_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_APPS_APP_POLICY_H_
