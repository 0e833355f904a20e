#ifndef BELLWIRE_CLI_DOCTOR_FACTS_PROBE_H_
#define BELLWIRE_CLI_DOCTOR_FACTS_PROBE_H_

#include <string>

#include "absl/time/time.h"
#include "cli/doctor/facts/facts.h"
#include "common/clock.h"

namespace bellwire::cli {

// How long a peer may be silent at each step. An idle server answers within milliseconds.
inline constexpr absl::Duration kProbePatience = absl::Seconds(5);
// Addresses of a name that are tried, one after the other.
inline constexpr int kMaxProbedAddresses = 4;
// What is read of an answer; ours are a few hundred bytes.
inline constexpr size_t kMaxProbeAnswerBytes = 16 * 1024;

struct ProbeTarget {
  ConnectionFacts::Kind kind = ConnectionFacts::Kind::kDevicePort;
  // "HOST:PORT".
  std::string address;
  // What the certificate must be for. Empty: the host of `address`.
  std::string server_name;
  // PEM file of the authority that must vouch for the server. Empty: the pin alone decides.
  std::string ca_path;
  // SHA-256 of its public key, hex. Empty: any.
  std::string pin;
};

// Walks the way of an agent, or of a provider, to a port: name, TCP, TLS, application protocol,
// certificate, and one question that changes nothing at the server. A device port is sent a login
// with a signature that can't be right, and is expected to refuse it; a provider port is asked for
// /readyz. Blocks for a few times kProbePatience at most, beside the resolver's own time-outs.
// Thread-safe.
ConnectionFacts Probe(const ProbeTarget& target, const Clock& clock);

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_DOCTOR_FACTS_PROBE_H_
