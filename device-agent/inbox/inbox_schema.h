#ifndef BELLWIRE_DEVICE_AGENT_INBOX_INBOX_SCHEMA_H_
#define BELLWIRE_DEVICE_AGENT_INBOX_INBOX_SCHEMA_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "device-agent/inbox/sqlite.h"

namespace bellwire::agent {

// Makes the tables of an empty database and checks those of another: DATA_LOSS DATABASE_DAMAGED if
// they are damaged, FAILED_PRECONDITION DATABASE_TOO_NEW if a later version made them.
absl::Status PrepareInboxSchema(Database* db);

// Every statement of the inbox, prepared once. Single-threaded.
struct InboxStatements {
  static absl::StatusOr<std::unique_ptr<InboxStatements>> Prepare(Database* db);

  // meta
  Statement put_meta;  // key, value
  Statement all_meta;  // -> key, value

  // seen
  Statement put_seen;    // first, last
  Statement erase_seen;  // first
  Statement clear_seen;
  Statement all_seen;  // -> first, last, in no order that helps: the numbers are unsigned

  // items
  Statement insert_item;  // registration, message id or NULL, dropped, payload, accepted, expires,
                          // collapse key or NULL, checksum, priority, content
  Statement last_item;    // registration -> id or 0
  Statement items;        // registration, after, now, limit
      // -> id, message id, dropped, payload, accepted, checksum, priority, content
  Statement take_item;    // id, registration -> message id or NULL
  Statement collapse;     // registration, key, in flight up to -> message id
  Statement recall;       // registration, message id, given up to -> message id
  Statement oldest;       // registration, in flight up to, limit -> id, message id or NULL, dropped
  Statement erase_item;   // id
  Statement make_gap;     // dropped, expires, id
  Statement expired;      // now -> id, registration, message id or NULL
  Statement next_expiry;  // now -> the first expiry after it, or NULL
  Statement drop_items;   // registration -> message id or NULL
  Statement move_items;   // new registration, old registration
  Statement count_items;  // -> registration, number

  // apps
  Statement put_app;    // app id, owner, registration, token, given up to, sandbox,
                        // subscriber, vapid key, receipts
  Statement set_given;  // given up to, registration
  Statement erase_app;  // app id
  Statement all_apps;   // -> as put_app
  Statement void_tokens;
  Statement void_token;  // app id

  // removals
  Statement put_removal;    // app id, registration
  Statement erase_removal;  // app id
  Statement all_removals;   // -> app id, registration

  // app_acks
  Statement queue_app_ack;    // message id, registration, outcome
  Statement app_acks;         // after, limit -> id, message id, registration, outcome
  Statement forget_app_acks;  // up to
};

}  // namespace bellwire::agent

#endif  // BELLWIRE_DEVICE_AGENT_INBOX_INBOX_SCHEMA_H_
