#ifndef BELLWIRE_RPC_LOOPBACK_SERVER_H_
#define BELLWIRE_RPC_LOOPBACK_SERVER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "grpc/support/time.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "rpc/credentials.h"

namespace bellwire {

// A gRPC server on 127.0.0.1 with the internal ports' mutual TLS, for tests. Goes down when
// destroyed, cancelling what it serves.
class LoopbackServer {
 public:
  // `port` 0: any free one. The services must outlive this.
  LoopbackServer(grpc::Service* service, const std::string& internal_dir, int port = 0)
      : LoopbackServer(std::vector<grpc::Service*>{service}, internal_dir, port) {}
  LoopbackServer(const std::vector<grpc::Service*>& services, const std::string& internal_dir,
                 int port) {
    auto credentials = InternalServerCredentials(internal_dir);
    EXPECT_TRUE(credentials.ok()) << credentials.status();
    grpc::ServerBuilder builder;
    ConfigureInternalServer(&builder);
    builder.AddListeningPort(absl::StrCat("127.0.0.1:", port), *credentials, &port_);
    for (grpc::Service* service : services) builder.RegisterService(service);
    server_ = builder.BuildAndStart();
    EXPECT_NE(server_, nullptr) << "port " << port;
  }
  ~LoopbackServer() { server_->Shutdown(gpr_time_0(GPR_TIMESPAN)); }

  int port() const { return port_; }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace bellwire

#endif  // BELLWIRE_RPC_LOOPBACK_SERVER_H_
