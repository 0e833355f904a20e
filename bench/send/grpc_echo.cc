// What gRPC itself costs: a bare server of the callback API that answers at once, on the provider
// port's transport (TLS) and with its message types, so that a client of the real service measures
// the floor.
#include <csignal>
#include <iostream>
#include <memory>
#include <string>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/str_cat.h"
#include "bellwire/push/v1/push.grpc.pb.h"
#include "grpcpp/server_builder.h"
#include "ops/main_support.h"
#include "rpc/credentials.h"

namespace bellwire::bench {
namespace {

class EchoService final : public push::v1::PushService::CallbackService {
 public:
  grpc::ServerUnaryReactor* Send(grpc::CallbackServerContext* context,
                                 const push::v1::SendRequest* /*request*/,
                                 push::v1::SendResponse* response) override {
    // As long as a message id.
    response->set_message_id("123e4567-e89b-42d3-a456-426614174000");
    response->set_outcome(push::v1::SendResponse::ACCEPTED);
    grpc::ServerUnaryReactor* const call = context->DefaultReactor();
    call->Finish(grpc::Status::OK);
    return call;
  }
};

struct Flags : DaemonFlags {
  std::string certificate;
  std::string key;
};

int Run(const Flags& flags) {
  if (const absl::Status s = PrepareProcess(flags); !s.ok()) return ReportFailure(s);
  const auto credentials = ServerTlsCredentials(flags.certificate, flags.key);
  if (!credentials.ok()) return ReportFailure(credentials.status());
  EchoService service;
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", *credentials, &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return ReportFailure(absl::UnavailableError("can't listen"));
  if (const absl::Status s = WriteReadyFile(
          flags.ready_file, {{"provider_address", absl::StrCat("127.0.0.1:", port)}});
      !s.ok()) {
    return ReportFailure(s);
  }
  WaitForShutdownSignal(flags);
  server->Shutdown();
  return kExitOk;
}

}  // namespace
}  // namespace bellwire::bench

int main(int argc, char** argv) {
  CLI::App app("grpc_echo: answers Send of bellwire.push.v1.PushService and does nothing",
               "grpc_echo");
  bellwire::bench::Flags flags;
  bellwire::AddDaemonFlags(&app, &flags);
  app.add_option("--certificate", flags.certificate, "PEM file")->required();
  app.add_option("--key", flags.key, "PEM file")->required();
  if (const std::optional<int> code = bellwire::ParseFlags(&app, argc, argv)) return *code;
  return bellwire::bench::Run(flags);
}
