#include "gateway/doors/json/message_json.h"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base64.h"
#include "common/error.h"
#include "gateway/doors/json/json_text.h"
#include "gateway/doors/json/timestamp_text.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "google/protobuf/util/time_util.h"
#include "nlohmann/json.hpp"

namespace bellwire::gateway {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::Duration;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::Timestamp;
using google::protobuf::util::TimeUtil;
using nlohmann::json;

constexpr size_t kMaxQuotedBytes = 64;

bool IsDuration(const FieldDescriptor& field) {
  return field.message_type() == Duration::descriptor();
}
bool IsTimestamp(const FieldDescriptor& field) {
  return field.message_type() == Timestamp::descriptor();
}

// What a field takes, for people.
absl::string_view WantedFor(const FieldDescriptor& field) {
  if (field.is_repeated()) {
    return field.cpp_type() == FieldDescriptor::CPPTYPE_STRING ? "a list of texts"
                                                               : "a list of objects";
  }
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return field.type() == FieldDescriptor::TYPE_BYTES ? "base64 text" : "a text";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return "one of the names that the API has for it";
    default:
      if (IsDuration(field)) return "a duration such as \"3.5s\"";
      if (IsTimestamp(field)) return "a time such as \"2030-01-31T12:00:00Z\"";
      return "an object";
  }
}

// Sets fields as the parser comes to them.
class Reader final : public nlohmann::json_sax<json> {
 public:
  Reader(size_t max_elements, Message* message) : max_elements_(max_elements), root_(message) {}
  const absl::Status& status() const { return status_; }

  bool null() override { return field_ == nullptr || in_list_ ? Unfit() : Done(); }
  bool boolean(bool value) override {
    if (!Takes(FieldDescriptor::CPPTYPE_BOOL)) return Unfit();
    reflection().SetBool(message(), field_, value);
    return Done();
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (!Takes(FieldDescriptor::CPPTYPE_ENUM) || value > INT32_MAX) return Unfit();
    reflection().SetEnumValue(message(), field_, static_cast<int>(value));
    return Done();
  }
  bool number_integer(number_integer_t) override { return Unfit(); }
  bool number_float(number_float_t, const string_t&) override { return Unfit(); }
  bool binary(binary_t&) override { return Unfit(); }
  bool string(string_t& value) override {
    if (field_ == nullptr || field_->is_repeated() != in_list_) return Unfit();
    if (in_list_) {
      if (field_->type() != FieldDescriptor::TYPE_STRING) return Unfit();
      if (!CountElement()) return false;
      reflection().AddString(message(), field_, std::move(value));
      return true;
    }
    switch (field_->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING: {
        if (field_->type() == FieldDescriptor::TYPE_BYTES) {
          std::optional<std::string> bytes = DecodeAnyBase64(value);
          if (!bytes.has_value()) return Unfit();
          value = *std::move(bytes);
        }
        reflection().SetString(message(), field_, std::move(value));
        return Done();
      }
      case FieldDescriptor::CPPTYPE_ENUM: {
        const EnumValueDescriptor* known = field_->enum_type()->FindValueByName(value);
        if (known == nullptr) return Unfit();
        reflection().SetEnum(message(), field_, known);
        return Done();
      }
      case FieldDescriptor::CPPTYPE_MESSAGE: {
        if (IsDuration(*field_)) {
          auto* duration = static_cast<Duration*>(reflection().MutableMessage(message(), field_));
          return TimeUtil::FromString(value, duration) ? Done() : Unfit();
        }
        if (IsTimestamp(*field_)) {
          auto* time = static_cast<Timestamp*>(reflection().MutableMessage(message(), field_));
          return ReadTimestamp(value, time) ? Done() : Unfit();
        }
        return Unfit();
      }
      default:
        return Unfit();
    }
  }
  bool start_object(std::size_t) override {
    if (open_.empty()) {
      if (begun_) return Unfit();
      return Open(root_);
    }
    if (field_ == nullptr || field_->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE ||
        IsDuration(*field_) || IsTimestamp(*field_) || field_->is_repeated() != in_list_) {
      return Unfit();
    }
    if (!in_list_) return Open(reflection().MutableMessage(message(), field_));
    if (!CountElement()) return false;
    return Open(reflection().AddMessage(message(), field_));
  }
  bool end_object() override {
    field_ = open_.back().field;
    in_list_ = open_.back().in_list;
    open_.pop_back();
    return in_list_ || Done();
  }
  bool start_array(std::size_t) override {
    if (field_ == nullptr || !field_->is_repeated() || in_list_) return Unfit();
    in_list_ = true;
    return true;
  }
  bool end_array() override {
    in_list_ = false;
    return Done();
  }
  bool key(string_t& name) override {
    const Descriptor* const type = message()->GetDescriptor();
    field_ = type->FindFieldByCamelcaseName(name);
    if (field_ == nullptr) field_ = type->FindFieldByName(name);
    if (field_ == nullptr) {
      const absl::string_view quoted = absl::string_view(name).substr(0, kMaxQuotedBytes);
      return Stop(InvalidField("UNKNOWN_FIELD", quoted,
                               absl::StrCat("There is no field \"", absl::CHexEscape(quoted),
                                            "\" in ", type->name(), ".")));
    }
    const uint64_t bit = uint64_t{1} << field_->index();
    if ((open_.back().seen & bit) != 0) return Stop(DuplicateField(field_->json_name()));
    open_.back().seen |= bit;
    const auto* const choice = field_->real_containing_oneof();
    if (choice != nullptr && reflection().HasOneof(*message(), choice)) {
      return Stop(InvalidField("BAD_VALUE", field_->json_name(),
                               absl::StrCat("There is a \"", choice->name(), "\" already; \"",
                                            field_->json_name(), "\" would be another one.")));
    }
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const json::exception& error) override {
    return Stop(MalformedJson(error.what()));
  }

 private:
  // An object that is open.
  struct Object {
    Message* message;
    // The field of the object around it that it is the value of, or an element.
    const FieldDescriptor* field;
    bool in_list;
    // Bits by the index of the field: API messages have a dozen.
    uint64_t seen = 0;
  };

  Message* message() { return open_.back().message; }
  const Reflection& reflection() { return *message()->GetReflection(); }
  bool Takes(FieldDescriptor::CppType type) const {
    return field_ != nullptr && !field_->is_repeated() && field_->cpp_type() == type;
  }
  bool Open(Message* message) {
    begun_ = true;
    open_.push_back({message, field_, in_list_});
    field_ = nullptr;
    in_list_ = false;
    return true;
  }
  bool CountElement() {
    if (++elements_ <= max_elements_) return true;
    return Stop(InvalidField("BATCH_TOO_LARGE", field_->json_name(),
                             absl::StrCat("The list has more than ", max_elements_, " elements.")));
  }
  bool Done() {
    field_ = nullptr;
    return true;
  }
  bool Stop(absl::Status status) {
    status_ = std::move(status);
    return false;
  }
  bool Unfit() {
    if (field_ == nullptr) {
      return Stop(
          MakeError(absl::StatusCode::kInvalidArgument, "BAD_VALUE", "The JSON is not an object."));
    }
    return Stop(InvalidField("BAD_VALUE", field_->json_name(),
                             absl::StrCat("The value of \"", field_->json_name(), "\" is not ",
                                          WantedFor(*field_), ".")));
  }

  const size_t max_elements_;
  Message* const root_;
  size_t elements_ = 0;
  bool begun_ = false;
  std::vector<Object> open_;
  // Whose value comes next.
  const FieldDescriptor* field_ = nullptr;
  // Within the list that is the value of `field_`.
  bool in_list_ = false;
  absl::Status status_;
};

nlohmann::ordered_json ToJsonObject(const Message& message);

nlohmann::ordered_json ToJsonValue(const Message& message) {
  if (message.GetDescriptor() == Duration::descriptor()) {
    return TimeUtil::ToString(static_cast<const Duration&>(message));
  }
  if (message.GetDescriptor() == Timestamp::descriptor()) {
    return TimeUtil::ToString(static_cast<const Timestamp&>(message));
  }
  return ToJsonObject(message);
}

nlohmann::ordered_json ToJsonValue(const Message& message, const FieldDescriptor* field) {
  const Reflection& reflection = *message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string value = reflection.GetString(message, field);
      if (field->type() == FieldDescriptor::TYPE_BYTES) return absl::Base64Escape(value);
      return value;
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.GetBool(message, field);
    case FieldDescriptor::CPPTYPE_ENUM: {
      const int number = reflection.GetEnumValue(message, field);
      const EnumValueDescriptor* known = field->enum_type()->FindValueByNumber(number);
      if (known == nullptr) return number;
      return known->name();
    }
    case FieldDescriptor::CPPTYPE_INT32:
      return reflection.GetInt32(message, field);
    case FieldDescriptor::CPPTYPE_INT64:
      // A number of JavaScript has 53 bits.
      return absl::StrCat(reflection.GetInt64(message, field));
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return ToJsonValue(reflection.GetMessage(message, field));
    default:
      return nullptr;
  }
}

nlohmann::ordered_json ToJsonObject(const Message& message) {
  const Descriptor& type = *message.GetDescriptor();
  const Reflection& reflection = *message.GetReflection();
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* field = type.field(i);
    if (field->is_repeated()) {
      nlohmann::ordered_json list = nlohmann::ordered_json::array();
      for (int j = 0; j < reflection.FieldSize(message, field); ++j) {
        if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
          list.push_back(reflection.GetRepeatedString(message, field, j));
        } else {
          list.push_back(ToJsonValue(reflection.GetRepeatedMessage(message, field, j)));
        }
      }
      object[field->json_name()] = std::move(list);
    } else if (!field->has_presence() || reflection.HasField(message, field)) {
      object[field->json_name()] = ToJsonValue(message, field);
    }
  }
  return object;
}

}  // namespace

absl::Status ParseMessageJson(absl::string_view text, size_t max_elements, Message* message) {
  Reader reader(max_elements, message);
  if (!json::sax_parse(text.begin(), text.end(), &reader)) return reader.status();
  return absl::OkStatus();
}

std::string MessageToJson(const Message& message) { return DumpJson(ToJsonObject(message)); }

}  // namespace bellwire::gateway
