#include "cli/commands/transfer_command.h"

#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/status_macros.h"
#include "ops/data_dir.h"
#include "ops/main_support.h"
#include "registry/transfer/export_file.h"
#include "registry/transfer/transfer.h"

namespace bellwire::cli {
namespace {

// How often a transfer says how far it is.
constexpr absl::Duration kProgressInterval = absl::Seconds(2);

struct TransferFlags {
  // Exactly one of these.
  std::string data_dir;
  std::string database;
  // "-": the standard output, or input.
  std::string file;
  bool online = false;
};

absl::Status CheckFlags(const TransferFlags& flags) {
  if (flags.data_dir.empty() == flags.database.empty()) {
    return absl::InvalidArgumentError(
        "which store? Name one: --data_dir DIR for RocksDB, or --database URL for PostgreSQL");
  }
  return absl::OkStatus();
}

// Lines on stderr: stdout is for the answer, or the export.
class Progress {
 public:
  Progress(std::string what, const Clock* clock)
      : what_(std::move(what)), clock_(*clock), next_(clock->Monotonic() + kProgressInterval) {}

  void operator()(uint64_t records) {
    if (clock_.Monotonic() < next_) return;
    next_ = clock_.Monotonic() + kProgressInterval;
    std::cerr << what_ << ": " << records << " records so far" << std::endl;
  }

 private:
  const std::string what_;
  const Clock& clock_;
  MonotonicTime next_;
};

nlohmann::ordered_json ToJson(const registry::Transferred& transferred) {
  return {{"records", transferred.records}, {"fingerprint", transferred.fingerprint}};
}

// How `bellwire registry check` looks at the store.
std::string CheckOf(const TransferFlags& flags) {
  return absl::StrCat("bellwire registry check ", flags.database.empty()
                                                      ? absl::StrCat("--data_dir ", flags.data_dir)
                                                      : "--database URL");
}

absl::Status Export(const TransferFlags& flags, CommandContext* context) {
  BELLWIRE_RETURN_IF_ERROR(CheckFlags(flags));
  const bool to_stdout = flags.file == "-";
  if (to_stdout && context->terminal->json()) {
    return absl::InvalidArgumentError("--json answers where the export goes: name a file");
  }
  BELLWIRE_ASSIGN_OR_RETURN(
      const std::unique_ptr<registry::StoreSource> source,
      flags.database.empty()
          ? registry::OpenRocksDbSource(DataDir(flags.data_dir).registry())
          : registry::OpenDatabaseSource(flags.database, flags.online, context->clock));
  BELLWIRE_ASSIGN_OR_RETURN(const std::unique_ptr<registry::ExportFile> file,
                            registry::ExportFile::Create(flags.file));
  Progress progress("exported", context->clock);
  BELLWIRE_ASSIGN_OR_RETURN(const registry::Transferred done,
                            registry::ExportStore(
                                *source, context->clock->WallNow(),
                                [&](absl::string_view bytes) { return file->Write(bytes); },
                                [&](uint64_t records) { progress(records); }));
  BELLWIRE_RETURN_IF_ERROR(file->Finish());
  if (context->terminal->json()) {
    context->terminal->Json(ToJson(done));
    return absl::OkStatus();
  }
  Terminal on_stderr(&std::cerr, /*colour=*/false);
  Terminal& out = to_stdout ? on_stderr : *context->terminal;
  out.Line(absl::StrCat(out.Good("exported"), "  ", done.records, " records",
                        to_stdout ? "" : absl::StrCat(" to ", flags.file), ", fingerprint ",
                        done.fingerprint));
  out.Line(
      "next: `bellwire registry import`, with the token.keys of this data directory beside the "
      "target. Start no server over this store again");
  return absl::OkStatus();
}

absl::Status Import(const TransferFlags& flags, CommandContext* context) {
  BELLWIRE_RETURN_IF_ERROR(CheckFlags(flags));
  BELLWIRE_ASSIGN_OR_RETURN(const std::unique_ptr<registry::ImportFile> file,
                            registry::ImportFile::Open(flags.file));
  Progress progress("imported", context->clock);
  BELLWIRE_ASSIGN_OR_RETURN(
      const registry::Transferred done,
      registry::ImportStore([&](absl::Span<char> buffer) { return file->Read(buffer); },
                            [&](uint64_t numbers_after) {
                              return flags.database.empty()
                                         ? registry::OpenRocksDbTarget(
                                               flags.data_dir, numbers_after, context->clock)
                                         : registry::OpenDatabaseTarget(
                                               flags.database, numbers_after, context->clock);
                            },
                            [&](uint64_t records) { progress(records); }));
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json(ToJson(done));
    return absl::OkStatus();
  }
  out.Line(absl::StrCat(out.Good("imported"), "  ", done.records, " records, fingerprint ",
                        done.fingerprint));
  out.Line(absl::StrCat("next: ", out.Bold(CheckOf(flags)), ", then start the server"));
  return absl::OkStatus();
}

CLI::App* AddCommand(CLI::App* group, const std::string& name, const std::string& help,
                     const std::string& file_help, TransferFlags* flags, CommandContext* context) {
  CLI::App* command = group->add_subcommand(name, help);
  command->add_option("FILE", flags->file, file_help)->type_name("")->required();
  CLI::Option* const data_dir =
      command->add_option("--data_dir", flags->data_dir, "The data directory of a store in RocksDB")
          ->type_name("DIR");
  command
      ->add_option("--database", flags->database,
                   "Of a store in PostgreSQL: a connection string with every option of libpq")
      ->type_name("URL")
      ->excludes(data_dir);
  AddJsonFlag(command, context);
  return command;
}

}  // namespace

void AddTransferCommands(CLI::App* group, CommandContext* context) {
  auto flags = std::make_shared<TransferFlags>();
  CLI::App* export_command = AddCommand(
      group, "export",
      "Write all records of a store as one stream, for `bellwire registry import`: to move between "
      "RocksDB and PostgreSQL. No server may use the store. It holds messages and secrets of "
      "teams, "
      "but not the keys of the data directory: copy these too",
      "A new file, or - for the standard output", flags.get(), context);
  export_command->add_flag(
      "--online", flags->online,
      "Of a database that registries use: a copy as of now, which lacks what they write later");
  SetExamples(export_command,
              "  bellwire registry export bellwire.export --data_dir /var/lib/bellwire\n"
              "  bellwire registry export - --data_dir /var/lib/bellwire | \\\n"
              "      bellwire registry import - --database \"service=bellwire\"");
  export_command->callback([=] { context->run = [=] { return Export(*flags, context); }; });

  auto import_flags = std::make_shared<TransferFlags>();
  CLI::App* import_command = AddCommand(
      group, "import",
      "Make a store of an export. It is there as a whole, or not at all; refuses where there is a "
      "store already, or records in the database",
      "The export, or - for the standard input", import_flags.get(), context);
  SetExamples(import_command,
              "  bellwire fleet init --database \"service=bellwire\"\n"
              "  bellwire registry import bellwire.export --database \"service=bellwire\"\n"
              "  bellwire registry import bellwire.export --data_dir /var/lib/bellwire --json");
  import_command->callback([=] { context->run = [=] { return Import(*import_flags, context); }; });
}

}  // namespace bellwire::cli
