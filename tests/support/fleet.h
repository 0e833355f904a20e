#ifndef BELLWIRE_TESTS_SUPPORT_FLEET_H_
#define BELLWIRE_TESTS_SUPPORT_FLEET_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bellwire/admin/v1/admin.grpc.pb.h"
#include "bellwire/push/v1/push.grpc.pb.h"
#include "common/testing/temp_dir.h"
#include "tests/support/process.h"

namespace bellwire::tests {

// The two ways to run the server (docs/internals/architecture.md); every integration test runs over
// both.
enum class Deployment {
  kEmbedded,  // One process: `bellwire serve`.
  kSeparate,  // Two gateways, two connectors, one registry.
};
std::string DeploymentName(Deployment deployment);

// A real server: real processes, real TLS, real disk, ports of its own that survive restarts.
// Not thread-safe; the addresses may be read from any thread.
class Fleet {
 public:
  struct Options {
    // Where agents connect.
    std::string device_host = "127.0.0.1";
    // For what holds the device port.
    std::vector<std::string> more_connector_arguments;
    // For what holds the store.
    std::vector<std::string> more_registry_arguments;
    // For the gateways of kSeparate.
    std::vector<std::string> more_gateway_arguments;
    // Of each process (ulimit -n). 0: what this one may have.
    int max_descriptors = 0;
  };
  static absl::StatusOr<std::unique_ptr<Fleet>> Start(Deployment deployment) {
    return Start(deployment, Options());
  }
  static absl::StatusOr<std::unique_ptr<Fleet>> Start(Deployment deployment,
                                                      const Options& options);

  // Starts what isn't running, on the addresses it had before.
  absl::Status StartAll();
  void KillAll();
  // From its next start on the registry is `program` (in the runfiles), with these arguments
  // besides its usual ones. REQUIRES: kSeparate.
  void UseRegistry(const std::string& program, std::vector<std::string> more_arguments = {});

  Deployment deployment() const { return deployment_; }
  // All of these are the same process in kEmbedded.
  Process& gateway(int i) {
    return *members_[deployment_ == Deployment::kEmbedded ? 0 : 3 + i].process;
  }
  Process& connector(int i) {
    return *members_[deployment_ == Deployment::kEmbedded ? 0 : 1 + i].process;
  }
  Process& registry() { return *members_[0].process; }

  // "127.0.0.1:PORT", or as the options say. `i` is 0 or 1; in kEmbedded both are the same.
  std::string provider_address(int i = 0) const;
  std::string device_address(int i = 0) const;
  // Internal gRPC ports; empty in kEmbedded, which has none.
  std::vector<std::string> internal_addresses() const;

  std::string data_dir() const { return dir_.path("server"); }
  std::string ca_file() const { return data_dir() + "/ca.pem"; }
  // A place for what belongs to this fleet's test: agents' state, sockets.
  std::string path(const std::string& name) const { return dir_.path(name); }

  // TLS to a provider port, trusting ca_file().
  std::shared_ptr<grpc::Channel> Channel(int i = 0) const;
  std::unique_ptr<admin::v1::AdminService::Stub> Admin() const;
  // Adds the admin token to a call.
  void Authorize(grpc::ClientContext* context) const;

 private:
  struct Member {
    std::string name;
    std::string program;
    std::vector<std::string> arguments;  // All but the listening addresses.
    // (flag, key in the ready file).
    std::vector<std::pair<std::string, std::string>> listens;
    std::map<std::string, std::string> addresses;
    std::unique_ptr<Process> process;
  };

  Fleet(Deployment deployment, const Options& options)
      : deployment_(deployment),
        device_host_(options.device_host),
        max_descriptors_(options.max_descriptors) {}
  // Of kSeparate: one for each connector and gateway, with no more than it needs (ops/fleet.h).
  absl::Status MakeDaemonDirectories();
  absl::Status StartMember(Member* member);
  absl::Status StartConnectorsAndGateways();

  const Deployment deployment_;
  const std::string device_host_;
  const int max_descriptors_;
  TempDir dir_;
  std::vector<Member> members_;
};

// An app backend with its team and signing key.
class Provider {
 public:
  // Makes a team, its apps and a key over the admin API.
  static absl::StatusOr<Provider> Create(const Fleet& fleet,
                                         const std::vector<std::string>& app_ids);

  // One Send through gateway `i`, as unary; retried by nobody.
  absl::StatusOr<push::v1::SendResponse> Send(const push::v1::SendRequest& request,
                                              int i = 0) const {
    return SendOnce(request, i, /*wait_for_ready=*/false);
  }
  // One SendBatch through gateway `i`; retried by nobody.
  absl::StatusOr<push::v1::SendBatchResponse> SendBatch(const push::v1::SendBatchRequest& request,
                                                        int i = 0) const;
  // A JWT is good for an hour: signs a new one.
  absl::Status RenewCredential();
  // Sends until it is answered OK, with one message id, through either gateway: what a backend
  // does.
  absl::Status SendReliably(const std::string& token, const std::string& payload) const;
  absl::StatusOr<push::v1::GetMessageResponse> GetMessage(const std::string& token,
                                                          const std::string& message_id) const;
  absl::StatusOr<push::v1::RecallResponse> Recall(const std::string& token,
                                                  const std::string& message_id) const;
  void Authorize(grpc::ClientContext* context) const;
  // What Authorize adds: "Bearer JWT".
  std::string authorization() const;
  const std::string& team_id() const { return team_id_; }

 private:
  // `wait_for_ready`: as of grpc::ClientContext.
  absl::StatusOr<push::v1::SendResponse> SendOnce(const push::v1::SendRequest& request, int i,
                                                  bool wait_for_ready) const;

  const Fleet* fleet_ = nullptr;
  std::string team_id_;
  std::string key_id_;
  std::string private_key_pem_;
  std::string jwt_;
  // One channel a gateway, kept.
  std::vector<std::shared_ptr<grpc::Channel>> channels_;
};

// A phone: one agent process with a state directory and a socket of its own.
class Phone {
 public:
  // Connects to the fleet's connectors in the order given (indices for Fleet::device_address).
  Phone(const Fleet& fleet, const std::string& name, std::vector<int> connectors = {0, 1});

  absl::Status Start();
  void SetConnectors(std::vector<int> connectors) { connectors_ = std::move(connectors); }
  // What the agent is run through from its next start on, such as {"/usr/bin/nsenter", …}.
  void SetLauncher(std::vector<std::string> launcher) { launcher_ = std::move(launcher); }
  // Besides the usual ones, from the next start on.
  void SetMoreArguments(std::vector<std::string> arguments) {
    more_arguments_ = std::move(arguments);
  }
  Process& agent() { return *agent_; }
  std::string socket_path() const;

 private:
  const Fleet& fleet_;
  const std::string name_;
  std::vector<int> connectors_;
  std::vector<std::string> launcher_;
  std::vector<std::string> more_arguments_;
  std::unique_ptr<Process> agent_;
};

}  // namespace bellwire::tests

#endif  // BELLWIRE_TESTS_SUPPORT_FLEET_H_
