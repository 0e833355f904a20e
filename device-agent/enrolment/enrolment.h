#ifndef BELLWIRE_DEVICE_AGENT_ENROLMENT_ENROLMENT_H_
#define BELLWIRE_DEVICE_AGENT_ENROLMENT_ENROLMENT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace bellwire::agent {

// What lets this phone in at a server that takes enrolled devices only, from when somebody gave it
// until the server has let the phone in: a token (crypto/enrolment_token.h), or a certificate of
// this device's key (crypto/device_certificate.h). It is shown at logins and never told to anybody
// else.
//
// One line of a file: "token bwe_...", "token bwc_...", or "used HASH" once the server has let the
// phone in. The hash is what tells one of the configuration that was used from a new one. Not
// thread-safe.
class Enrolment {
 public:
  // What `path` says; without it, nothing. What can't be read counts as nothing, and is logged.
  explicit Enrolment(std::string path);

  // The token to show. Empty: none.
  const std::string& token() const { return token_; }
  // Somebody gave one, a certificate in PEM or as its line: it is on the disk when this returns.
  //   INVALID_ARGUMENT BAD_ENROLMENT, BAD_DEVICE_CERTIFICATE: it is none
  //   UNAVAILABLE and others: the file system refuses
  absl::Status Take(absl::string_view token);
  // The same, of a configuration, which says it with each start: one that was used is left alone.
  absl::Status TakeUnlessUsed(absl::string_view token);
  // The server has let the phone in. What can't be written is logged: then the token is shown once
  // more after the next start, which does no harm.
  void OnLetIn();

 private:
  absl::Status Write(absl::string_view word, absl::string_view value);

  const std::string path_;
  std::string token_;
  // In hex. Empty: none.
  std::string used_hash_;
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_ENROLMENT_ENROLMENT_H_
