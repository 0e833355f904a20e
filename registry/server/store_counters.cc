#include "registry/server/store_counters.h"

#include <string>
#include <utility>

#include "absl/strings/ascii.h"

namespace bellwire::registry {

void StoreCounters::Stage(absl::Span<const DeviceTransaction::StepTaken> steps) {
  staged_.insert(staged_.end(), steps.begin(), steps.end());
}

void StoreCounters::OnRead(const absl::Status& status) {
  if (!status.ok() && !absl::IsUnavailable(status)) return;
  if (ok_.exchange(status.ok()) == status.ok()) return;
  absl::MutexLock lock(&mutex_);
  if (on_change_) on_change_(status.ok());
}

void StoreCounters::SetOnChange(std::function<void(bool ok)> on_change) {
  absl::MutexLock lock(&mutex_);
  on_change_ = std::move(on_change);
}

void StoreCounters::OnCommit(const absl::Status& status, absl::Duration took) {
  OnRead(status);
  (status.ok() ? commits_ : failed_commits_).Add();
  if (status.ok()) {
    commit_time_.Observe(took);
    for (const DeviceTransaction::StepTaken& taken : staged_) {
      if (push::v1::Step_IsValid(taken.step)) steps_[static_cast<size_t>(taken.step)].Add();
      if (taken.step == push::v1::AGENT_ACKED) to_agent_.Observe(taken.after);
      if (taken.step == push::v1::APP_ACKED) to_app_.Observe(taken.after);
    }
  }
  staged_.clear();
}

void StoreCounters::Report(metrics::Samples* samples) const {
  samples->Add(metrics::kStoreOk, ok() ? 1 : 0);
  samples->Add(metrics::kCommits, {"ok"}, commits_);
  samples->Add(metrics::kCommits, {"failed"}, failed_commits_);
  samples->Add(metrics::kCommitSeconds, commit_time_);
  for (size_t step = 1; step < kSteps; ++step) {
    samples->Add(metrics::kSteps,
                 {absl::AsciiStrToLower(push::v1::Step_Name(static_cast<push::v1::Step>(step)))},
                 steps_[step]);
  }
  samples->Add(metrics::kMailboxMessages, mailbox_);
  samples->Add(metrics::kToAgentSeconds, to_agent_);
  samples->Add(metrics::kToAppSeconds, to_app_);
}

}  // namespace bellwire::registry
