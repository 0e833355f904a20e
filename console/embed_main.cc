// Writes the C++ source that holds the files of dist/ (assets.h).
//
//   embed OUTPUT FILE...

#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace {

absl::string_view ContentTypeOf(absl::string_view path) {
  static constexpr std::pair<absl::string_view, absl::string_view> kTypes[] = {
      {".html", "text/html; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},   {".svg", "image/svg+xml"},
      {".txt", "text/plain; charset=utf-8"},
  };
  for (const auto& [ending, type] : kTypes) {
    if (absl::EndsWith(path, ending)) return type;
  }
  return "";
}

// As pieces of a string literal: compilers have a bound on the length of one line.
std::string Literal(absl::string_view bytes) {
  constexpr size_t kBytesPerLine = 64;
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += kBytesPerLine) {
    text += "    \"";
    for (const char c : bytes.substr(i, kBytesPerLine)) {
      const auto byte = static_cast<unsigned char>(c);
      if (absl::ascii_isprint(byte) && c != '"' && c != '\\' && c != '?') {
        text += c;
      } else {
        text += '\\';
        text += static_cast<char>('0' + byte / 64);
        text += static_cast<char>('0' + byte / 8 % 8);
        text += static_cast<char>('0' + byte % 8);
      }
    }
    text += "\"\n";
  }
  return text.empty() ? "    \"\"\n" : text;
}

int Fail(absl::string_view what) {
  std::cerr << "embed: " << what << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return Fail("usage: embed OUTPUT FILE...");
  std::string text =
      "#include \"console/assets.h\"\n\nnamespace bellwire::console {\nnamespace {\n\n";
  std::string table;
  for (int i = 2; i < argc; ++i) {
    const std::string file = argv[i];
    const size_t dist = file.find("dist/");
    if (dist == std::string::npos) return Fail(absl::StrCat(file, " is not below dist/"));
    const std::string path = file.substr(dist + 4);
    const absl::string_view type = ContentTypeOf(path);
    if (type.empty()) return Fail(absl::StrCat(file, " has an unknown ending"));
    std::ifstream in(file, std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    if (!in.good() && !in.eof()) return Fail(absl::StrCat("can't read ", file));
    const std::string name = absl::StrCat("kFile", i);
    absl::StrAppend(&text, "constexpr char ", name, "[] =\n", Literal(bytes), ";\n");
    absl::StrAppend(&table, "    {\"", path, "\", \"", type, "\", {", name, ", sizeof(", name,
                    ") - 1}},\n");
  }
  absl::StrAppend(&text, "constexpr Asset kAssets[] = {\n", table,
                  "};\n\n}  // namespace\n\n"
                  "absl::Span<const Asset> Assets() { return kAssets; }\n\n"
                  "}  // namespace bellwire::console\n");
  std::ofstream out(argv[1], std::ios::binary);
  out << text;
  return out.good() ? 0 : Fail(absl::StrCat("can't write ", argv[1]));
}
