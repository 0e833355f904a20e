// An app backend in C++: sends a message that only the app can read (docs/guide/end_to_end.md).
//
//   export BELLWIRE_ACCESS_TOKEN=bw_...  # bellwire key create --send_only TEAM
//   bazel run //examples/cpp_provider -- HOST:PORT ca.pem ENCRYPTED_TOKEN "You have mail"
#include <grpc/support/time.h>
#include <grpcpp/grpcpp.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include "bellwire/push/v1/push.grpc.pb.h"
#include "crypto/encryption/encrypted_token.h"

int main(int argc, char** argv) {
  const char* const access_token = std::getenv("BELLWIRE_ACCESS_TOKEN");
  if (argc != 5 || access_token == nullptr) {
    std::cerr << "usage: BELLWIRE_ACCESS_TOKEN=bw_... cpp_provider HOST:PORT CA ENCRYPTED_TOKEN "
                 "TEXT\n";
    return 2;
  }
  std::stringstream ca;
  ca << std::ifstream(argv[2]).rdbuf();

  // What the app sent here, once: its device token, and for whom to encrypt.
  const auto encrypted_token = bellwire::ParseEncryptedToken(argv[3]);
  if (!encrypted_token.ok()) {
    std::cerr << "error: " << encrypted_token.status().message() << "\n";
    return 1;
  }
  const auto payload = bellwire::EncryptPayload(*encrypted_token, argv[4]);
  if (!payload.ok()) {
    std::cerr << "error: " << payload.status().message() << "\n";
    return 1;
  }
  bellwire::push::v1::SendRequest request;
  request.set_token(encrypted_token->token);
  request.set_payload(*payload);

  const auto stub = bellwire::push::v1::PushService::NewStub(
      grpc::CreateChannel(argv[1], grpc::SslCredentials({.pem_root_certs = ca.str()})));
  grpc::ClientContext context;
  context.AddMetadata("authorization", std::string("Bearer ") + access_token);
  context.set_deadline(gpr_time_from_seconds(30, GPR_TIMESPAN));
  context.set_wait_for_ready(true);
  bellwire::push::v1::SendResponse response;
  const grpc::Status status = stub->Send(&context, request, &response);
  if (!status.ok()) {
    std::cerr << "error: " << status.error_message() << "\n";
    return 1;
  }
  std::cout << response.message_id() << "\n";
  return 0;
}
