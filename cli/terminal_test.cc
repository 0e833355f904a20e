#include "cli/terminal.h"

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "gtest/gtest.h"

namespace bellwire::cli {
namespace {

TEST(TerminalTest, AlignsTables) {
  std::ostringstream out;
  Terminal terminal(&out, /*colour=*/false);
  terminal.Table({"TEAM", "NAME"}, {{"a", "Mail"}, {"gr\xc3\xbc\xc3\x9f", "Chat"}});
  EXPECT_EQ(out.str(),
            "TEAM  NAME\n"
            "a     Mail\n"
            "gr\xc3\xbc\xc3\x9f  Chat\n");
}

TEST(TerminalTest, AlignsFields) {
  std::ostringstream out;
  Terminal terminal(&out, /*colour=*/false);
  terminal.Fields({{"id", "1"}, {"created", "now"}});
  EXPECT_EQ(out.str(), "  id       1\n  created  now\n");
}

// `said` by a terminal of 40 columns.
template <typename Say>
std::string In40Columns(Say say, bool colour = false) {
  std::ostringstream out;
  Terminal terminal(&out, colour, /*columns=*/40);
  say(terminal);
  return out.str();
}

TEST(TerminalTest, TheLastColumnGoesOnBelowItself) {
  EXPECT_EQ(In40Columns([](Terminal& out) {
              out.Table({"KEY", "WHAT"}, {{"1234567890", "a signing key, which was made long ago"},
                                          {"2", "short"}});
            }),
            "KEY         WHAT\n"
            "1234567890  a signing key, which was\n"
            "            made long ago\n"
            "2           short\n");
}

TEST(TerminalTest, RowsThatAreTooWideAreShownAsFields) {
  EXPECT_EQ(In40Columns([](Terminal& out) {
              out.Table({"OF", "A SECOND", "A DAY"},
                        {{"tokens:com.example.mail", "no limit", "10000000 *"},
                         {"teams", "", "100"}});
            }),
            "  OF        tokens:com.example.mail\n"
            "  A SECOND  no limit\n"
            "  A DAY     10000000 *\n"
            "\n"
            "  OF     teams\n"
            "  A DAY  100\n");
}

TEST(TerminalTest, AWordIsNeverBroken) {
  const std::string token(60, 'a');
  EXPECT_EQ(In40Columns([&](Terminal& out) { out.Table({"NAME", "TOKEN"}, {{"x", token}}); }),
            absl::StrCat("NAME  TOKEN\nx     ", token, "\n"));
  EXPECT_EQ(In40Columns([&](Terminal& out) {
              out.Fields({{"token", absl::StrCat("it is ", token)}});
            }),
            absl::StrCat("  token  it is\n         ", token, "\n"));
}

TEST(TerminalTest, ColoursTakeNoColumns) {
  EXPECT_EQ(In40Columns(
                [](Terminal& out) {
                  out.Table({"A", "B"}, {{out.Bad("nobody"), "1"}, {"somebody", "2"}});
                },
                /*colour=*/true),
            "\033[2mA         B\033[0m\n"
            "\033[31mnobody\033[0m    1\n"
            "somebody  2\n");
}

TEST(TerminalTest, PaintsOnlyIfAsked) {
  std::ostringstream out;
  EXPECT_EQ(Terminal(&out, /*colour=*/false).Bold("x"), "x");
  EXPECT_EQ(Terminal(&out, /*colour=*/true).Bold("x"), "\033[1mx\033[0m");
}

TEST(TerminalTest, JsonIsOneLineInOrder) {
  std::ostringstream out;
  Terminal(&out, /*colour=*/true).Json({{"b", 1}, {"a", "line\nline"}});
  EXPECT_EQ(out.str(), "{\"b\":1,\"a\":\"line\\nline\"}\n");
}

TEST(TerminalTest, NamesThatOthersMadeMoveNoCursor) {
  for (const bool colour : {false, true}) {
    std::ostringstream out;
    Terminal terminal(&out, colour);
    terminal.Line("team \033[2J\033]0;title\a");
    terminal.Table({"NAME"}, {{"\xc2\x9b"
                               "31m"}});
    terminal.Fields({{"name", "two\nlines"}});
    const std::string said = out.str();
    EXPECT_NE(said.find("team \\x1b[2J\\x1b]0;title\\x07\n"), std::string::npos) << said;
    EXPECT_NE(said.find("\\xc2\\x9b31m\n"), std::string::npos) << said;
    EXPECT_NE(said.find("two\\x0alines\n"), std::string::npos) << said;
  }
}

TEST(TerminalTest, ItsOwnColoursPass) {
  std::ostringstream out;
  Terminal terminal(&out, /*colour=*/true);
  terminal.Line(absl::StrCat(terminal.Good("created"), "  ", terminal.Bold("x\033[5m")));
  EXPECT_EQ(out.str(), "\033[32mcreated\033[0m  \033[1mx\\x1b[5m\033[0m\n");
}

TEST(TerminalTest, JsonHasNoControlCharacterOfAnyKind) {
  std::ostringstream out;
  Terminal(&out, /*colour=*/false).Json({{"name", "\033\x7f\xc2\x9b\xc3\xbc"}});
  EXPECT_EQ(out.str(), "{\"name\":\"\\u001b\\u007f\\u009b\xc3\xbc\"}\n");
}

TEST(TerminalTest, KnowsWhatCouldNotBeWritten) {
  std::ofstream full("/dev/full");
  Terminal terminal(&full, /*colour=*/false);
  EXPECT_TRUE(terminal.status().ok());
  terminal.Line("lost");
  EXPECT_EQ(terminal.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(terminal.status().message().find("No space left on device"), absl::string_view::npos)
      << terminal.status();
}

TEST(ErrorToJsonTest, CarriesEveryDetail) {
  absl::Status status = MakeError(absl::StatusCode::kNotFound, "UNREGISTERED", "the token died");
  status = WithMetadata(status, "unregistered_at", "2026-11-21T04:00:00Z");
  status = WithRetryAfter(WithField(status, "token"), absl::Seconds(2));
  EXPECT_EQ(ErrorToJson(status).dump(),
            "{\"error\":{\"code\":\"NOT_FOUND\",\"reason\":\"UNREGISTERED\","
            "\"message\":\"the token died\",\"field\":\"token\",\"retry_after_ms\":2000,"
            "\"unregistered_at\":\"2026-11-21T04:00:00Z\"}}");
}

}  // namespace
}  // namespace bellwire::cli
