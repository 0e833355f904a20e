#ifndef BELLWIRE_CLI_DOCTOR_FACTS_CERTIFICATE_FACTS_H_
#define BELLWIRE_CLI_DOCTOR_FACTS_CERTIFICATE_FACTS_H_

#include <openssl/x509.h>

#include "absl/strings/string_view.h"
#include "cli/doctor/facts/facts.h"

namespace bellwire::cli {

// What a certificate says. Pure.
CertificateFacts FactsOf(X509* certificate);
// The first one of a PEM text; not `parsed` if there is none.
CertificateFacts FactsOfPem(absl::string_view pem);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_DOCTOR_FACTS_CERTIFICATE_FACTS_H_
