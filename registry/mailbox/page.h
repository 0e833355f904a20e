#ifndef BELLWIRE_REGISTRY_MAILBOX_PAGE_H_
#define BELLWIRE_REGISTRY_MAILBOX_PAGE_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "registry/mailbox/device_transaction.h"
#include "registry/server/store.h"

namespace bellwire::registry {

// Store::Pull, and the page of Store::Bind. Messages that are due come into the mailbox first, and
// those of the page are noted as handed over, so the transaction is to be finished. Bounded by
// kMaxPage… as well as by `bounds`.
absl::StatusOr<Page> ReadPage(DeviceTransaction& tx, uint64_t after_seq, const PageBounds& bounds);

// Whether the mailbox holds a message after this position that has not expired. Messages that are
// due come into it first.
absl::StatusOr<bool> HasMailAfter(DeviceTransaction& tx, uint64_t after_seq);

}  // namespace bellwire::registry

#endif  // BELLWIRE_REGISTRY_MAILBOX_PAGE_H_
