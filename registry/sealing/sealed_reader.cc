#include "registry/sealing/sealed_reader.h"

#include "common/status_macros.h"

namespace bellwire::registry {

absl::StatusOr<absl::string_view> SealedReader::Open(Family family, absl::string_view key,
                                                     absl::string_view value,
                                                     std::string* storage) const {
  if (clear_allowed_ && !RecordSeal::KeyIdOf(value).has_value()) return value;
  const absl::Status opened = seal_->Open(family, key, value, storage);
  if (opened.ok()) return *storage;
  if (unreadable_ == Unreadable::kAsItIs) return value;
  return opened;
}

absl::StatusOr<std::optional<std::string>> SealedReader::Get(Family family,
                                                             absl::string_view key) const {
  if (!HoldsPayload(family, key)) return below_->Get(family, key);
  std::string storage;
  BELLWIRE_ASSIGN_OR_RETURN(const std::optional<absl::string_view> value,
                            View(family, key, &storage));
  if (!value.has_value()) return std::nullopt;
  return std::string(*value);
}

absl::StatusOr<std::optional<absl::string_view>> SealedReader::View(Family family,
                                                                    absl::string_view key,
                                                                    std::string* storage) const {
  if (!HoldsPayload(family, key)) return below_->View(family, key, storage);
  std::string sealed;
  BELLWIRE_ASSIGN_OR_RETURN(const std::optional<absl::string_view> found,
                            below_->View(family, key, &sealed));
  if (!found.has_value()) return std::nullopt;
  BELLWIRE_ASSIGN_OR_RETURN(const absl::string_view value, Open(family, key, *found, storage));
  // What is not opened may lie in `sealed`, which goes.
  if (value.data() != storage->data()) storage->assign(value.data(), value.size());
  return *storage;
}

absl::Status SealedReader::Scan(
    Family family, absl::string_view from, absl::string_view to,
    absl::FunctionRef<bool(absl::string_view key, absl::string_view value)> visit) const {
  absl::Status unopened;
  std::string storage;
  BELLWIRE_RETURN_IF_ERROR(
      below_->Scan(family, from, to, [&](absl::string_view key, absl::string_view value) {
        if (!HoldsPayload(family, key)) return visit(key, value);
        const absl::StatusOr<absl::string_view> opened = Open(family, key, value, &storage);
        unopened = opened.status();
        return opened.ok() && visit(key, *opened);
      }));
  return unopened;
}

}  // namespace bellwire::registry
