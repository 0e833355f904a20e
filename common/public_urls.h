#ifndef BELLWIRE_COMMON_PUBLIC_URLS_H_
#define BELLWIRE_COMMON_PUBLIC_URLS_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bellwire {

// Where the world reaches the HTTP doors of a gateway: "https://push.example.com". Endpoints of
// subscriptions begin with the first one; each of them is a good audience ("aud") of a VAPID token,
// so that a server keeps its old names while it takes a new one.
//
// A value: copy it. Thread-safe.
class PublicUrls {
 public:
  // None.
  PublicUrls() = default;

  // Origins as of RFC 6454: a scheme, a host, perhaps a port. A slash at the end is taken off. The
  // scheme is https; http only for a host of this machine (localhost, 127.0.0.1, [::1]), for tests.
  //   INVALID_ARGUMENT BAD_PUBLIC_URL: says which one, and what is wrong
  static absl::StatusOr<PublicUrls> Parse(const std::vector<std::string>& urls);

  bool empty() const { return origins_.empty(); }
  // Names endpoints: no slash at its end. REQUIRES: !empty().
  const std::string& first() const { return origins_.front(); }
  // Whether `origin` is one of them. A port that is the scheme's own and the case of letters make
  // no difference; neither does one slash at the end.
  bool Contains(absl::string_view origin) const;

 private:
  // Normalised: lower case, no default port.
  std::vector<std::string> origins_;
};

}  // namespace bellwire

#endif  // BELLWIRE_COMMON_PUBLIC_URLS_H_
