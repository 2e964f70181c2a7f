// Downloads against a server on the loopback interface that misbehaves on request.
#include "hanok/weights/download.h"

#include <csignal>
#include <cstdlib>
#include <fmt/core.h>
#include <sys/resource.h>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/catalogue.h"
#include "hanok/weights/imagenet_classes.h"
#include "hanok/weights/sha256.h"
#include "hanok/weights/weights.h"
#include "tests/support/paths.h"
#include "tests/weights/http_server.h"
#include "tests/weights/weight_test.h"

namespace hanok::weights::test {
namespace {

using ::testing::HasSubstr;

std::string digest(const std::string& text) {
  return sha256({reinterpret_cast<const unsigned char*>(text.data()), text.size()});
}

TEST(Sha256, MatchesPublishedVectors) {
  // FIPS 180-2, appendix B, and the empty message.
  EXPECT_EQ(digest(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(digest(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

class Download : public testing::Test {
 protected:
  Download() {
    for (int i = 0; i < 300'000; ++i) content_ += static_cast<char>(i * 7 + i / 1000);
    options_.sha256 = digest(content_);
    options_.size = static_cast<std::int64_t>(content_.size());
    options_.pause = std::chrono::milliseconds(1);
    options_.stall_seconds = 5;
  }
  std::string failure(const std::string& url) {
    try {
      download(url, path_, options_);
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()).rfind(url, 0), 0u) << error.what();
      EXPECT_FALSE(std::filesystem::exists(path_));
      return error.what();
    }
    ADD_FAILURE() << url << " was fetched";
    return "";
  }
  TemporaryFolder folder_;
  const std::string path_ = folder_ / "file.pth";
  const std::string part_ = path_ + ".part";
  std::string content_;
  DownloadOptions options_;
};

TEST_F(Download, FetchesAFileAndTellsItsProgress) {
  HttpServer server([&](const HttpRequest& request) { return serve_content(request, content_); });
  std::int64_t last = -1, total = -1;
  options_.progress = [&](std::int64_t done, std::int64_t all) {
    EXPECT_GE(done, last);
    last = done;
    total = all;
  };
  const DownloadResult result = download(server.url("/file.pth"), path_, options_);
  EXPECT_EQ(result.sha256, options_.sha256);
  EXPECT_EQ(result.size, 300'000);
  EXPECT_EQ(result.resumed, 0);
  EXPECT_EQ(last, 300'000);
  EXPECT_EQ(total, 300'000);
  EXPECT_EQ(read_file(path_), content_);
  EXPECT_FALSE(std::filesystem::exists(part_));
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(Download, GoesOnWhenTheConnectionIsCut) {
  HttpServer server([&](const HttpRequest& request) {
    HttpAnswer answer = serve_content(request, content_);
    answer.cut_after = 70'000;
    return answer;
  });
  download(server.url("/file.pth"), path_, options_);
  EXPECT_EQ(read_file(path_), content_);
  const std::vector<HttpRequest> requests = server.requests();
  ASSERT_EQ(requests.size(), 5u);
  EXPECT_EQ(requests[1].range_begin, 70'000);
  EXPECT_EQ(requests[4].range_begin, 280'000);
}

TEST_F(Download, KeepsThePartWhenTheServerStaysAwayAndResumesItNextTime) {
  {
    int count = 0;
    HttpServer server([&](const HttpRequest& request) {
      HttpAnswer answer = serve_content(request, content_);
      answer.cut_after = count++ == 0 ? 100'000 : 0;
      return answer;
    });
    const std::string message = failure(server.url("/file.pth"));
    EXPECT_THAT(message, HasSubstr("100000 bytes are kept in " + part_));
    EXPECT_EQ(server.requests().size(), 4u);
  }
  EXPECT_EQ(read_file(part_), content_.substr(0, 100'000));
  HttpServer server([&](const HttpRequest& request) { return serve_content(request, content_); });
  const DownloadResult result = download(server.url("/file.pth"), path_, options_);
  EXPECT_EQ(result.resumed, 100'000);
  EXPECT_EQ(read_file(path_), content_);
  ASSERT_EQ(server.requests().size(), 1u);
  EXPECT_EQ(server.requests()[0].range_begin, 100'000);
}

TEST_F(Download, StartsAnewWhereTheServerKnowsNoRanges) {
  write_file(part_, "something else");
  HttpServer server([&](const HttpRequest&) { return HttpAnswer{200, {}, content_}; });
  download(server.url("/file.pth"), path_, options_);
  EXPECT_EQ(read_file(path_), content_);
}

TEST_F(Download, TakesAPartThatIsWholeAlready) {
  write_file(part_, content_);
  HttpServer server([&](const HttpRequest& request) { return serve_content(request, content_); });
  download(server.url("/file.pth"), path_, options_);
  EXPECT_EQ(read_file(path_), content_);
  EXPECT_EQ(server.requests().size(), 0u);
}

TEST_F(Download, ThrowsAwayAPartThatIsLongerThanTheFile) {
  options_.size.reset();
  write_file(part_, content_ + "x");
  HttpServer server([&](const HttpRequest& request) { return serve_content(request, content_); });
  download(server.url("/file.pth"), path_, options_);
  EXPECT_EQ(read_file(path_), content_);
}

TEST_F(Download, FollowsRedirects) {
  HttpServer server([&](const HttpRequest& request) {
    if (request.path == "/old.pth") return HttpAnswer{302, {"Location: /new.pth"}, "moved"};
    return serve_content(request, content_);
  });
  write_file(part_, content_.substr(0, 1000));
  download(server.url("/old.pth"), path_, options_);
  EXPECT_EQ(read_file(path_), content_);
  EXPECT_EQ(server.requests()[1].path, "/new.pth");
}

TEST_F(Download, EndsALoopOfRedirects) {
  HttpServer server([&](const HttpRequest&) { return HttpAnswer{302, {"Location: /a"}, ""}; });
  EXPECT_THAT(failure(server.url("/a")), HasSubstr("redirects"));
}

TEST_F(Download, ReportsNotFoundAtOnce) {
  HttpServer server([&](const HttpRequest&) { return HttpAnswer{404, {}, "no such file"}; });
  EXPECT_THAT(failure(server.url("/file.pth")), HasSubstr("the server answered 404 (not found)"));
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(Download, TriesAgainAfterAServersError) {
  int count = 0;
  HttpServer server([&](const HttpRequest& request) {
    return count++ == 0 ? HttpAnswer{503, {}, "busy"} : serve_content(request, content_);
  });
  download(server.url("/file.pth"), path_, options_);
  EXPECT_EQ(read_file(path_), content_);
}

TEST_F(Download, RefusesAWrongChecksum) {
  std::string other = content_;
  other[1234] = static_cast<char>(other[1234] ^ 1);
  HttpServer server([&](const HttpRequest& request) { return serve_content(request, other); });
  EXPECT_THAT(failure(server.url("/file.pth")),
              HasSubstr("has the SHA-256 " + digest(other) + ", not " + options_.sha256));
  EXPECT_FALSE(std::filesystem::exists(part_));
  options_.sha256 = options_.sha256.substr(0, 8);
  EXPECT_THAT(failure(server.url("/file.pth")), HasSubstr("not " + options_.sha256 + "..."));
}

TEST_F(Download, RefusesAWrongSize) {
  HttpServer server([&](const HttpRequest& request) { return serve_content(request, "short"); });
  EXPECT_THAT(failure(server.url("/file.pth")), HasSubstr("has 5 bytes, not 300000"));
}

TEST_F(Download, ReportsAServerThatIsNotThere) {
  std::string url;
  {
    HttpServer server([](const HttpRequest&) { return HttpAnswer{}; });
    url = server.url("/file.pth");
  }
  EXPECT_THAT(failure(url), testing::ContainsRegex("connect"));
}

TEST_F(Download, ReportsAFullDiskAndKeepsThePart) {
  HttpServer server([&](const HttpRequest& request) { return serve_content(request, content_); });
  // A limit on file size simulates a full disk.
  rlimit saved{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &saved), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = saved;
  small.rlim_cur = 65'536;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string message = failure(server.url("/file.pth"));
  ::setrlimit(RLIMIT_FSIZE, &saved);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(message, HasSubstr(part_ + " cannot be written: File too large"));
  download(server.url("/file.pth"), path_, options_);
  EXPECT_EQ(read_file(path_), content_);
}

TEST_F(Download, ReportsAFolderThatIsNotThere) {
  HttpServer server([&](const HttpRequest& request) { return serve_content(request, content_); });
  EXPECT_THROW(download(server.url("/f"), folder_ / "absent/f", options_), IoError);
}

/// Sets an environment variable during its lifetime.
class Environment {
 public:
  Environment(const char* name, const std::string& value) : name_(name) {
    const char* old = std::getenv(name);
    if (old != nullptr) saved_ = old;
    ::setenv(name, value.c_str(), 1);
  }
  ~Environment() { saved_ ? ::setenv(name_, saved_->c_str(), 1) : ::unsetenv(name_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> saved_;
};

TEST(Catalogue, HasEachModelOnceByNameWithItsFigures) {
  std::vector<std::string> names;
  for (const CatalogueEntry& entry : catalogue()) {
    EXPECT_THAT(names, testing::Not(testing::Contains(entry.name)));
    names.push_back(entry.name);
    EXPECT_EQ(entry.url.rfind("https://", 0), 0u) << entry.name;
    EXPECT_TRUE(entry.sha256.size() == 64 || entry.sha256.size() == 8) << entry.name;
    EXPECT_EQ(entry.sha256.find_first_not_of("0123456789abcdef"), std::string::npos) << entry.name;
    EXPECT_NE(entry.file_name().find(entry.sha256.substr(0, 8)), std::string::npos) << entry.name;
    EXPECT_GT(entry.top1, 50) << entry.name;
    if (entry.size) {
      EXPECT_NEAR(static_cast<double>(*entry.size) / (1 << 20), entry.mebibytes, 0.001);
    }
  }
  EXPECT_EQ(find_in_catalogue("resnet18").file_name(), "resnet18-f37072fd.pth");
  EXPECT_THROW(find_in_catalogue("resnet19"), ValueError);
}

TEST(Catalogue, NamesOfConvertedWheelsDependOnAllTheirFiles) {
  EXPECT_EQ(find_in_wheel_catalogue("mobilenet_v2").file_name(),
            "mobilenet_v2-2f518e77.safetensors");
  EXPECT_EQ(find_in_wheel_catalogue("efficientnet_lite0").file_name(),
            "efficientnet_lite0-57934424.safetensors");
  const WheelEntry& mtcnn = find_in_wheel_catalogue("mtcnn");
  ASSERT_EQ(mtcnn.files.size(), 3U);
  for (std::size_t i = 0; i < mtcnn.files.size(); ++i) {
    WheelEntry other = mtcnn;
    other.files[i].sha256.back() = other.files[i].sha256.back() == '0' ? '1' : '0';
    EXPECT_NE(other.file_name(), mtcnn.file_name()) << i;
  }
}

TEST(Catalogue, FindsPretrainedFilesInTheCache) {
  const TemporaryFolder folder;
  const Environment home("HANOK_HOME", folder.path().string());
  const std::string path = folder / "weights/resnet18-f37072fd.pth";
  try {
    find_pretrained("resnet18");
    FAIL();
  } catch (const ValueError& error) {
    const std::string message = error.what();
    EXPECT_THAT(message, HasSubstr("`convert --fetch resnet18`"));
    EXPECT_THAT(message, HasSubstr("--weights none"));
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
  std::filesystem::create_directories(folder / "weights");
  write_file(path, "");
  EXPECT_EQ(find_pretrained("resnet18"), path);
  EXPECT_THROW(find_pretrained("lenet"), ValueError);
}

TEST(Catalogue, UsesTheUsersCacheFolder) {
  const Environment home("HANOK_HOME", "");
  {
    const Environment cache("XDG_CACHE_HOME", "/somewhere");
    EXPECT_EQ(cache_folder(), "/somewhere/hanok/weights");
  }
  const Environment cache("XDG_CACHE_HOME", "");
  const Environment user("HOME", "/home/kim");
  EXPECT_EQ(cache_folder(), "/home/kim/.cache/hanok/weights");
}

TEST(ImageNetClasses, AreTheThousandNamesInOrder) {
  const std::vector<std::string>& names = imagenet_classes();
  ASSERT_EQ(names.size(), 1000u);
  EXPECT_EQ(names[0], "tench");
  EXPECT_EQ(names[207], "golden retriever");
  EXPECT_EQ(names[281], "tabby");
  EXPECT_EQ(names[999], "toilet tissue");
  for (const std::string& name : names) EXPECT_FALSE(name.empty());
}

TEST(ConvertFetch, FetchesFromAMirrorAndRefusesWrongFiles) {
  const TemporaryFolder folder;
  const std::string wrong = read_file(committed("zip.pth"));
  HttpServer server([&](const HttpRequest& request) {
    return request.path == "/m/resnet34-b627a593.pth" ? serve_content(request, wrong)
                                                      : HttpAnswer{404, {}, ""};
  });
  const auto convert = [&](const std::string& arguments) {
    return run(fmt::format("HANOK_HOME='{}' HANOK_MIRROR='{}' '{}/bin/convert' {}",
                           folder.path().string(), server.url("/m"), hanok::test::binary_dir(),
                           arguments));
  };
  const CommandResult mismatch = convert("--fetch resnet34");
  EXPECT_EQ(mismatch.exit_code, 1);
  EXPECT_THAT(mismatch.output, HasSubstr("not b627a593..."));
  const CommandResult absent = convert("--fetch resnet50");
  EXPECT_EQ(absent.exit_code, 1);
  EXPECT_THAT(absent.output, HasSubstr("404 (not found)"));
  const CommandResult unknown = convert("--fetch resnet19");
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.output, HasSubstr("no 'resnet19'; near: resnet18"));
  EXPECT_TRUE(std::filesystem::is_empty(folder / "weights"));
}

TEST(Fetch, BringsAFileOnceAndVerifiesItAgain) {
  const TemporaryFolder folder;
  const std::string content = read_file(committed("zip.pth"));
  HttpServer server([&](const HttpRequest& request) { return serve_content(request, content); });
  const Environment home("HANOK_HOME", folder.path().string());
  const Environment mirror("HANOK_MIRROR", server.url("/"));
  CatalogueEntry entry = find_in_catalogue("resnet18");
  entry.size = static_cast<std::int64_t>(content.size());
  entry.sha256 = digest(content);
  const Fetched first = fetch(entry, {});
  EXPECT_FALSE(first.was_there);
  EXPECT_EQ(first.sha256, entry.sha256);
  EXPECT_EQ(read_file(first.path), content);
  EXPECT_TRUE(fetch(entry, {}).was_there);
  EXPECT_EQ(server.requests().size(), 1u);
  write_file(first.path, content + "x");
  try {
    fetch(entry, {});
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_THAT(error.what(), HasSubstr("remove it and fetch again"));
  }
  EXPECT_TRUE(std::filesystem::exists(first.path));
}

}  // namespace
}  // namespace hanok::weights::test
