// Whatever a provider sends as a condition: a refusal that says where, or a condition that agrees
// with a second, slower reading of it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/error.h"
#include "common/limits.h"
#include "gateway/topics/condition.h"
#include "gateway/topics/topic_name.h"

namespace {

using bellwire::gateway::Condition;

void Require(bool holds) {
  if (!holds) std::abort();
}

// Evaluates a condition that is known to be well-formed, for one set of topics.
class Evaluation {
 public:
  Evaluation(absl::string_view text, const Condition& condition, uint32_t set)
      : text_(text), condition_(condition), set_(set) {}

  bool Run() {
    bool holds = Factor();
    while (true) {
      const char c = Next();
      if (c != '&' && c != '|') return holds;
      at_ += 2;
      const bool other = Factor();
      holds = c == '&' ? holds && other : holds || other;
    }
  }

 private:
  char Next() {
    while (at_ < text_.size() &&
           absl::string_view(" \t\n\v\f\r").find(text_[at_]) != absl::string_view::npos) {
      ++at_;
    }
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool Factor() {
    const char c = Next();
    ++at_;
    if (c == '!') return !Factor();
    if (c == '(') {
      const bool holds = Run();
      Next();
      ++at_;
      return holds;
    }
    const size_t end = text_.find('\'', at_);
    const absl::string_view name = text_.substr(at_, end - at_);
    at_ = text_.find("topics", end) + 6;
    for (size_t i = 0; i < condition_.topics().size(); ++i) {
      if (condition_.topics()[i] == name) return ((set_ >> i) & 1) != 0;
    }
    std::abort();
  }

  const absl::string_view text_;
  const Condition& condition_;
  const uint32_t set_;
  size_t at_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto condition = Condition::Parse(text);
  if (!condition.ok()) {
    Require(condition.status().code() == absl::StatusCode::kInvalidArgument);
    Require(bellwire::ErrorReason(condition.status()) == "BAD_CONDITION");
    Require(bellwire::ErrorField(condition.status()) == "condition");
    return 0;
  }
  const size_t topics = condition->topics().size();
  Require(topics >= 1 && topics <= bellwire::kMaxConditionTopics);
  for (const std::string& topic : condition->topics()) {
    Require(bellwire::gateway::CheckTopicName(topic).ok());
  }
  Require(!condition->HoldsFor(0));
  for (uint32_t set = 0; set < (1u << topics); ++set) {
    Require(condition->HoldsFor(set) == Evaluation(text, *condition, set).Run());
  }
  return 0;
}
