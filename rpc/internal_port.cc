#include "rpc/internal_port.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/status_macros.h"
#include "grpc/support/time.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/server_builder.h"
#include "rpc/credentials.h"

namespace bellwire {
namespace {

// How long calls under way may take once the port closes.
constexpr int kGraceSeconds = 1;

}  // namespace

absl::string_view HostOf(absl::string_view address) {
  return address.substr(0, address.rfind(':'));
}

absl::StatusOr<std::unique_ptr<InternalPort>> InternalPort::Open(
    const std::string& listen, const std::string& internal_dir,
    std::vector<std::unique_ptr<grpc::Service>> services) {
  BELLWIRE_ASSIGN_OR_RETURN(const auto credentials, InternalServerCredentials(internal_dir));
  std::unique_ptr<InternalPort> port(new InternalPort);
  port->services_ = std::move(services);
  grpc::EnableDefaultHealthCheckService(true);
  BELLWIRE_ASSIGN_OR_RETURN(port->acceptor_, PortAcceptor::Listen(listen));
  grpc::ServerBuilder builder;
  port->connections_ = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, credentials);
  for (const auto& service : port->services_) builder.RegisterService(service.get());
  // gRPC starts no server that answers nothing but the health service.
  if (port->services_.empty()) builder.RegisterCallbackGenericService(&port->unknown_);
  ConfigureInternalServer(&builder);
  port->server_ = builder.BuildAndStart();
  if (port->server_ == nullptr) {
    return MakeError(absl::StatusCode::kUnavailable, "CANNOT_LISTEN",
                     absl::StrCat("cannot serve on ", listen));
  }
  port->acceptor_->Start([raw = port.get()](int fd) {
    grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters connection;
    connection.listener_fd = raw->acceptor_->fd();
    connection.fd = fd;
    raw->connections_->HandleNewConnection(&connection);
  });
  return port;
}

InternalPort::~InternalPort() { Close(); }

void InternalPort::SetServing(bool serving) {
  server_->GetHealthCheckService()->SetServingStatus(serving);
}

void InternalPort::Close() {
  if (server_ == nullptr) return;
  // First: gRPC keeps connections that it gets later, and serves them no more.
  acceptor_->Stop();
  server_->Shutdown(gpr_time_from_seconds(kGraceSeconds, GPR_TIMESPAN));
  server_.reset();
}

}  // namespace bellwire
