#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/command.h"
#include "common/status_macros.h"
#include "ops/data_dir.h"
#include "ops/repair_data_dir.h"

namespace bellwire::cli {
namespace {

struct Flags {
  std::string data_dir;
  std::vector<std::string> names;
};

absl::Status Renew(const Flags& flags, CommandContext* context) {
  const DataDir dir(flags.data_dir);
  BELLWIRE_ASSIGN_OR_RETURN(const CertificateFacts facts,
                            RenewCertificates(dir, flags.names, context->clock->WallNow()));
  std::vector<std::string> names = facts.dns_names;
  names.insert(names.end(), facts.ip_addresses.begin(), facts.ip_addresses.end());
  Terminal& out = *context->terminal;
  if (out.json()) {
    out.Json({{"certificate", dir.server_certificate()},
              {"server_names", names},
              {"not_after", RenderTimeForJson(facts.not_after)},
              {"pin", facts.pin}});
    return absl::OkStatus();
  }
  out.Line(absl::StrCat(out.Good("renewed"), "  ", out.Bold(dir.server_certificate())));
  out.Fields({{"for", absl::StrJoin(names, ", ")},
              {"until", RenderTime(facts.not_after)},
              {"pin", absl::StrCat(facts.pin, " (as before)")}});
  out.Line("next: send the server SIGHUP, such as with `systemctl reload bellwire`");
  return absl::OkStatus();
}

void AddDataDirFlag(CLI::App* command, const std::shared_ptr<Flags>& flags) {
  command->add_option("--data_dir", flags->data_dir, "Made by `bellwire init`, with its ca.key")
      ->type_name("DIR")
      ->envname("BELLWIRE_DATA_DIR")
      ->required();
}

}  // namespace

void AddCertCommand(CLI::App* root, CommandContext* context) {
  CLI::App* group = root->add_subcommand("cert", "The server's certificate");
  group->require_subcommand(1);

  CLI::App* renew = group->add_subcommand(
      "renew", "Issue the certificate again: same names, same key (and pin), a new end");
  auto flags = std::make_shared<Flags>();
  AddDataDirFlag(renew, flags);
  AddJsonFlag(renew, context);
  SetExamples(renew, "  bellwire cert renew --data_dir /var/lib/bellwire");
  renew->callback([=] { context->run = [=] { return Renew(*flags, context); }; });

  CLI::App* add_name = group->add_subcommand(
      "add-name", "Issue the certificate again, for a host name or IP address more");
  add_name
      ->add_option("NAME", flags->names,
                   "What providers or agents connect to; several are possible")
      ->type_name("")
      ->required();
  AddDataDirFlag(add_name, flags);
  AddJsonFlag(add_name, context);
  SetExamples(add_name,
              "  bellwire cert add-name push.example.com 203.0.113.7 --data_dir /var/lib/bellwire");
  add_name->callback([=] { context->run = [=] { return Renew(*flags, context); }; });
}

}  // namespace bellwire::cli
