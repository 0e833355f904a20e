#include "connector/doors/bellwire/connection_state.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>

#include "gtest/gtest.h"

namespace bellwire::connector {
namespace {

using S = ConnectionState;

TEST(ConnectionStateTest, MovesForwardOnlyAndAlwaysMayClose) {
  for (const S from : kAllConnectionStates) {
    EXPECT_EQ(CanMove(from, S::kClosed), from != S::kClosed) << Name(from);
    for (const S to : kAllConnectionStates) {
      if (to <= from) {
        EXPECT_FALSE(CanMove(from, to)) << Name(from) << " to " << Name(to);
      }
    }
  }
  EXPECT_TRUE(CanMove(S::kHandshaking, S::kAwaitingLogin));
  EXPECT_TRUE(CanMove(S::kAwaitingLogin, S::kBinding));
  EXPECT_TRUE(CanMove(S::kBinding, S::kActive));
  EXPECT_TRUE(CanMove(S::kActive, S::kDraining));
  // Nobody becomes active who has not been bound, nor is bound who has not logged in.
  EXPECT_FALSE(CanMove(S::kHandshaking, S::kBinding));
  EXPECT_FALSE(CanMove(S::kHandshaking, S::kActive));
  EXPECT_FALSE(CanMove(S::kAwaitingLogin, S::kActive));
}

TEST(ConnectionStateTest, BeforeLoginNothingButLoginIsHandled) {
  for (const FrameKind kind : kAllFrameKinds) {
    EXPECT_EQ(RuleFor(S::kHandshaking, kind), FrameRule::kViolation) << Name(kind);
    EXPECT_EQ(RuleFor(S::kAwaitingLogin, kind),
              kind == FrameKind::kLogin ? FrameRule::kHandle : FrameRule::kViolation)
        << Name(kind);
    EXPECT_EQ(RuleFor(S::kBinding, kind), FrameRule::kViolation) << Name(kind);
    EXPECT_EQ(RuleFor(S::kClosed, kind), FrameRule::kIgnore) << Name(kind);
  }
}

TEST(ConnectionStateTest, AfterLoginAllButLoginIsHandledAndTheUnknownSkipped) {
  for (const S state : {S::kActive, S::kDraining}) {
    for (const FrameKind kind : kAllFrameKinds) {
      const FrameRule expected = kind == FrameKind::kLogin     ? FrameRule::kViolation
                                 : kind == FrameKind::kUnknown ? FrameRule::kIgnore
                                                               : FrameRule::kHandle;
      EXPECT_EQ(RuleFor(state, kind), expected) << Name(state) << " " << Name(kind);
    }
  }
}

TEST(ConnectionStateTest, KnowsEachFrame) {
  device::v1::AgentFrame frame;
  EXPECT_EQ(KindOf(frame), FrameKind::kUnknown);
  frame.mutable_login();
  EXPECT_EQ(KindOf(frame), FrameKind::kLogin);
  frame.mutable_ack();
  EXPECT_EQ(KindOf(frame), FrameKind::kAck);
  frame.mutable_app_ack();
  EXPECT_EQ(KindOf(frame), FrameKind::kAppAck);
  frame.mutable_register_app();
  EXPECT_EQ(KindOf(frame), FrameKind::kRegisterApp);
  frame.mutable_remove_app();
  EXPECT_EQ(KindOf(frame), FrameKind::kRemoveApp);
  frame.mutable_activity_change();
  EXPECT_EQ(KindOf(frame), FrameKind::kActivityChange);
}

TEST(ConnectionStateTest, NamesDiffer) {
  std::set<std::string> names;
  for (const S state : kAllConnectionStates) names.insert(std::string(Name(state)));
  EXPECT_EQ(names.size(), std::size(kAllConnectionStates));
  names.clear();
  for (const FrameKind kind : kAllFrameKinds) names.insert(std::string(Name(kind)));
  EXPECT_EQ(names.size(), std::size(kAllFrameKinds));
  names.clear();
  for (size_t reason = 0; reason < kCloseReasons; ++reason) {
    names.insert(std::string(Name(static_cast<CloseReason>(reason))));
  }
  EXPECT_EQ(names.size(), kCloseReasons);
}

}  // namespace
}  // namespace bellwire::connector
