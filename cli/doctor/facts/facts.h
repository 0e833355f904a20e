#ifndef BELLWIRE_CLI_DOCTOR_FACTS_FACTS_H_
#define BELLWIRE_CLI_DOCTOR_FACTS_FACTS_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "bellwire/agent/v1/agent.pb.h"
#include "bellwire/device/v1/device.pb.h"

// What was seen on a box, as plain values: gathered at the edges (gather_*.h), judged by pure
// checks (*_checks.h). Nothing here judges.
namespace bellwire::cli {

struct FileFacts {
  std::string path;
  // 0, or the errno of stat(2): there is nothing else then.
  int error = 0;
  // As of stat(2): kind and rights.
  mode_t mode = 0;
  uid_t uid = 0;
  int64_t size = 0;
  absl::Time modified;

  bool exists() const { return error == 0; }
};

// The file system of a directory.
struct DiskFacts {
  std::string path;
  // 0, or the errno of statvfs(3).
  int error = 0;
  bool read_only = false;
  // For who is not root.
  uint64_t free_bytes = 0;
  uint64_t total_bytes = 0;
  uint64_t free_inodes = 0;
  // 0: this file system has no fixed number.
  uint64_t total_inodes = 0;
};

// The first certificate of a PEM file, or the one that a server showed.
struct CertificateFacts {
  // False: it is no certificate, and nothing below is known.
  bool parsed = false;
  absl::Time not_before;
  absl::Time not_after;
  // DNS names and IP addresses.
  std::vector<std::string> names;
  // SHA-256 of the certificate, and of its SubjectPublicKeyInfo (what --pin takes), in hex.
  std::string fingerprint;
  std::string pin;
};

// A certificate on disk, with the key and the CA that belong to it.
struct CertificateFileFacts {
  std::string path;
  CertificateFacts certificate;
  // Empty: there is none to compare with.
  std::string key_path;
  bool key_fits = true;
  std::string ca_path;
  bool issued_by_ca = true;
};

struct ProcessFacts {
  pid_t pid = 0;
  // As of /proc/PID/comm, at most 15 characters.
  std::string name;
  // As of /proc/PID/stat: 'T' is stopped.
  char state = '?';
  // Whether the program's file was removed or replaced since it was started.
  bool program_replaced = false;
  absl::Time started;
  // 0: may not be seen.
  size_t open_descriptors = 0;
  size_t max_descriptors = 0;
  // The command line.
  std::vector<std::string> arguments;
};

// What came of a connection to a port, from the name to the answer.
struct ConnectionFacts {
  // kAdminPort: the one of --admin_listen. Where there is none, the provider port is for both.
  enum class Kind { kDevicePort, kProviderPort, kAdminPort };
  // How far it came: the step that failed.
  enum class Step { kAddress, kName, kTcp, kTls, kProtocol, kTrust, kAnswer, kNone };

  Kind kind = Kind::kDevicePort;
  // "HOST:PORT", as it was asked for, and the name that the certificate must have.
  std::string address;
  std::string server_name;
  Step failed = Step::kNone;
  // Of kTcp: the errno. With `timed_out` the peer was silent for kProbePatience.
  int error = 0;
  bool timed_out = false;
  // Of kTls: what is there does not speak TLS at all.
  bool not_tls = false;
  // The system's or OpenSSL's words.
  std::string message;
  // Once the handshake is done.
  std::optional<CertificateFacts> certificate;
  // Of kTrust: X509_V_ERR_… of OpenSSL, or 0: the pin differs.
  int verify_error = 0;
  // The authority that had to vouch for it. Empty: it is none of ours (--https_cert, --pin).
  std::string ca_path;
  // Of kAnswer, kDevicePort: what the server said instead of refusing a login that can't be right.
  device::v1::GoAway::Reason go_away = device::v1::GoAway::REASON_UNSPECIFIED;
  // Of kProviderPort and kAdminPort: the status of /readyz. 0: no answer.
  int http_status = 0;
  // The clock of the server, to the second, and ours at that moment.
  std::optional<absl::Time> server_time;
  absl::Time our_time;
};

// Who listens on a TCP port of this box.
struct ListenerFacts {
  // Where to reach it from here, such as "127.0.0.1".
  std::string host;
  uint16_t port = 0;
  uid_t uid = 0;
  // 0: may not be seen.
  pid_t pid = 0;
  std::string name;
};

struct ServerFacts {
  // Empty: it is not on this box, and only `connections` are known.
  std::string data_dir;
  FileFacts directory;
  // Those of DataDir::KeyFiles.
  std::vector<FileFacts> files;
  std::vector<CertificateFileFacts> certificates;
  DiskFacts disk;
  // The newest change of a file in it.
  absl::Time newest_change;
  // Who has the store open.
  std::optional<ProcessFacts> process;
  // Where it should listen if nobody runs, and who does.
  std::vector<uint16_t> usual_ports;
  std::vector<ListenerFacts> listeners;
  // Its ports, as far as they are known.
  std::vector<ConnectionFacts> connections;
};

struct AgentFacts {
  std::string socket_path;
  FileFacts socket;
  // 0, or the errno of connect(2).
  int connect_error = 0;
  // Whether the agent answered; `status` is its answer.
  bool answered = false;
  std::string error;
  agent::v1::Status status;
  std::optional<ProcessFacts> process;

  // Settings: of the running agent's command line, or else of its configuration file.
  std::vector<std::string> servers;
  std::string server_name;
  std::string ca_path;
  std::string pin;
  std::string state_dir;

  // Only what is configured is looked at.
  std::optional<FileFacts> ca;
  bool ca_parsed = true;
  std::optional<FileFacts> state_directory;
  std::optional<FileFacts> device_key;
  bool device_key_parsed = true;
  std::optional<DiskFacts> disk;
  std::vector<ConnectionFacts> paths;
};

struct CompanionFacts {
  std::string state_dir;
  FileFacts directory;
  // Empty: the environment names no session bus, and there is none at the usual place.
  std::string bus_address;
  // 0, or the errno of connect(2).
  int bus_error = 0;
  std::optional<ProcessFacts> process;
  // browsers.json, and its port; 0: none, or it makes no sense.
  FileFacts browser_door;
  uint16_t browser_port = 0;
  // Who listens there.
  std::optional<ListenerFacts> browser_listener;
  DiskFacts disk;
};

struct Facts {
  absl::Time now;
  std::string our_version;
  // Parts that this box does not have are not set.
  std::optional<ServerFacts> server;
  std::optional<AgentFacts> agent;
  std::optional<CompanionFacts> companion;
};

}  // namespace bellwire::cli

#endif  // BELLWIRE_CLI_DOCTOR_FACTS_FACTS_H_
