#include "cli/run_program.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "ops/main_support.h"

namespace bellwire::cli {
namespace {

using ::testing::HasSubstr;

TEST(RunProgramTest, AnswersWhatTheProgramWrote) {
  EXPECT_EQ(*OutputOf({"echo", "a  b"}), "a  b\n");
  EXPECT_EQ(*OutputOf({"cat"}), "");
  // Both pipes are emptied at the same time.
  const auto both =
      OutputOf({"sh", "-c",
                "head -c 300000 /dev/zero >&2; head -c 300000 /dev/zero; head -c 9 /dev/zero >&2"});
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_EQ(both->size(), 300000u);
}

TEST(RunProgramTest, AFailureSaysWhatTheProgramSaid) {
  EXPECT_EQ(
      RenderFailure(OutputOf({"sh", "-c", "echo 'error: no\nhint: do' >&2; exit 2"}).status()),
      "error: no\nhint: do\n");
  EXPECT_EQ(RenderFailure(OutputOf({"sh", "-c", "echo other >&2; exit 1"}).status()),
            "error: sh: other\n");
  EXPECT_EQ(RenderFailure(OutputOf({"false"}).status()), "error: false failed\n");
  EXPECT_EQ(OutputOf({"sh", "-c", "kill -9 $$"}).status().code(),
            absl::StatusCode::kFailedPrecondition);
  const absl::Status missing = OutputOf({"no-such-program"}).status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(missing.message()), HasSubstr("no-such-program"));
}

TEST(RunProgramTest, EndlessOutputIsCutOff) {
  EXPECT_EQ(OutputOf({"cat", "/dev/zero"}).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(RunProgramTest, AProgramBesideThisOneComesFirst) {
  EXPECT_EQ(ProgramPath("no-such-program"), "no-such-program");
  EXPECT_THAT(ProgramPath("run_program_test"), HasSubstr("/run_program_test"));
}

}  // namespace
}  // namespace bellwire::cli
