// An app backend in C++: sends a message that only the app can read (docs/guide/end_to_end.md), and
// retries as docs/guide/send.md says.
//
//   export BELLWIRE_ACCESS_TOKEN=bw_...  # bellwire key create --send_only TEAM
//   bazel run //examples/cpp_provider -- HOST:PORT ca.pem ENCRYPTED_TOKEN "You have mail"
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <thread>

#include "bellwire/push/v1/push.grpc.pb.h"
#include "common/ids.h"
#include "crypto/encryption/encrypted_token.h"
#include "google/rpc/error_details.pb.h"

namespace {

using bellwire::push::v1::PushService;
using bellwire::push::v1::SendRequest;
using bellwire::push::v1::SendResponse;
using Clock = std::chrono::system_clock;  // What deadlines of gRPC are in.

// How long the server wants us to wait. nullopt: it does not say.
std::optional<Clock::duration> AskedDelay(const grpc::Status& status) {
  google::rpc::Status error;
  google::rpc::RetryInfo info;
  error.ParseFromString(status.error_details());
  for (const google::protobuf::Any& detail : error.details()) {
    if (!detail.UnpackTo(&info)) continue;
    return std::chrono::seconds(info.retry_delay().seconds()) +
           std::chrono::nanoseconds(info.retry_delay().nanos());
  }
  return std::nullopt;
}

// REQUIRES: the request has a message id. Whatever became of an attempt, the next one is the same
// message.
grpc::Status Send(PushService::Stub& push, const SendRequest& request,
                  const std::string& access_token, std::chrono::seconds patience,
                  SendResponse* response) {
  const Clock::time_point deadline = Clock::now() + patience;
  std::mt19937 random(std::random_device{}());
  for (auto pause = std::chrono::milliseconds(200);;
       pause = std::min(2 * pause, std::chrono::milliseconds(10'000))) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + access_token);
    context.set_deadline(deadline);
    context.set_wait_for_ready(true);
    const grpc::Status status = push.Send(&context, request, response);
    const bool again = status.error_code() == grpc::UNAVAILABLE ||
                       status.error_code() == grpc::RESOURCE_EXHAUSTED ||
                       status.error_code() == grpc::DEADLINE_EXCEEDED;
    std::uniform_int_distribution<int64_t> jitter(pause.count() / 2, pause.count());
    const Clock::duration delay =
        AskedDelay(status).value_or(std::chrono::milliseconds(jitter(random)));
    if (!again || Clock::now() + delay >= deadline) return status;
    std::this_thread::sleep_for(delay);
  }
}

}  // namespace

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
  SendRequest request;
  request.set_token(encrypted_token->token);
  request.set_payload(*payload);
  request.set_message_id(bellwire::FormatUuid(bellwire::NewMessageId()));

  const auto push = PushService::NewStub(
      grpc::CreateChannel(argv[1], grpc::SslCredentials({.pem_root_certs = ca.str()})));
  SendResponse response;
  const grpc::Status status =
      Send(*push, request, access_token, std::chrono::seconds(30), &response);
  if (!status.ok()) {
    std::cerr << "error: " << status.error_message() << "\n";
    return 1;
  }
  std::cout << response.message_id() << "\n";
  return 0;
}
