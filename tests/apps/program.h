// Runs the built programs as a user would, and tiny photographs for them to work on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <sys/types.h>
#include <vector>

namespace hanok::test {

/// A folder of its own that disappears with the object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

struct Outcome {
  int exit_code = -1;  // 128 + signal if one ended it
  std::string output;  // stdout and stderr, as they came
};

/// A program that runs beside the test.
class Process {
 public:
  /// `program` lies in the build's bin folder unless it is an absolute path. `file_size_limit`
  /// above 0: no file may grow larger (bytes), and the write that tries fails.
  Process(const std::string& program, const std::vector<std::string>& arguments,
          std::int64_t file_size_limit = 0);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// Waits until the output holds `text` at least `count` times; false if the program ended before.
  bool wait_for_output(const std::string& text, int count = 1);
  void send(int signal_number) const;
  pid_t pid() const { return pid_; }
  Outcome wait();

 private:
  std::string output() const;
  TemporaryFolder folder_;
  pid_t pid_ = -1;
  bool ended_ = false;
  int status_ = 0;
};

Outcome run_program(const std::string& program, const std::vector<std::string>& arguments);
Outcome finetune(const std::vector<std::string>& arguments);
Outcome predict(const std::vector<std::string>& arguments);

/// `classes` folders ("class0", ...) with `members` coloured, noisy 32x32 photographs each. The
/// class tints the picture, so a small network learns it within a few steps.
struct PhotoOptions {
  int classes = 3, members = 12, size = 32;
  unsigned seed = 1;
  bool groups = false;  // names "p4_0.png": two photographs a group
};
std::string draw_photos(const std::string& folder, const PhotoOptions& options = {});

std::string read_text(const std::string& path);
void write_text(const std::string& path, const std::string& text);
nlohmann::json read_json(const std::string& path);
std::vector<std::string> lines_of(const std::string& text);
/// Fields of each line of a CSV without quotes, header included.
std::vector<std::vector<std::string>> read_plain_csv(const std::string& path);

/// `base` followed by `more`.
std::vector<std::string> operator+(std::vector<std::string> base,
                                   const std::vector<std::string>& more);

}  // namespace hanok::test
