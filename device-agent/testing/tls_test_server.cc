#include "device-agent/testing/tls_test_server.h"

#include <utility>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/clock.h"
#include "crypto/certificates.h"
#include "net/tls/tls_context.h"

namespace bellwire::agent {

TlsTestServer::TlsTestServer() : loop_(RealClock()) {
  const absl::Time now = RealClock()->WallNow();
  const Validity validity{now - absl::Hours(1), now + absl::Hours(1)};
  const KeyAndCertificate ca = *MakeCertificateAuthority("test CA", validity);
  LeafRequest request;
  request.common_name = "test server";
  request.ip_addresses = {"127.0.0.1"};
  request.server = true;
  request.validity = validity;
  const KeyAndCertificate leaf = *IssueCertificate(ca, request);
  ca_pem_ = ca.certificate_pem;

  auto context = *net::TlsServerContext::Create({.certificate_pem = leaf.certificate_pem,
                                                 .private_key_pem = leaf.key_pem,
                                                 .clock = RealClock()});
  connector_ = std::make_unique<FakeConnector>(&loop_);
  listener_ = *net::TlsServer::Listen(
      &loop_, context, "127.0.0.1:0",
      [this](std::unique_ptr<net::Stream> stream) { connector_->Accept(std::move(stream)); });
  address_ = listener_->address();
  thread_ = std::thread([this] { loop_.Run(); });
}

TlsTestServer::~TlsTestServer() {
  Do([this](FakeConnector* connector) {
    listener_.reset();
    connector->Drop();
  });
  loop_.Stop();
  thread_.join();
}

void TlsTestServer::Do(absl::FunctionRef<void(FakeConnector*)> task) {
  absl::Notification done;
  const bool posted = loop_.Post([&] {
    task(connector_.get());
    done.Notify();
  });
  if (posted) done.WaitForNotification();
}

bool TlsTestServer::WaitUntil(absl::FunctionRef<bool(FakeConnector*)> condition) {
  const absl::Time deadline = RealClock()->WallNow() + absl::Minutes(1);
  bool holds = false;
  while (!holds && RealClock()->WallNow() < deadline) {
    Do([&](FakeConnector* connector) { holds = condition(connector); });
    if (!holds) absl::SleepFor(absl::Milliseconds(2));
  }
  return holds;
}

}  // namespace bellwire::agent
