#include "hanok/weights/download.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <curl/curl.h>
#include <fcntl.h>
#include <filesystem>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "hanok/kernels/base/error.h"
#include "hanok/weights/atomic_file.h"
#include "hanok/weights/mapped_file.h"
#include "hanok/weights/sha256.h"
#include "hanok/weights/weights.h"

namespace hanok::weights {
namespace {

/// The partial file of a download, locked against concurrent downloads.
class PartFile {
 public:
  PartFile(std::string url, std::string path) : url_(std::move(url)), path_(std::move(path)) {
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (descriptor_ < 0) fail(path_ + " cannot be created");
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      ::close(descriptor_);
      throw IoError(url_ + ": another program is downloading it to " + path_);
    }
    seek_end();
  }
  ~PartFile() {
    if (size_ == 0) ::unlink(path_.c_str());  // empty: not worth keeping
    ::close(descriptor_);
  }
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;

  const std::string& path() const { return path_; }
  std::int64_t size() const { return size_; }

  /// False, with errno set, if not all bytes could be written.
  bool append(const char* data, std::size_t bytes) {
    while (bytes > 0) {
      const ssize_t written = ::write(descriptor_, data, bytes);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return false;
      data += written;
      bytes -= static_cast<std::size_t>(written);
      size_ += written;
    }
    return true;
  }
  void clear() {
    if (::ftruncate(descriptor_, 0) != 0) fail(path_ + " cannot be truncated");
    seek_end();
  }
  void sync() {
    if (::fsync(descriptor_) != 0) fail(path_ + " cannot be written");
  }

 private:
  void seek_end() { size_ = ::lseek(descriptor_, 0, SEEK_END); }
  [[noreturn]] void fail(const std::string& what) const {
    throw IoError(fmt::format("{}: {}: {}", url_, what, std::strerror(errno)));
  }
  std::string url_, path_;
  int descriptor_ = -1;
  std::int64_t size_ = 0;
};

/// One HTTP request that appends to a part file.
class Transfer {
 public:
  Transfer(const std::string& url, PartFile& part, const DownloadOptions& options)
      : url_(url), part_(part), options_(options), curl_(::curl_easy_init()) {
    if (curl_ == nullptr) throw IoError(url_ + ": libcurl cannot be started");
  }
  ~Transfer() { ::curl_easy_cleanup(curl_); }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  /// True if the body is complete, false if the transfer was interrupted and can be resumed. Throws
  /// IoError for errors that a retry would not fix.
  bool run() {
    begin_ = part_.size();
    set_options();
    const CURLcode code = ::curl_easy_perform(curl_);
    if (write_error_ != 0) {
      throw IoError(fmt::format("{}: {} cannot be written: {}", url_, part_.path(),
                                std::strerror(write_error_)));
    }
    switch (code) {
      case CURLE_OK:
        if (!started_ && status() != 206) part_.clear();  // the whole file is empty
        return true;
      case CURLE_HTTP_RETURNED_ERROR:
        if (status() == 416 && begin_ > 0) return restart_after_416();
        if (status() >= 500) return retry(fmt::format("the server answered {}", status()));
        throw IoError(fmt::format("{}: the server answered {}{}", url_, status(),
                                  status() == 404 ? " (not found)" : ""));
      case CURLE_PARTIAL_FILE:
      case CURLE_RECV_ERROR:
      case CURLE_GOT_NOTHING:
      case CURLE_OPERATION_TIMEDOUT:
      case CURLE_COULDNT_CONNECT:
      case CURLE_SEND_ERROR:
        return retry(message(code));
      default:
        throw IoError(fmt::format("{}: {}", url_, message(code)));
    }
  }
  /// The reason why run() returned false.
  const std::string& problem() const { return problem_; }

 private:
  void set_options() {
    const auto set = [this](CURLoption option, auto value) {
      ::curl_easy_setopt(curl_, option, value);
    };
    // A download that started over https must not be redirected to http.
    const char* protocols = url_.rfind("https:", 0) == 0 ? "https" : "http,https";
    set(CURLOPT_URL, url_.c_str());
    set(CURLOPT_PROTOCOLS_STR, protocols);
    set(CURLOPT_REDIR_PROTOCOLS_STR, protocols);
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, 10L);
    set(CURLOPT_FAILONERROR, 1L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT, 30L);
    set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    set(CURLOPT_LOW_SPEED_TIME, options_.stall_seconds);
    set(CURLOPT_ERRORBUFFER, error_text_);
    set(CURLOPT_USERAGENT, "hanok");
    set(CURLOPT_WRITEFUNCTION, &Transfer::write);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &Transfer::progress);
    set(CURLOPT_XFERINFODATA, this);
    range_ = fmt::format("{}-", begin_);
    if (begin_ > 0) set(CURLOPT_RANGE, range_.c_str());
  }

  static std::size_t write(char* data, std::size_t one, std::size_t count, void* self_pointer) {
    auto& self = *static_cast<Transfer*>(self_pointer);
    const std::size_t bytes = one * count;
    if (!self.started_) {
      self.started_ = true;
      // 206 continues the partial file; any other status sends the whole file from the start.
      if (self.status() != 206 && self.part_.size() > 0) {
        self.part_.clear();
        self.begin_ = 0;
      }
    }
    if (self.part_.append(data, bytes)) return bytes;
    self.write_error_ = errno;
    return 0;
  }

  static int progress(void* self_pointer, curl_off_t total, curl_off_t, curl_off_t, curl_off_t) {
    const auto& self = *static_cast<const Transfer*>(self_pointer);
    if (self.options_.progress && self.started_) {
      self.options_.progress(self.part_.size(), total > 0 ? self.begin_ + total : -1);
    }
    return 0;
  }

  /// The server has no bytes at this position: the partial file is complete or too long. The known
  /// size decides; without it the download starts again, which is always correct.
  bool restart_after_416() {
    if (options_.size && *options_.size == part_.size()) return true;
    part_.clear();
    return retry("the partial file did not match");
  }
  bool retry(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }
  long status() const {
    long code = 0;
    ::curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &code);
    return code;
  }
  std::string message(CURLcode code) const {
    return error_text_[0] != '\0' ? error_text_ : ::curl_easy_strerror(code);
  }

  const std::string& url_;
  PartFile& part_;
  const DownloadOptions& options_;
  CURL* curl_;
  std::int64_t begin_ = 0;  // bytes in the partial file before this request
  bool started_ = false;
  int write_error_ = 0;
  std::string range_, problem_;
  char error_text_[CURL_ERROR_SIZE] = {};
};

void start_libcurl() {
  static const CURLcode started = ::curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) throw IoError("libcurl cannot be started");
}

struct Verified {
  std::string sha256;
  std::string problem;  // empty: the file is correct
};

Verified verify(const std::string& path, const DownloadOptions& options) {
  std::error_code error;
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path, error));
  if (error) throw IoError(fmt::format("{}: {}", path, error.message()));
  if (options.size && *options.size != size) {
    return {"", fmt::format("has {} bytes, not {}", size, *options.size)};
  }
  Verified result{sha256(MappedFile::open(path)->bytes()), ""};
  if (result.sha256.rfind(options.sha256, 0) != 0) {
    result.problem = fmt::format("has the SHA-256 {}, not {}{}", result.sha256, options.sha256,
                                 options.sha256.size() < 64 ? "..." : "");
  }
  return result;
}

}  // namespace

DownloadResult download(const std::string& url, const std::string& path,
                        const DownloadOptions& options) {
  start_libcurl();
  PartFile part(url, path + ".part");
  DownloadResult result;
  result.resumed = part.size();
  if (options.size && part.size() > *options.size) part.clear();
  const bool complete = options.size && part.size() == *options.size;
  for (int failures = 0; !complete;) {
    const std::int64_t before = part.size();
    Transfer transfer(url, part, options);
    if (transfer.run()) break;
    failures = part.size() > before ? 0 : failures + 1;
    if (failures >= options.attempts) {
      throw IoError(fmt::format("{}: {} ({} bytes are kept in {}; fetch again to resume)", url,
                                transfer.problem(), part.size(), part.path()));
    }
    if (failures > 0) std::this_thread::sleep_for(options.pause);
  }
  part.sync();
  const Verified verified = verify(part.path(), options);
  if (!verified.problem.empty()) {
    std::error_code ignored;
    std::filesystem::remove(part.path(), ignored);
    throw FormatError(fmt::format("{}: the file {}; it was deleted", url, verified.problem));
  }
  result.sha256 = verified.sha256;
  result.size = part.size();
  rename_durably(part.path(), path);
  return result;
}

std::string fetch_url(const CatalogueEntry& entry) {
  const char* mirror = std::getenv("HANOK_MIRROR");
  if (mirror == nullptr || *mirror == '\0') return entry.url;
  const std::string folder = mirror;
  return folder + (folder.back() == '/' ? "" : "/") + entry.file_name();
}

Fetched fetch(const CatalogueEntry& entry,
              const std::function<void(std::int64_t done, std::int64_t total)>& progress) {
  const std::filesystem::path folder = cache_folder();
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    throw IoError(fmt::format("{}: cannot be created: {}", folder.string(), error.message()));
  }
  DownloadOptions options;
  options.sha256 = entry.sha256;
  options.size = entry.size;
  options.progress = progress;
  Fetched fetched;
  fetched.path = (folder / entry.file_name()).string();
  fetched.was_there = std::filesystem::exists(fetched.path, error);
  if (fetched.was_there) {
    const Verified verified = verify(fetched.path, options);
    if (!verified.problem.empty()) {
      throw FormatError(fmt::format("{}: the file {}: remove it and fetch again", fetched.path,
                                    verified.problem));
    }
    fetched.sha256 = verified.sha256;
  } else {
    const DownloadResult result = download(fetch_url(entry), fetched.path, options);
    fetched.sha256 = result.sha256;
    fetched.resumed = result.resumed;
  }
  load(fetched.path);  // throws unless it holds a state_dict
  return fetched;
}

}  // namespace hanok::weights
