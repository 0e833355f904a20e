#include "tests/support/fleet.h"

#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "cli/provider_credentials.h"
#include "common/clock.h"
#include "common/ids.h"
#include "grpcpp/grpcpp.h"
#include "rpc/grpc_status.h"

namespace bellwire::tests {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

void SetDeadline(grpc::ClientContext* context) {
  context->set_deadline(absl::ToChronoTime(RealClock()->WallNow() + absl::Seconds(30)));
}

absl::Status Init(const std::vector<std::string>& arguments) {
  auto init = Process::Start("init", "cli/bellwire", arguments);
  if (!init.ok()) return init.status();
  const absl::StatusOr<int> code = (*init)->Wait();
  if (!code.ok()) return code.status();
  if (*code == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("bellwire init: ", (*init)->Log()));
}

}  // namespace

std::string DeploymentName(Deployment deployment) {
  return deployment == Deployment::kEmbedded ? "Embedded" : "Separate";
}

absl::StatusOr<std::unique_ptr<Fleet>> Fleet::Start(Deployment deployment, const Options& options) {
  signal(SIGPIPE, SIG_IGN);  // Peers of these tests die at will.
  std::unique_ptr<Fleet> fleet(new Fleet(deployment, options));
  if (absl::Status s = Init({"init", "--data_dir", fleet->data_dir()}); !s.ok()) return s;
  if (deployment == Deployment::kEmbedded) {
    fleet->members_.push_back(
        {.name = "serve",
         .program = "cli/bellwire",
         .arguments = {"serve", "--data_dir", fleet->data_dir(), "--shards", "2"},
         .listens = {{"--provider_listen", "provider_address"},
                     {"--device_listen", "device_address"}}});
  } else {
    if (absl::Status s = fleet->MakeDaemonDirectories(); !s.ok()) return s;
    fleet->members_.push_back({.name = "registry",
                               .program = "registry/bellwire-registry",
                               .arguments = {"--data_dir", fleet->data_dir()},
                               .listens = {{"--listen", "internal_address"}}});
    for (const int i : {0, 1}) {
      fleet->members_.push_back(
          {.name = absl::StrCat("connector-", i),
           .program = "connector/bellwire-connector",
           .arguments = {"--data_dir", fleet->path(absl::StrCat("daemons/connector-", i + 1))},
           .listens = {{"--listen", "device_address"}, {"--internal_listen", "internal_address"}}});
    }
    for (const int i : {0, 1}) {
      fleet->members_.push_back(
          {.name = absl::StrCat("gateway-", i),
           .program = "gateway/bellwire-gateway",
           .arguments = {"--data_dir", fleet->path(absl::StrCat("daemons/gateway-", i + 1))},
           .listens = {{"--listen", "provider_address"}}});
      std::vector<std::string>& arguments = fleet->members_.back().arguments;
      arguments.insert(arguments.end(), options.more_gateway_arguments.begin(),
                       options.more_gateway_arguments.end());
    }
  }
  fleet->members_[0].arguments.insert(fleet->members_[0].arguments.end(),
                                      options.more_registry_arguments.begin(),
                                      options.more_registry_arguments.end());
  for (Member& member : fleet->members_) {
    const bool has_device_port =
        std::any_of(member.listens.begin(), member.listens.end(),
                    [](const auto& listen) { return listen.second == "device_address"; });
    if (!has_device_port) continue;
    member.arguments.insert(member.arguments.end(), options.more_connector_arguments.begin(),
                            options.more_connector_arguments.end());
  }
  if (absl::Status status = fleet->StartAll(); !status.ok()) return status;
  return fleet;
}

absl::Status Fleet::MakeDaemonDirectories() {
  if (absl::Status s = Init({"init", "--fleet", "--from", data_dir(), "--data_dir", path("daemons"),
                             "--gateways", "2", "--connectors", "2"});
      !s.ok()) {
    return s;
  }
  // The registry's is the directory that has the store: tests know it as the server's.
  std::error_code error;
  std::filesystem::remove_all(data_dir() + "/internal", error);
  if (!error) {
    std::filesystem::copy(path("daemons/registry/internal"), data_dir() + "/internal",
                          std::filesystem::copy_options::recursive, error);
  }
  return error ? absl::InternalError(error.message()) : absl::OkStatus();
}

absl::Status Fleet::StartAll() {
  for (Member& member : members_) {
    if (member.process != nullptr && member.process->running()) continue;
    if (absl::Status status = StartMember(&member); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Fleet::StartMember(Member* member) {
  const std::string ready_file = dir_.path(member->name + ".ready");
  unlink(ready_file.c_str());
  std::vector<std::string> arguments = member->arguments;
  // So that who is not root sees the sockets of a process too.
  arguments.insert(arguments.end(), {"--ready_file", ready_file, "--core_dumps"});
  for (const auto& [flag, key] : member->listens) {
    const std::string& before = member->addresses[key];
    const std::string host = key == "device_address" ? device_host_ : "127.0.0.1";
    arguments.insert(arguments.end(), {flag, before.empty() ? absl::StrCat(host, ":0") : before});
  }
  if (deployment_ == Deployment::kSeparate && member != &members_[0]) {
    arguments.insert(arguments.end(),
                     {"--registry_address", members_[0].addresses["internal_address"]});
  }
  std::string program = member->program;
  if (max_descriptors_ > 0) {
    arguments.insert(arguments.begin(),
                     {"-c", absl::StrCat("ulimit -n ", max_descriptors_, "; exec \"$0\" \"$@\""),
                      std::filesystem::absolute(program).string()});
    program = "/bin/sh";
  }
  auto process = Process::Start(member->name, program, arguments);
  if (!process.ok()) return process.status();
  auto addresses = (*process)->WaitReady(ready_file);
  if (!addresses.ok()) return addresses.status();
  member->addresses = *addresses;
  member->process = std::move(*process);
  return absl::OkStatus();
}

void Fleet::UseRegistry(const std::string& program, std::vector<std::string> more_arguments) {
  Member& registry = members_[0];
  registry.program = program;
  registry.arguments = {"--data_dir", data_dir()};
  registry.arguments.insert(registry.arguments.end(), more_arguments.begin(), more_arguments.end());
}

void Fleet::KillAll() {
  for (Member& member : members_) member.process->Kill();
}

std::string Fleet::provider_address(int i) const {
  const Member& member = members_[deployment_ == Deployment::kEmbedded ? 0 : 3 + i];
  return member.addresses.at("provider_address");
}

std::string Fleet::device_address(int i) const {
  const Member& member = members_[deployment_ == Deployment::kEmbedded ? 0 : 1 + i];
  return member.addresses.at("device_address");
}

std::vector<std::string> Fleet::internal_addresses() const {
  std::vector<std::string> addresses;
  for (const Member& member : members_) {
    const auto found = member.addresses.find("internal_address");
    if (found != member.addresses.end()) addresses.push_back(found->second);
  }
  return addresses;
}

std::shared_ptr<grpc::Channel> Fleet::Channel(int i) const {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = ReadFile(ca_file());
  grpc::ChannelArguments arguments;
  // A test restarts servers all the time: try again soon.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
  return grpc::CreateCustomChannel(provider_address(i), grpc::SslCredentials(options), arguments);
}

std::unique_ptr<admin::v1::AdminService::Stub> Fleet::Admin() const {
  return admin::v1::AdminService::NewStub(Channel());
}

void Fleet::Authorize(grpc::ClientContext* context) const {
  const std::string token = ReadFile(data_dir() + "/admin.token");
  context->AddMetadata("authorization", absl::StrCat("Bearer ", absl::StripAsciiWhitespace(token)));
}

absl::StatusOr<Provider> Provider::Create(const Fleet& fleet,
                                          const std::vector<std::string>& app_ids) {
  Provider provider;
  provider.fleet_ = &fleet;
  const auto admin = fleet.Admin();
  {
    grpc::ClientContext context;
    SetDeadline(&context);
    fleet.Authorize(&context);
    admin::v1::CreateTeamRequest request;
    request.set_name("Example");
    admin::v1::Team team;
    const grpc::Status status = admin->CreateTeam(&context, request, &team);
    if (!status.ok()) return FromGrpcStatus(status);
    provider.team_id_ = team.team_id();
  }
  for (const std::string& app_id : app_ids) {
    grpc::ClientContext context;
    SetDeadline(&context);
    fleet.Authorize(&context);
    admin::v1::CreateAppRequest request;
    request.set_team_id(provider.team_id_);
    request.set_app_id(app_id);
    admin::v1::App app;
    const grpc::Status status = admin->CreateApp(&context, request, &app);
    if (!status.ok()) return FromGrpcStatus(status);
  }
  grpc::ClientContext context;
  SetDeadline(&context);
  fleet.Authorize(&context);
  admin::v1::CreateKeyRequest request;
  request.set_team_id(provider.team_id_);
  admin::v1::CreateKeyResponse key;
  const grpc::Status status = admin->CreateKey(&context, request, &key);
  if (!status.ok()) return FromGrpcStatus(status);
  provider.key_id_ = key.key().key_id();
  provider.private_key_pem_ = key.private_key_pem();
  if (const absl::Status signed_in = provider.RenewCredential(); !signed_in.ok()) return signed_in;
  provider.channels_ = {fleet.Channel(0), fleet.Channel(1)};
  return provider;
}

absl::Status Provider::RenewCredential() {
  const absl::StatusOr<std::string> jwt = cli::SignProviderJwt(
      {.team_id = team_id_, .key_id = key_id_, .private_key_pem = private_key_pem_},
      RealClock()->WallNow());
  if (jwt.ok()) jwt_ = *jwt;
  return jwt.status();
}

absl::StatusOr<push::v1::SendBatchResponse> Provider::SendBatch(
    const push::v1::SendBatchRequest& request, int i) const {
  grpc::ClientContext context;
  SetDeadline(&context);
  Authorize(&context);
  push::v1::SendBatchResponse response;
  const grpc::Status status =
      push::v1::PushService::NewStub(channels_[i])->SendBatch(&context, request, &response);
  if (!status.ok()) return FromGrpcStatus(status);
  return response;
}

void Provider::Authorize(grpc::ClientContext* context) const {
  context->AddMetadata("authorization", authorization());
}

std::string Provider::authorization() const { return absl::StrCat("Bearer ", jwt_); }

absl::StatusOr<push::v1::SendResponse> Provider::SendOnce(const push::v1::SendRequest& request,
                                                          int i, bool wait_for_ready) const {
  grpc::ClientContext context;
  SetDeadline(&context);
  context.set_wait_for_ready(wait_for_ready);
  Authorize(&context);
  push::v1::SendResponse response;
  const grpc::Status status =
      push::v1::PushService::NewStub(channels_[i])->Send(&context, request, &response);
  if (!status.ok()) return FromGrpcStatus(status);
  return response;
}

absl::Status Provider::SendReliably(const std::string& token, const std::string& payload) const {
  push::v1::SendRequest request;
  request.set_token(token);
  request.set_payload(payload);
  request.set_priority(push::v1::PRIORITY_HIGH);
  request.set_message_id(FormatUuid(NewMessageId()));
  absl::Status last;
  int attempt = 0;
  WaitUntil([&] {
    // As docs/guide/send.md says. Where there are two gateways, the other one is there meanwhile.
    last = SendOnce(request, attempt++ % 2,
                    /*wait_for_ready=*/fleet_->deployment() == Deployment::kEmbedded)
               .status();
    return last.ok() || !(absl::IsUnavailable(last) || absl::IsResourceExhausted(last) ||
                          absl::IsDeadlineExceeded(last));
  });
  return last;
}

absl::StatusOr<push::v1::GetMessageResponse> Provider::GetMessage(
    const std::string& token, const std::string& message_id) const {
  grpc::ClientContext context;
  SetDeadline(&context);
  Authorize(&context);
  push::v1::GetMessageRequest request;
  request.set_token(token);
  request.set_message_id(message_id);
  push::v1::GetMessageResponse response;
  const grpc::Status status =
      push::v1::PushService::NewStub(channels_[0])->GetMessage(&context, request, &response);
  if (!status.ok()) return FromGrpcStatus(status);
  return response;
}

absl::StatusOr<push::v1::RecallResponse> Provider::Recall(const std::string& token,
                                                          const std::string& message_id) const {
  grpc::ClientContext context;
  SetDeadline(&context);
  Authorize(&context);
  push::v1::RecallRequest request;
  request.set_token(token);
  request.set_message_id(message_id);
  push::v1::RecallResponse response;
  const grpc::Status status =
      push::v1::PushService::NewStub(channels_[0])->Recall(&context, request, &response);
  if (!status.ok()) return FromGrpcStatus(status);
  return response;
}

Phone::Phone(const Fleet& fleet, const std::string& name, std::vector<int> connectors)
    : fleet_(fleet), name_(name), connectors_(std::move(connectors)) {}

absl::Status Phone::Start() {
  const std::string ready_file = fleet_.path(name_ + ".ready");
  unlink(ready_file.c_str());
  std::vector<std::string> arguments = {
      "--ca",     fleet_.ca_file(), "--state_dir",  fleet_.path(name_),
      "--socket", socket_path(),    "--ready_file", ready_file,
      "--core_dumps"};
  for (const int connector : connectors_) {
    arguments.insert(arguments.end(), {"--server", fleet_.device_address(connector)});
  }
  arguments.insert(arguments.end(), more_arguments_.begin(), more_arguments_.end());
  std::string program = "device-agent/bellwire-agent";
  if (!launcher_.empty()) {
    arguments.insert(arguments.begin(), std::filesystem::absolute(program).string());
    arguments.insert(arguments.begin(), launcher_.begin() + 1, launcher_.end());
    program = launcher_.front();
  }
  auto agent = Process::Start(name_, program, arguments);
  if (!agent.ok()) return agent.status();
  if (auto ready = (*agent)->WaitReady(ready_file); !ready.ok()) return ready.status();
  agent_ = std::move(*agent);
  return absl::OkStatus();
}

std::string Phone::socket_path() const { return fleet_.path(name_ + ".sock"); }

}  // namespace bellwire::tests
