#ifndef BELLWIRE_RPC_INTERNAL_PORT_H_
#define BELLWIRE_RPC_INTERNAL_PORT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "grpcpp/generic/async_generic_service.h"
#include "grpcpp/impl/service_type.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "rpc/port_acceptor.h"

namespace bellwire {

// The host of "host:port".
absl::string_view HostOf(absl::string_view address);

// A daemon's internal port: gRPC under mutual TLS, with the standard health service, behind an
// acceptor of our own (port_acceptor.h). Not thread-safe, but for Responds and
// SetServing, which come before Close.
class InternalPort {
 public:
  // Listens on `listen` ("host:port"; port 0 takes a free one) with the certificates in
  // `internal_dir` (DATA_DIR/internal). What the services call must outlive the port.
  //   errors of PortAcceptor::Listen and of rpc/credentials.h
  static absl::StatusOr<std::unique_ptr<InternalPort>> Open(
      const std::string& listen, const std::string& internal_dir,
      std::vector<std::unique_ptr<grpc::Service>> services);
  ~InternalPort();  // Closes.

  // "host:port" with the real port; the host as it was given.
  const std::string& address() const { return acceptor_->address(); }
  // As PortAcceptor::Responds; for a watchdog.
  bool Responds(absl::Duration patience) { return acceptor_->Responds(patience); }
  // What the health service answers from now on, for the port as a whole. Starts true.
  void SetServing(bool serving);
  // Refuses new calls, lets calls under way end for a moment, then cuts them: streams never end by
  // themselves.
  void Close();

 private:
  InternalPort() = default;

  std::vector<std::unique_ptr<grpc::Service>> services_;
  // Answers UNIMPLEMENTED to everything.
  grpc::CallbackGenericService unknown_;
  std::unique_ptr<PortAcceptor> acceptor_;
  std::unique_ptr<grpc::experimental::ExternalConnectionAcceptor> connections_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_INTERNAL_PORT_H_
