#include "cli/doctor/checks/connection_checks.h"

#include <errno.h>
#include <openssl/x509_vfy.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/terminal.h"

namespace bellwire::cli {
namespace {

using Step = ConnectionFacts::Step;
using Kind = ConnectionFacts::Kind;

std::string PortName(const ConnectionFacts& c) {
  switch (c.kind) {
    case Kind::kDevicePort:
      return "device port";
    case Kind::kProviderPort:
      return "provider port";
    case Kind::kAdminPort:
      return "admin port";
  }
  return "port";
}

// "the device port push.example.com:7444".
std::string Where(const ConnectionFacts& c) {
  return absl::StrCat("the ", PortName(c), " ", c.address);
}

Finding Problem(Part part, const ConnectionFacts& c, std::string cause, std::string what,
                std::string to_do) {
  return {part, Severity::kProblem, std::move(cause), c.address, std::move(what), std::move(to_do)};
}

Finding FromTcp(Part part, const ConnectionFacts& c) {
  const bool at_server = part == Part::kServer;
  if (c.timed_out) {
    return Problem(part, c, "SERVER_UNREACHABLE",
                   absl::StrCat(Where(c), " does not answer: packets get lost on the way"),
                   at_server ? "look at this machine's firewall (`nft list ruleset`)"
                             : "look at the firewalls between here and the server; is the address "
                               "right?");
  }
  if (c.error == ECONNREFUSED) {
    return Problem(part, c, "PORT_CLOSED", absl::StrCat("nothing listens at ", Where(c)),
                   at_server
                       ? "start the server, or name its port if it is another one"
                       : "is the server running, and is this its device port (--device_listen "
                         "of the server)?");
  }
  if (c.error == ENETUNREACH || c.error == EHOSTUNREACH) {
    return Problem(part, c, "NO_ROUTE",
                   absl::StrCat("this machine has no way to ", Where(c), ": ", c.message),
                   "is the network up? `ip route` must show a default route");
  }
  return Problem(part, c, "NO_CONNECTION",
                 absl::StrCat("no connection to ", Where(c), ": ", c.message),
                 "look at the network of this machine");
}

Finding FromTls(Part part, const ConnectionFacts& c) {
  if (c.timed_out) {
    return Problem(part, c, "PORT_DOES_NOT_ANSWER",
                   absl::StrCat(Where(c), " takes connections and says nothing"),
                   "the server hangs, or was stopped by a signal: restart it");
  }
  if (c.not_tls) {
    return Problem(part, c, "NOT_TLS",
                   absl::StrCat("what listens at ", Where(c), " does not speak TLS"),
                   "this is another program's port, or one of plain HTTP: name the right port");
  }
  return Problem(part, c, "TLS_FAILED",
                 absl::StrCat("no TLS connection to ", Where(c), ": ", c.message),
                 "is this a Bellwire server, and does nothing in between open its TLS?");
}

Finding FromTrust(Part part, const ConnectionFacts& c) {
  const std::string renew =
      "on the server run `bellwire cert renew --data_dir DATA_DIR`, then send the server SIGHUP";
  switch (c.verify_error) {
    case 0:
      if (c.certificate.has_value()) {
        return Problem(part, c, "WRONG_PIN",
                       absl::StrCat("the key of ", Where(c), " is another one than --pin says"),
                       absl::StrCat("if the server got a new key, use --pin ", c.certificate->pin,
                                    "; if not, somebody else answers in its place"));
      }
      return Problem(part, c, "CA_UNUSABLE", c.message,
                     "copy the server's DATA_DIR/ca.pem there, readable for all");
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return Problem(
          part, c, "CERTIFICATE_EXPIRED",
          absl::StrCat("the certificate of ", Where(c), " ended ",
                       c.certificate.has_value() ? RenderTime(c.certificate->not_after) : "",
                       ", by this machine's clock"),
          absl::StrCat(renew, "; if the date is yet to come, set this machine's clock"));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return Problem(
          part, c, "CERTIFICATE_NOT_YET_VALID",
          absl::StrCat("the certificate of ", Where(c), " is good from ",
                       c.certificate.has_value() ? RenderTime(c.certificate->not_before) : "",
                       " on, and this machine's clock says ", RenderTime(c.our_time)),
          absl::StrCat("set this machine's clock (`timedatectl`); if it is right, ", renew));
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return Problem(
          part, c, "CERTIFICATE_LACKS_NAME",
          absl::StrCat("the certificate of ", Where(c), " is not for ", c.server_name, ", but for ",
                       c.certificate.has_value() ? absl::StrJoin(c.certificate->names, ", ") : "?"),
          absl::StrCat(
              "on the server run `bellwire cert add-name ", c.server_name,
              " --data_dir DATA_DIR` and send it SIGHUP; or connect to one of those names"));
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return Problem(
          part, c, "WRONG_CA",
          absl::StrCat("the certificate of ", Where(c), " is not of the CA in ", c.ca_path),
          part == Part::kServer
              ? "if the certificate is of another authority on purpose, clients need that "
                "one's CA; else run `bellwire init --repair --data_dir DATA_DIR`"
              : "copy the server's DATA_DIR/ca.pem over it, and send the agent SIGHUP");
    default:
      return Problem(part, c, "CERTIFICATE_NOT_TRUSTED",
                     absl::StrCat("the certificate of ", Where(c), " is not good: ", c.message),
                     renew);
  }
}

Finding FromAnswer(Part part, const ConnectionFacts& c) {
  using device::v1::GoAway;
  if (c.timed_out) {
    return Problem(part, c, "PORT_DOES_NOT_ANSWER",
                   absl::StrCat(Where(c), " speaks TLS and then says nothing"),
                   "the server hangs: look at its log, and restart it");
  }
  if (c.http_status == 503 || c.go_away == GoAway::DRAINING) {
    return Problem(part, c, "SERVER_STOPS",
                   absl::StrCat("the server of ", Where(c), " is about to stop"),
                   "nothing, if it is being restarted; else start it again");
  }
  if (c.go_away == GoAway::OVERLOADED || c.go_away == GoAway::LOGIN_TIMEOUT) {
    return Problem(part, c, "SERVER_OVERLOADED",
                   absl::StrCat("the server of ", Where(c),
                                " is too busy, or its registry is away: ", c.message),
                   "on the server look at the log and the load; agents come back by themselves");
  }
  return Problem(
      part, c, "NOT_A_BELLWIRE_PORT",
      absl::StrCat(Where(c), " does not answer as a ", PortName(c), " does: ", c.message),
      "is something else in between, such as a proxy?");
}

}  // namespace

void CheckConnection(Part part, const ConnectionFacts& c, Findings* findings) {
  switch (c.failed) {
    case Step::kNone:
      break;
    case Step::kAddress:
      findings->push_back(Problem(part, c, "BAD_ADDRESS",
                                  absl::StrCat("\"", c.address, "\" is not HOST:PORT"),
                                  "say it as push.example.com:7444"));
      return;
    case Step::kName:
      findings->push_back(Problem(
          part, c, "NAME_NOT_RESOLVED",
          absl::StrCat("the name of ", Where(c), " leads to no address: ", c.message),
          "is it spelled right? `getent hosts NAME` asks as we do; DNS is in /etc/resolv.conf"));
      return;
    case Step::kTcp:
      findings->push_back(FromTcp(part, c));
      return;
    case Step::kTls:
      findings->push_back(FromTls(part, c));
      return;
    case Step::kProtocol:
      findings->push_back(Problem(
          part, c, "WRONG_PORT",
          absl::StrCat(c.address, " speaks TLS, but it is no ", PortName(c), " (", c.message, ")"),
          c.kind == Kind::kDevicePort
              ? "agents connect to the device port, usually 7444; 7443 is the one for providers"
          : c.kind == Kind::kAdminPort
              ? "administrators connect to the port of --admin_listen, or to the provider port "
                "where "
                "there is none"
              : "providers connect to the provider port, usually 7443; 7444 is the one for "
                "agents"));
      return;
    case Step::kTrust:
      findings->push_back(FromTrust(part, c));
      return;
    case Step::kAnswer:
      findings->push_back(FromAnswer(part, c));
      return;
  }
  if (!c.server_time.has_value()) return;
  const absl::Duration ahead = c.our_time - *c.server_time;
  if (absl::AbsDuration(ahead) <= kMaxClockDifference) return;
  findings->push_back(Problem(
      part, c, "CLOCK_DIFFERS",
      absl::StrCat("this machine's clock is ", RenderDuration(absl::AbsDuration(ahead)),
                   ahead > absl::ZeroDuration() ? " ahead of" : " behind", " the server's (",
                   c.address, ")"),
      "set the one that is wrong (`timedatectl`): messages expire by the server's clock, and "
      "credentials are good for an hour"));
}

}  // namespace bellwire::cli
