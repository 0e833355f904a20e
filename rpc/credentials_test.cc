#include "rpc/credentials.h"

#include <sys/stat.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "crypto/file_util.h"
#include "crypto/provider_key.h"
#include "gmock/gmock.h"
#include "grpc/support/time.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/server.h"
#include "gtest/gtest.h"
#include "rpc/test_pki.h"

namespace bellwire {
namespace {

using ::testing::HasSubstr;

class CredentialsTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return pki_.dir() + "/" + name; }
  void Overwrite(const std::string& name, absl::string_view contents) {
    EXPECT_TRUE(ReplaceFileAtomically(Path(name), contents, FileAccess::kPrivate).ok());
  }
  absl::Status ServerTls() const {
    return ServerTlsCredentials(Path("server.pem"), Path("server.key")).status();
  }

  TestPki pki_;
};

TEST_F(CredentialsTest, ADataDirectoryServesAllFour) {
  EXPECT_TRUE(ServerTls().ok()) << ServerTls();
  EXPECT_TRUE(ClientTlsCredentials(Path("ca.pem")).ok());
  EXPECT_TRUE(InternalServerCredentials(pki_.internal_dir()).ok());
  EXPECT_TRUE(InternalChannelCredentials(pki_.internal_dir()).ok());
}

TEST_F(CredentialsTest, AMissingFileIsNamed) {
  for (const absl::Status& status :
       {ServerTlsCredentials(Path("none.pem"), Path("server.key")).status(),
        ServerTlsCredentials(Path("server.pem"), Path("none.pem")).status(),
        ClientTlsCredentials(Path("none.pem")).status()}) {
    EXPECT_EQ(ErrorReason(status), "FILE_NOT_FOUND");
    EXPECT_THAT(std::string(status.message()), HasSubstr(Path("none.pem")));
  }
  EXPECT_EQ(ErrorReason(InternalServerCredentials(Path("none")).status()), "FILE_NOT_FOUND");
  EXPECT_EQ(ErrorReason(InternalChannelCredentials(Path("none")).status()), "FILE_NOT_FOUND");
}

TEST_F(CredentialsTest, AKeyThatOthersCanReadIsRefused) {
  ASSERT_EQ(chmod(Path("server.key").c_str(), 0644), 0);
  EXPECT_EQ(ErrorReason(ServerTls()), "FILE_NOT_PRIVATE");
  ASSERT_EQ(chmod(Path("internal/node.key").c_str(), 0640), 0);
  EXPECT_EQ(ErrorReason(InternalServerCredentials(pki_.internal_dir()).status()),
            "FILE_NOT_PRIVATE");
  EXPECT_EQ(ErrorReason(InternalChannelCredentials(pki_.internal_dir()).status()),
            "FILE_NOT_PRIVATE");
}

TEST_F(CredentialsTest, FilesOfTheWrongKindAreRefused) {
  Overwrite("server.key", GenerateProviderKeyPair().value().private_key_pem);
  EXPECT_EQ(ErrorReason(ServerTls()), "KEY_MISMATCH");
  EXPECT_THAT(std::string(ServerTls().message()), HasSubstr(Path("server.key")));
  Overwrite("server.key", "hello");
  EXPECT_EQ(ErrorReason(ServerTls()), "BAD_PRIVATE_KEY");
  Overwrite("server.pem", "hello");
  EXPECT_EQ(ErrorReason(ServerTls()), "BAD_CERTIFICATE");
  Overwrite("internal/ca.pem", "hello");
  EXPECT_EQ(ErrorReason(InternalServerCredentials(pki_.internal_dir()).status()),
            "BAD_CERTIFICATE");
}

// A connection to `port` that trusts this CA only; null if there is none within a few seconds.
std::shared_ptr<grpc::Channel> Connect(int port, const std::string& ca_path) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  auto channel = grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port),
                                           *ClientTlsCredentials(ca_path), arguments);
  grpc_connectivity_state state = channel->GetState(/*try_to_connect=*/true);
  while (state != GRPC_CHANNEL_READY && state != GRPC_CHANNEL_TRANSIENT_FAILURE) {
    if (!channel->WaitForStateChange(
            state,
            gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(60, GPR_TIMESPAN)))) {
      return nullptr;
    }
    state = channel->GetState(true);
  }
  return state == GRPC_CHANNEL_READY ? channel : nullptr;
}

TEST_F(CredentialsTest, AServerTakesUpAnotherCertificateAndKeepsItsConnections) {
  const auto tls = ReloadableServerTls::Read(Path("server.pem"), Path("server.key"));
  ASSERT_TRUE(tls.ok()) << tls.status();
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", (*tls)->credentials(), &port);
  // A server without services: somebody has to wait for calls, or it does nothing.
  const std::unique_ptr<grpc::ServerCompletionQueue> queue = builder.AddCompletionQueue();
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  ASSERT_NE(server, nullptr);
  std::thread waiting([&queue] {
    void* tag = nullptr;
    bool ok = false;
    while (queue->Next(&tag, &ok)) {
    }
  });
  const TestPki other;
  const std::string other_ca = other.dir() + "/ca.pem";
  const auto old_connection = Connect(port, Path("ca.pem"));
  ASSERT_NE(old_connection, nullptr);
  EXPECT_EQ(Connect(port, other_ca), nullptr);

  // Half of a pair: nothing changes.
  Overwrite("server.pem", *ReadWholeFile(other.dir() + "/server.pem"));
  EXPECT_EQ(ErrorReason((*tls)->Reload()), "KEY_MISMATCH");
  EXPECT_NE(Connect(port, Path("ca.pem")), nullptr);

  Overwrite("server.key", *ReadPrivateFile(other.dir() + "/server.key"));
  ASSERT_TRUE((*tls)->Reload().ok());
  EXPECT_NE(Connect(port, other_ca), nullptr);
  EXPECT_EQ(Connect(port, Path("ca.pem")), nullptr);
  EXPECT_EQ(old_connection->GetState(false), GRPC_CHANNEL_READY);
  server->Shutdown(gpr_time_0(GPR_TIMESPAN));
  queue->Shutdown();
  waiting.join();
}

}  // namespace
}  // namespace bellwire
