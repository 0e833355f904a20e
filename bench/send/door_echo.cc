// What gRPC costs as a door of our HTTP listener: answers Send at once, as grpc_echo does with
// gRPC's own server, so that one client measures both.
#include <iostream>
#include <memory>
#include <string>

#include "CLI/App.hpp"
#include "CLI/Config.hpp"
#include "CLI/Formatter.hpp"
#include "absl/strings/str_cat.h"
#include "bellwire/push/v1/push.pb.h"
#include "common/clock.h"
#include "crypto/file_util.h"
#include "gateway/call/method_table.h"
#include "gateway/doors/grpc/grpc_door.h"
#include "gateway/doors/http/http_listener.h"
#include "net/tls/tls_context.h"
#include "ops/main_support.h"

namespace bellwire::bench {
namespace {

struct Flags : DaemonFlags {
  std::string certificate;
  std::string key;
};

int Run(const Flags& flags) {
  if (const absl::Status s = PrepareProcess(flags); !s.ok()) return ReportFailure(s);
  const auto certificate = ReadWholeFile(flags.certificate);
  const auto key = ReadPrivateFile(flags.key);
  if (!certificate.ok()) return ReportFailure(certificate.status());
  if (!key.ok()) return ReportFailure(key.status());
  const auto tls = net::TlsServerContext::Create({.certificate_pem = *certificate,
                                                  .private_key_pem = *key,
                                                  .clock = RealClock(),
                                                  .audience = net::TlsAudience::kWeb});
  if (!tls.ok()) return ReportFailure(tls.status());
  gateway::MethodTable methods;
  using Call = gateway::UnaryHandle<push::v1::SendRequest, push::v1::SendResponse>;
  methods.AddUnary<push::v1::SendRequest, push::v1::SendResponse>(
      "/bellwire.push.v1.PushService/Send", [](std::shared_ptr<Call> call) {
        call->Receive([call](const push::v1::SendRequest&) {
          push::v1::SendResponse response;
          // As long as a message id.
          response.set_message_id("123e4567-e89b-42d3-a456-426614174000");
          response.set_outcome(push::v1::SendResponse::ACCEPTED);
          call->Finish(std::move(response));
        });
      });
  gateway::GrpcDoor door(&methods);
  const auto listener = http::HttpListener::Start(
      {.ports = {{.address = "127.0.0.1:0", .tls = *tls, .doors = {&door}}}});
  if (!listener.ok()) return ReportFailure(listener.status());
  if (const absl::Status s =
          WriteReadyFile(flags.ready_file,
                         {{"provider_address", absl::StrCat("127.0.0.1:", (*listener)->port())}});
      !s.ok()) {
    return ReportFailure(s);
  }
  WaitForShutdownSignal(flags);
  (*listener)->Drain(absl::ZeroDuration());
  return kExitOk;
}

}  // namespace
}  // namespace bellwire::bench

int main(int argc, char** argv) {
  CLI::App app("door_echo: answers Send of bellwire.push.v1.PushService and does nothing",
               "door_echo");
  bellwire::bench::Flags flags;
  bellwire::AddDaemonFlags(&app, &flags);
  app.add_option("--certificate", flags.certificate, "PEM file")->required();
  app.add_option("--key", flags.key, "PEM file")->required();
  if (const std::optional<int> code = bellwire::ParseFlags(&app, argc, argv)) return *code;
  return bellwire::bench::Run(flags);
}
