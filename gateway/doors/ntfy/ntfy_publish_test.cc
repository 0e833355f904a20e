#include "gateway/doors/ntfy/ntfy_publish.h"

#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/error.h"
#include "common/limits.h"
#include "gateway/doors/json/json_text.h"
#include "gateway/doors/ntfy/ntfy_error.h"
#include "gtest/gtest.h"

namespace bellwire::gateway {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);

http::Request Post(const std::string& body, http::HeaderList headers = {}) {
  http::Request request;
  request.head.method = "POST";
  request.head.headers = std::move(headers);
  request.body = body;
  return request;
}

NtfyPublish Read(const http::Request& request, absl::string_view path) {
  absl::StatusOr<NtfyPublish> publish = ReadNtfyPublish(request, path, kNow);
  EXPECT_TRUE(publish.ok()) << publish.status();
  return publish.ok() ? *std::move(publish) : NtfyPublish();
}

// The code that a client is told.
int Code(const http::Request& request, absl::string_view path) {
  const absl::StatusOr<NtfyPublish> publish = ReadNtfyPublish(request, path, kNow);
  if (publish.ok()) return 200;
  EXPECT_EQ(ErrorReason(publish.status()), "NTFY_ERROR");
  return nlohmann::json::parse(NtfyErrorReply(publish.status()).body)["code"];
}

TEST(NtfyPublishTest, TheBodyIsTheMessage) {
  const NtfyPublish publish = Read(Post(" Backup successful \xf0\x9f\x98\x80\n"), "/phone");
  EXPECT_EQ(publish.topic, "phone");
  EXPECT_EQ(publish.message, "Backup successful \xf0\x9f\x98\x80");
  EXPECT_EQ(publish.priority, 0);
  EXPECT_TRUE(publish.cache);
  EXPECT_EQ(Read(Post(""), "/phone").message, "triggered");
  EXPECT_EQ(Code(Post("a \xff b"), "/phone"), 40011);
}

TEST(NtfyPublishTest, HeaderFieldsComeInTheirLongAndShortNames) {
  const NtfyPublish longer = Read(Post("m", {{"x-title", "T"},
                                             {"x-priority", "high"},
                                             {"x-tags", "warning, skull ,,"},
                                             {"x-click", "https://example.com/"},
                                             {"x-icon", "https://example.com/i.png"},
                                             {"x-markdown", "yes"},
                                             {"x-cache", "no"}}),
                                  "/phone");
  EXPECT_EQ(longer.title, "T");
  EXPECT_EQ(longer.priority, 4);
  EXPECT_EQ(longer.tags, (std::vector<std::string>{"warning", "skull"}));
  EXPECT_EQ(longer.click, "https://example.com/");
  EXPECT_EQ(longer.icon, "https://example.com/i.png");
  EXPECT_TRUE(longer.markdown);
  EXPECT_FALSE(longer.cache);
  const NtfyPublish shorter = Read(Post("m", {{"t", "T"}, {"p", "5"}, {"ta", "a"}}), "/phone");
  EXPECT_EQ(shorter.title, "T");
  EXPECT_EQ(shorter.priority, 5);
  EXPECT_EQ(shorter.tags, (std::vector<std::string>{"a"}));
  EXPECT_TRUE(Read(Post("m", {{"content-type", "text/markdown"}}), "/phone").markdown);
}

TEST(NtfyPublishTest, TheQuerySaysTheSame) {
  http::Request request = Post("");
  request.head.method = "GET";
  for (const char* way : {"publish", "send", "trigger"}) {
    const NtfyPublish publish =
        Read(request, absl::StrCat("/phone/", way, "?title=A+b&message=c%0Ad&p=min&tags=x,y"));
    EXPECT_EQ(publish.topic, "phone");
    EXPECT_EQ(publish.title, "A b");
    EXPECT_EQ(publish.message, "c\nd");
    EXPECT_EQ(publish.priority, 1);
    EXPECT_EQ(publish.tags.size(), 2u);
  }
  // A field goes before the query, and so does the body.
  const NtfyPublish both = Read(Post("body", {{"title", "field"}}), "/phone?title=query&m=query");
  EXPECT_EQ(both.title, "field");
  EXPECT_EQ(both.message, "body");
  EXPECT_EQ(Read(Post("", {{"m", "a\\nb"}}), "/phone").message, "a\nb");
  for (const char* path : {"/phone/json", "/phone/sse", "/phone", "/", "/a/b/c"}) {
    EXPECT_EQ(Code(request, path), 40401) << path;
  }
  EXPECT_EQ(Code(Post("m"), "/phone?title=%"), 40000);
}

TEST(NtfyPublishTest, FieldsMayBeEncodedWords) {
  for (const auto& [field, title] : std::initializer_list<std::pair<std::string, std::string>>{
           {"=?UTF-8?B?8J+YgCBoaQ==?=", "\xf0\x9f\x98\x80 hi"},
           {"=?utf-8?q?=C3=A4_b=3F?=", "\xc3\xa4 b?"},
           {"a =?utf-8?Q?b?= =?utf-8?Q?c?= d", "a bc d"},
           {"=?iso-8859-1?Q?=E4?=", "=?iso-8859-1?Q?=E4?="},
           {"=?utf-8?B?***?=", "=?utf-8?B?***?="},
           {"=?", "=?"},
           {"100%=?x", "100%=?x"}}) {
    EXPECT_EQ(Read(Post("m", {{"title", field}}), "/phone").title, title) << field;
  }
}

TEST(NtfyPublishTest, PrioritiesAreNumbersOrNames) {
  for (const auto& [text, priority] : std::initializer_list<std::pair<const char*, int>>{
           {"min", 1}, {"2", 2}, {"default", 3}, {"HIGH", 4}, {"max", 5}, {"urgent", 5}}) {
    EXPECT_EQ(Read(Post("m", {{"priority", text}}), "/phone").priority, priority) << text;
  }
  // Browsers have a field of this name that means something else.
  EXPECT_EQ(Read(Post("m", {{"priority", "u=3, i"}}), "/phone").priority, 0);
  EXPECT_EQ(Code(Post("m", {{"x-priority", "6"}}), "/phone"), 40007);
  EXPECT_EQ(ToPriority(0), push::v1::PRIORITY_HIGH);
  EXPECT_EQ(ToPriority(5), push::v1::PRIORITY_HIGH);
  EXPECT_EQ(ToPriority(2), push::v1::PRIORITY_NORMAL);
  EXPECT_EQ(ToPriority(1), push::v1::PRIORITY_LOW);
}

TEST(NtfyPublishTest, JsonNamesItsTopic) {
  const NtfyPublish publish = Read(
      Post(R"({"topic":"phone","message":" m ","title":"T","tags":["a","b"],"priority":4,)"
           R"("attach":"https://example.com/a.jpg","filename":"b.jpg","markdown":true,)"
           R"("click":"https://c","actions":[{"action":"view","label":"L","url":"https://u"}],)"
           R"("delay":"30m","something":"new"})"),
      "/");
  EXPECT_EQ(publish.topic, "phone");
  EXPECT_EQ(publish.message, "m");
  EXPECT_EQ(publish.title, "T");
  EXPECT_EQ(publish.tags.size(), 2u);
  EXPECT_EQ(publish.priority, 4);
  EXPECT_EQ(publish.attachment_name, "b.jpg");
  EXPECT_TRUE(publish.markdown);
  EXPECT_EQ(publish.deliver_at, kNow + absl::Minutes(30));
  EXPECT_EQ(publish.actions[0]["label"], "L");
  // apprise says some of it in fields.
  const NtfyPublish mixed =
      Read(Post(R"({"topic":"phone","title":"J"})", {{"x-priority", "5"}, {"x-title", "F"}}), "");
  EXPECT_EQ(mixed.priority, 5);
  EXPECT_EQ(mixed.title, "J");
  EXPECT_EQ(mixed.message, "triggered");
  for (const char* body : {"", "{", "[]", R"({"topic":["a"]})", R"({"topic":"a","tags":"b"})",
                           R"({"topic":"a","tags":[1]})", R"({"topic":"a","actions":{}})",
                           R"({"topic":"a","topic":"b"})", R"({"topic":"\ud800"})"}) {
    EXPECT_EQ(Code(Post(body), "/"), 40017) << body;
  }
  EXPECT_EQ(Code(Post("{}"), "/"), 40009);
}

TEST(NtfyPublishTest, TopicsAreNames) {
  for (const char* path : {"/a.b", "/a%20b", "/\xc3\xa4"}) {
    EXPECT_EQ(Code(Post("m"), path), 40009) << path;
  }
  EXPECT_EQ(Code(Post("m"), absl::StrCat("/", std::string(65, 'a'))), 40009);
  EXPECT_EQ(Code(Post("m"), absl::StrCat("/", std::string(64, 'a'))), 200);
}

TEST(NtfyPublishTest, DelaysAreTimesOrDurations) {
  const auto at = [](const std::string& delay) {
    return *Read(Post("m", {{"at", delay}}), "/phone").deliver_at - kNow;
  };
  EXPECT_EQ(at("30m"), absl::Minutes(30));
  EXPECT_EQ(at("1h30m"), absl::Minutes(90));
  EXPECT_EQ(at("2 days"), absl::Hours(48));
  EXPECT_EQ(at("1 Hour"), absl::Hours(1));
  EXPECT_EQ(at("1700000060"), absl::Minutes(1));
  EXPECT_EQ(Code(Post("m", {{"delay", "tomorrow, 10am"}}), "/phone"), 40004);
  EXPECT_EQ(Code(Post("m", {{"delay", "99999999999999999999d"}}), "/phone"), 40004);
  EXPECT_EQ(Code(Post("m", {{"delay", "-1s"}}), "/phone"), 40005);
  EXPECT_EQ(Code(Post("m", {{"delay", "1600000000"}}), "/phone"), 40005);
  EXPECT_EQ(Code(Post("m", {{"delay", "31d"}}), "/phone"), 40006);
  EXPECT_EQ(Code(Post("m", {{"delay", "9223372036854775807"}}), "/phone"), 40006);
  EXPECT_EQ(Code(Post("m", {{"delay", "1m"}, {"cache", "no"}}), "/phone"), 40002);
}

TEST(NtfyPublishTest, AttachmentsAreUrls) {
  const NtfyPublish publish =
      Read(Post("", {{"attach", "https://example.com/dir/a.jpg?x=/y"}}), "/phone");
  EXPECT_EQ(publish.attachment_name, "a.jpg");
  EXPECT_EQ(publish.message, "You received a file: a.jpg");
  EXPECT_EQ(Read(Post("", {{"attach", "https://example.com"}}), "/phone").attachment_name,
            "attachment");
  EXPECT_EQ(Code(Post("bytes", {{"filename", "a.jpg"}}), "/phone"), 40014);
  EXPECT_EQ(Code(Post("m", {{"attach", "file:///etc/passwd"}}), "/phone"), 40013);
  EXPECT_EQ(Code(Post("m", {{"icon", "x"}}), "/phone"), 40021);
  EXPECT_EQ(Code(Post("m", {{"email", "a@example.com"}}), "/phone"), 40001);
  EXPECT_EQ(Code(Post("m", {{"call", "yes"}}), "/phone"), 40032);
  EXPECT_EQ(Code(Post("m", {{"template", "yes"}}), "/phone"), 40043);
}

TEST(NtfyPublishTest, UnifiedPushBodiesAreBytes) {
  const NtfyPublish text = Read(Post(" a \n"), "/phone?up=1");
  EXPECT_EQ(text.message, " a \n");
  EXPECT_FALSE(text.base64);
  const NtfyPublish bytes = Read(Post("\xff\x00", {{"content-encoding", "aes128gcm"}}), "/phone");
  EXPECT_TRUE(bytes.base64);
  EXPECT_EQ(bytes.message, absl::Base64Escape("\xff"));
}

TEST(NtfyPublishTest, TheMessageIsWhatSubscribersGet) {
  NtfyPublish publish = Read(Post("m", {{"title", "T"}, {"tags", "a"}, {"p", "4"}}), "/phone");
  EXPECT_EQ(DumpJson(ToNtfyJson(publish, "id", kNow, kNow + absl::Hours(1))),
            R"({"id":"id","time":1700000000,"expires":1700003600,"event":"message",)"
            R"("topic":"phone","title":"T","message":"m","priority":4,"tags":["a"]})");
  EXPECT_EQ(DumpJson(ToNtfyJson(Read(Post("m"), "/phone"), "id", std::nullopt, std::nullopt)),
            R"({"id":"id","event":"message","topic":"phone","message":"m"})");
}

TEST(NtfyPublishTest, CredentialsComeInManyWays) {
  const auto credential = [](const http::HeaderList& headers, const std::string& path) {
    http::RequestHead head;
    head.headers = headers;
    head.path = path;
    const auto found = NtfyCredential(head);
    return found.ok() ? *found : ErrorReason(found.status());
  };
  const auto basic = [](const std::string& pair) {
    return absl::StrCat("Basic ", absl::Base64Escape(pair));
  };
  EXPECT_EQ(credential({{"authorization", "Bearer bw_x"}}, "/"), "bw_x");
  EXPECT_EQ(credential({{"authorization", "bearer  bw_x "}}, "/"), "bw_x");
  EXPECT_EQ(credential({{"authorization", basic("me:bw_x")}}, "/"), "bw_x");
  EXPECT_EQ(credential({{"authorization", basic(":bw_x")}}, "/"), "bw_x");
  EXPECT_EQ(credential({{"authorization", basic("bw_x:")}}, "/"), "bw_x");
  // apprise without a password.
  EXPECT_EQ(credential({{"authorization", basic("bw_x:None")}}, "/"), "bw_x");
  EXPECT_EQ(credential({}, absl::StrCat("/?auth=", absl::WebSafeBase64Escape("Bearer bw_x"))),
            "bw_x");
  EXPECT_EQ(credential({}, "/?auth=QmVhcmVyIGJ3X3g"), "bw_x");
  EXPECT_EQ(credential({}, "/"), "MISSING_CREDENTIAL");
  EXPECT_EQ(credential({}, "/?auth=***"), "BAD_CREDENTIAL");
  // Other last digits for the same bytes.
  EXPECT_EQ(credential({}, "/?auth=QmVhcmVyIGJ3X3h"), "BAD_CREDENTIAL");
  EXPECT_EQ(credential({{"authorization", "Basic Ojp="}}, "/"), "BAD_CREDENTIAL");
  EXPECT_EQ(credential({{"authorization", "Digest x"}}, "/"), "BAD_CREDENTIAL");
  EXPECT_EQ(credential({{"authorization", "Basic ***"}}, "/"), "BAD_CREDENTIAL");
  EXPECT_EQ(credential({{"authorization", basic("no colon")}}, "/"), "BAD_CREDENTIAL");
  EXPECT_EQ(credential({{"authorization", "Bearer a"}, {"authorization", "Bearer b"}}, "/"),
            "BAD_CREDENTIAL");
}

}  // namespace
}  // namespace bellwire::gateway
