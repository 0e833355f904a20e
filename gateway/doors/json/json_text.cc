#include "gateway/doors/json/json_text.h"

#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"

namespace bellwire::gateway {
namespace {

using nlohmann::json;

// What an error repeats of a request.
constexpr size_t kMaxQuotedBytes = 64;
constexpr size_t kMaxParserWords = 200;

absl::Status Invalid(absl::string_view reason, absl::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, reason, message);
}

std::string Quote(absl::string_view text) {
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, kMaxQuotedBytes)),
                      text.size() > kMaxQuotedBytes ? "..." : "", "\"");
}

// Walks over a text, and stops at the first thing that a bound forbids.
class Checker final : public nlohmann::json_sax<json> {
 public:
  explicit Checker(const JsonBounds& bounds) : bounds_(bounds) {}
  const absl::Status& status() const { return status_; }

  bool null() override { return Count(); }
  bool boolean(bool) override { return Count(); }
  bool number_integer(number_integer_t) override { return Count(); }
  bool number_unsigned(number_unsigned_t) override { return Count(); }
  bool number_float(number_float_t, const string_t&) override { return Count(); }
  bool string(string_t&) override { return Count(); }
  bool binary(binary_t&) override { return Count(); }
  bool start_object(std::size_t) override { return Begin(); }
  bool start_array(std::size_t) override { return Begin(); }
  bool end_object() override { return End(); }
  bool end_array() override { return End(); }
  bool key(string_t& name) override {
    return names_.back().insert(name).second || Stop(DuplicateField(name));
  }
  bool parse_error(std::size_t, const std::string&, const json::exception& error) override {
    return Stop(MalformedJson(error.what()));
  }

 private:
  bool Stop(absl::Status status) {
    status_ = std::move(status);
    return false;
  }
  bool Count() {
    if (++values_ <= bounds_.values) return true;
    return Stop(Invalid("JSON_TOO_LARGE",
                        absl::StrCat("The JSON has more than ", bounds_.values, " values.")));
  }
  bool Begin() {
    if (names_.size() >= bounds_.depth) {
      return Stop(Invalid("JSON_TOO_DEEP", absl::StrCat("The JSON has more than ", bounds_.depth,
                                                        " objects and arrays within each other.")));
    }
    names_.emplace_back();
    return Count();
  }
  bool End() {
    names_.pop_back();
    return true;
  }

  const JsonBounds bounds_;
  size_t values_ = 0;
  // Of each object, or array, that is open.
  std::vector<absl::flat_hash_set<std::string>> names_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<json> ParseJsonValue(absl::string_view text, const JsonBounds& bounds) {
  Checker checker(bounds);
  if (!json::sax_parse(text.begin(), text.end(), &checker)) return checker.status();
  return json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
}

std::string DumpJson(const nlohmann::ordered_json& json) {
  return json.dump(/*indent=*/-1, /*indent_char=*/' ', /*ensure_ascii=*/false,
                   nlohmann::ordered_json::error_handler_t::replace);
}

absl::Status MalformedJson(absl::string_view what) {
  // Without "[json.exception.parse_error.101] ", which is the parser's own business.
  const size_t end = what.find("] ");
  if (end != absl::string_view::npos) what.remove_prefix(end + 2);
  return Invalid("MALFORMED_JSON", absl::StrCat("This is no JSON: ",
                                                absl::CHexEscape(what.substr(0, kMaxParserWords))));
}

absl::Status DuplicateField(absl::string_view name) {
  return WithField(
      Invalid("DUPLICATE_FIELD", absl::StrCat("The JSON has ", Quote(name), " twice.")),
      name.substr(0, kMaxQuotedBytes));
}

}  // namespace bellwire::gateway
