#ifndef BELLWIRE_GATEWAY_TOPICS_CONDITION_H_
#define BELLWIRE_GATEWAY_TOPICS_CONDITION_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bellwire::gateway {

// Who gets a topic message: those who are subscribed to a topic, or whose topics fulfil a condition
// as FCM has them:
//
//   condition = factor { ("&&" | "||") factor }
//   factor    = "!" factor | "(" condition ")" | "'" TOPIC "'" "in" "topics"
//
// As FCM documents it, parentheses come first and the rest goes from left to right: "&&" and "||"
// bind alike, so 'a' in topics || 'b' in topics && 'c' in topics wants c in any case.
//
// A value; its topics are numbered in the order in which they are first named.
class Condition {
 public:
  // Longer and deeper than any that five topics need.
  static constexpr size_t kMaxChars = 8192;
  static constexpr size_t kMaxDepth = 16;

  // INVALID_ARGUMENT BAD_CONDITION, with the field "condition": says what is wrong and at which
  // character. Also: more than kMaxConditionTopics topics; a condition that holds for those who are
  // subscribed to none of its topics, for nothing lists them.
  static absl::StatusOr<Condition> Parse(absl::string_view text);
  // Subscribed to this one. REQUIRES: its name is good.
  static Condition OfTopic(absl::string_view topic);

  // 1 to kMaxConditionTopics, each once.
  const std::vector<std::string>& topics() const { return topics_; }
  // Bit i of `subscribed`: to topics()[i]. Bits beyond are ignored.
  bool HoldsFor(uint32_t subscribed) const {
    return ((holds_ >> (subscribed & kAllTopics)) & 1) != 0;
  }

 private:
  friend class ConditionParser;
  static constexpr uint32_t kAllTopics = 31;

  Condition(std::vector<std::string> topics, uint32_t holds)
      : topics_(std::move(topics)), holds_(holds) {}

  std::vector<std::string> topics_;
  // The truth table: bit s says what HoldsFor(s) answers.
  uint32_t holds_;
};

}  // namespace bellwire::gateway

#endif  // BELLWIRE_GATEWAY_TOPICS_CONDITION_H_
