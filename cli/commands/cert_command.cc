#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/command.h"
#include "common/status_macros.h"
#include "ops/certificate_watch.h"
#include "ops/data_dir.h"
#include "ops/fleet.h"
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

// Of a fleet: all of its daemons'.
absl::Status RenewAll(const Flags& flags, CommandContext* context) {
  BELLWIRE_ASSIGN_OR_RETURN(const std::vector<RenewedCertificate> renewed,
                            RenewFleet(flags.data_dir, flags.names, context->clock->WallNow()));
  Terminal& out = *context->terminal;
  std::vector<std::pair<std::string, std::string>> fields;
  for (const RenewedCertificate& certificate : renewed) {
    if (out.json()) {
      out.Json({{"certificate", certificate.file},
                {"not_after", RenderTimeForJson(certificate.facts.not_after)},
                {"pin", certificate.facts.pin}});
    }
    fields.emplace_back(certificate.file,
                        absl::StrCat("until ", RenderTime(certificate.facts.not_after)));
  }
  if (out.json()) return absl::OkStatus();
  out.Line(absl::StrCat(out.Good("renewed"), "  all certificates of ", out.Bold(flags.data_dir),
                        ", for the same keys"));
  out.Fields(fields);
  out.Line("next: copy each to its daemon; SIGHUP takes up server.pem, a restart internal/");
  return absl::OkStatus();
}

absl::Status RenewOneOrAll(const Flags& flags, CommandContext* context) {
  return IsFleet(flags.data_dir) ? RenewAll(flags, context) : Renew(flags, context);
}

absl::Status Show(const Flags& flags, CommandContext* context) {
  std::vector<std::string> directories = {flags.data_dir};
  if (IsFleet(flags.data_dir)) {
    BELLWIRE_ASSIGN_OR_RETURN(directories, FleetDirectories(flags.data_dir));
  }
  std::vector<CertificateState> certificates;
  for (const std::string& directory : directories) {
    for (CertificateState& state : CertificatesOf(DataDir(directory))) {
      certificates.push_back(std::move(state));
    }
  }
  if (certificates.empty()) {
    return absl::NotFoundError(absl::StrCat("there are no certificates in ", flags.data_dir));
  }
  const absl::Time now = context->clock->WallNow();
  Terminal& out = *context->terminal;
  std::vector<std::vector<std::string>> rows;
  for (const CertificateState& certificate : certificates) {
    const bool good = certificate.IsGood(now);
    const std::string state = !good                       ? "not good now"
                              : certificate.EndsSoon(now) ? "ends soon"
                                                          : "good";
    const std::string names = absl::StrJoin(certificate.names, ", ");
    if (out.json()) {
      out.Json({{"file", certificate.file},
                {"not_before", RenderTimeForJson(certificate.not_before)},
                {"not_after", RenderTimeForJson(certificate.not_after)},
                {"names", certificate.names},
                {"roles", certificate.roles},
                {"state", state}});
    }
    rows.push_back({certificate.file, certificate.roles.empty() ? names : certificate.roles,
                    RenderTime(certificate.not_after),
                    good && !certificate.EndsSoon(now) ? out.Good(state) : out.Bad(state)});
  }
  if (!out.json()) out.Table({"CERTIFICATE", "FOR", "UNTIL", "STATE"}, rows);
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
      "renew",
      "Issue the certificate again: same names, same key (and pin), a new end; in a fleet's "
      "directory those of all daemons");
  auto flags = std::make_shared<Flags>();
  AddDataDirFlag(renew, flags);
  AddJsonFlag(renew, context);
  SetExamples(renew, "  bellwire cert renew --data_dir /var/lib/bellwire");
  renew->callback([=] { context->run = [=] { return RenewOneOrAll(*flags, context); }; });

  CLI::App* show =
      group->add_subcommand("show", "Which certificates there are, for whom, and until when");
  show->add_option("--data_dir", flags->data_dir, "Made by `bellwire init`, a fleet's too")
      ->type_name("DIR")
      ->envname("BELLWIRE_DATA_DIR")
      ->required();
  AddJsonFlag(show, context);
  SetExamples(show, "  bellwire cert show --data_dir /var/lib/bellwire");
  show->callback([=] { context->run = [=] { return Show(*flags, context); }; });

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
  add_name->callback([=] { context->run = [=] { return RenewOneOrAll(*flags, context); }; });
}

}  // namespace bellwire::cli
