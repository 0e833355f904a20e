#include "gateway/topics/condition.h"

#include <algorithm>
#include <array>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "common/status_macros.h"
#include "rpc/topic_name.h"

namespace bellwire::gateway {
namespace {

// The truth tables of "subscribed to topic i": bit s is set where bit i of s is.
constexpr std::array<uint32_t, kMaxConditionTopics> kSubscribedTo = {
    0xaaaaaaaa, 0xcccccccc, 0xf0f0f0f0, 0xff00ff00, 0xffff0000};

absl::Status Bad(absl::string_view message) {
  return WithField(MakeError(absl::StatusCode::kInvalidArgument, "BAD_CONDITION", message),
                   "condition");
}

}  // namespace

// Reads from left to right. Each piece of the condition is its truth table.
class ConditionParser {
 public:
  explicit ConditionParser(absl::string_view text) : text_(text) {}

  absl::StatusOr<Condition> Parse() {
    BELLWIRE_ASSIGN_OR_RETURN(const uint32_t holds, ReadCondition(/*depth=*/0));
    if (at_ < text_.size()) return Expected("\"&&\", \"||\" or the end");
    if ((holds & 1) != 0) {
      return Bad(
          "The condition holds for apps that are subscribed to none of its topics, of which "
          "there is no list. Add a topic that they must be subscribed to, with \"&&\".");
    }
    return Condition(std::move(topics_), holds);
  }

 private:
  absl::StatusOr<uint32_t> ReadCondition(size_t depth) {
    BELLWIRE_ASSIGN_OR_RETURN(uint32_t holds, ReadFactor(depth));
    while (true) {
      if (Take("&&")) {
        BELLWIRE_ASSIGN_OR_RETURN(const uint32_t other, ReadFactor(depth));
        holds &= other;
      } else if (Take("||")) {
        BELLWIRE_ASSIGN_OR_RETURN(const uint32_t other, ReadFactor(depth));
        holds |= other;
      } else {
        return holds;
      }
    }
  }

  absl::StatusOr<uint32_t> ReadFactor(size_t depth) {
    bool negated = false;
    while (Take("!")) negated = !negated;
    uint32_t holds = 0;
    if (Take("(")) {
      if (depth == Condition::kMaxDepth) {
        return Bad(absl::StrCat("At character ", at_, " of the condition: more than ",
                                Condition::kMaxDepth, " parentheses within each other."));
      }
      BELLWIRE_ASSIGN_OR_RETURN(holds, ReadCondition(depth + 1));
      if (!Take(")")) return Expected("\"&&\", \"||\" or \")\"");
    } else {
      BELLWIRE_ASSIGN_OR_RETURN(holds, ReadTopic());
    }
    return negated ? ~holds : holds;
  }

  absl::StatusOr<uint32_t> ReadTopic() {
    if (!Take("'")) return Expected("'TOPIC' in topics, \"!\" or \"(\"");
    const size_t begin = at_;
    while (at_ < text_.size() && IsTopicNameChar(text_[at_])) ++at_;
    const absl::string_view name = text_.substr(begin, at_ - begin);
    if (at_ == text_.size() || text_[at_] != '\'') {
      return Expected("a character of a topic, [a-zA-Z0-9-_.~%], or \"'\"");
    }
    if (name.empty() || name.size() > kMaxTopicNameChars) {
      return Bad(absl::StrCat("At character ", begin + 1,
                              " of the condition: the name of a topic has ", name.size(),
                              " characters; it must have 1 to ", kMaxTopicNameChars, "."));
    }
    ++at_;
    SkipSpace();
    if (!TakeWord("in")) return Expected("\"in topics\"");
    if (!TakeWord("topics")) return Expected("\"topics\"");

    const auto known = std::find(topics_.begin(), topics_.end(), name);
    const size_t number = known - topics_.begin();
    if (known == topics_.end()) {
      if (topics_.size() == kMaxConditionTopics) {
        return Bad(absl::StrCat("At character ", begin + 1, " of the condition: its topic number ",
                                kMaxConditionTopics + 1, "; at most ", kMaxConditionTopics,
                                " are allowed."));
      }
      topics_.emplace_back(name);
    }
    return kSubscribedTo[number];
  }

  void SkipSpace() {
    while (at_ < text_.size() && absl::ascii_isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }

  // A sign and the white space around it.
  bool Take(absl::string_view sign) {
    SkipSpace();
    if (!absl::StartsWith(text_.substr(at_), sign)) return false;
    at_ += sign.size();
    // What follows a quote is part of the name.
    if (sign != "'") SkipSpace();
    return true;
  }
  // A word that ends here, and the white space behind it.
  bool TakeWord(absl::string_view word) {
    const absl::string_view rest = text_.substr(at_);
    if (!absl::StartsWith(rest, word)) return false;
    if (rest.size() > word.size() && IsTopicNameChar(rest[word.size()])) return false;
    at_ += word.size();
    SkipSpace();
    return true;
  }

  absl::Status Expected(absl::string_view what) const {
    if (at_ >= text_.size()) {
      return Bad(absl::StrCat("The condition ends where ", what, " is expected."));
    }
    return Bad(absl::StrCat("At character ", at_ + 1, " of the condition: expected ", what, "."));
  }

  const absl::string_view text_;
  size_t at_ = 0;
  std::vector<std::string> topics_;
};

absl::StatusOr<Condition> Condition::Parse(absl::string_view text) {
  if (text.size() > kMaxChars) {
    return Bad(absl::StrCat("The condition has ", text.size(), " characters; at most ", kMaxChars,
                            " are allowed."));
  }
  return ConditionParser(text).Parse();
}

Condition Condition::OfTopic(absl::string_view topic) {
  return Condition({std::string(topic)}, kSubscribedTo[0]);
}

}  // namespace bellwire::gateway
