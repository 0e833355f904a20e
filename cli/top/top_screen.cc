#include "cli/top/top_screen.h"

#include <curses.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <vector>

#include "cli/top/top_page.h"
#include "common/error.h"

namespace bellwire::cli {
namespace {

constexpr int kEscape = 27;
constexpr int kFewestColumns = 40;
constexpr short kGoodPair = 1;
constexpr short kBadPair = 2;

// The terminal as a screen, and as it was again.
class Screen {
 public:
  Screen() {
    initscr();
    cbreak();
    noecho();
    keypad(stdscr, TRUE);
    curs_set(0);
    if (!has_colors()) return;
    start_color();
    use_default_colors();
    init_pair(kGoodPair, COLOR_GREEN, -1);
    init_pair(kBadPair, COLOR_RED, -1);
  }
  ~Screen() { endwin(); }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  void Show(const std::vector<TopLine>& lines) {
    erase();
    const int rows = std::min(static_cast<int>(lines.size()), LINES - 1);
    for (int row = 0; row < rows; ++row) {
      const TopLine& line = lines[static_cast<size_t>(row)];
      const attr_t style = StyleOf(line.style);
      attron(style);
      mvaddnstr(row, 0, line.text.c_str(), COLS);
      attroff(style);
    }
    attron(A_DIM);
    mvaddnstr(LINES - 1, 0, "q quits", COLS);
    attroff(A_DIM);
    refresh();
  }

 private:
  static attr_t StyleOf(TopStyle style) {
    switch (style) {
      case TopStyle::kBold:
        return A_BOLD;
      case TopStyle::kDim:
        return A_DIM;
      case TopStyle::kGood:
        return has_colors() ? static_cast<attr_t>(COLOR_PAIR(kGoodPair)) : A_NORMAL;
      case TopStyle::kBad:
        return has_colors() ? static_cast<attr_t>(COLOR_PAIR(kBadPair)) : A_BOLD;
      case TopStyle::kPlain:
        return A_NORMAL;
    }
    return A_NORMAL;
  }
};

}  // namespace

absl::Status RunTopScreen(metrics::Watch* watch, absl::Duration interval) {
  if (isatty(STDOUT_FILENO) == 0 || isatty(STDIN_FILENO) == 0) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "NO_TERMINAL",
                     "this is no terminal: use --once, or --once --json");
  }
  setlocale(LC_ALL, "");
  Screen screen;
  while (true) {
    const metrics::Look look = watch->Next();
    const auto columns = static_cast<size_t>(std::max(COLS, kFewestColumns));
    screen.Show(RenderTop(look, columns, absl::LocalTimeZone()));
    timeout(static_cast<int>(absl::ToInt64Milliseconds(interval)));
    // ERR: nobody pressed a key in time. A window of another size is a key, too.
    const int key = getch();
    if (key == 'q' || key == 'Q' || key == kEscape) return absl::OkStatus();
  }
}

}  // namespace bellwire::cli
