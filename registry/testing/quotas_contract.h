#ifndef BELLWIRE_REGISTRY_TESTING_QUOTAS_CONTRACT_H_
#define BELLWIRE_REGISTRY_TESTING_QUOTAS_CONTRACT_H_

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "common/error.h"
#include "registry/quotas/limits.h"
#include "registry/testing/topics_contract.h"

namespace bellwire::registry {

// What every Store promises of quotas (quotas_contract.cc). To be instantiated as StoreContractTest
// is.
class QuotasContractTest : public TopicsContractTest {
 protected:
  using Quota = admin::v1::Quota;
  using QuotaReport = admin::v1::QuotaReport;
  using QuotaSubject = admin::v1::QuotaSubject;
  using SetQuotaRequest = admin::v1::SetQuotaRequest;

  // Sets what `set` sets.
  template <typename Set>
  QuotaReport SetQuota(QuotaSubject::Kind kind, const std::string& id, Set set) {
    SetQuotaRequest request;
    request.mutable_subject()->set_kind(kind);
    request.mutable_subject()->set_id(id);
    set(*request.mutable_set());
    EXPECT_TRUE(CheckSetQuota(request).ok());
    const absl::StatusOr<QuotaReport> report = store().SetQuota(request);
    EXPECT_TRUE(report.ok()) << report.status();
    Commit();
    return report.value_or(QuotaReport());
  }
  QuotaReport ReportOf(const std::string& team_id, QuotaSubject::Kind kind,
                       const std::string& id) {
    const auto quotas = store().GetQuota(team_id);
    EXPECT_TRUE(quotas.ok()) << quotas.status();
    Commit();
    if (!quotas.ok()) return QuotaReport();
    for (const QuotaReport& report : quotas->quotas()) {
      if (report.subject().kind() == kind && report.subject().id() == id) return report;
    }
    ADD_FAILURE() << "no quota of " << id;
    return QuotaReport();
  }
  // All of one size.
  Envelope Message(uint32_t id, absl::Duration ttl = absl::Hours(1)) {
    Envelope message = StoreContractTest::Message(id, ttl);
    message.set_payload("payload");
    return message;
  }
  std::string WhyNot(const TokenRef& token, uint32_t id) {
    return ErrorReason(store().Append(token, Message(id), {}).status());
  }
  int64_t Waiting() {
    return ReportOf(kTeam, QuotaSubject::TEAM, kTeam).usage().bytes_waiting();
  }
  int64_t Today() {
    return ReportOf(kTeam, QuotaSubject::TEAM, kTeam).usage().messages_today();
  }
  // How many of `count` messages are taken now, from number `first` on.
  int Taken(const TokenRef& token, uint32_t first, int count) {
    int taken = 0;
    for (int i = 0; i < count; ++i) {
      const std::string why = WhyNot(token, first + static_cast<uint32_t>(i));
      EXPECT_TRUE(why.empty() || why == "QUOTA_EXCEEDED") << why;
      taken += why.empty();
    }
    return taken;
  }
};

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_TESTING_QUOTAS_CONTRACT_H_
