#include "tests/apps/program.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include "hanok/data/image.h"
#include "tests/support/paths.h"

namespace hanok::test {

namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "hanok_apps_XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

Process::Process(const std::string& program, const std::vector<std::string>& arguments,
                 std::int64_t file_size_limit) {
  const std::string path = program.starts_with("/") ? program : binary_dir() + "/bin/" + program;
  const std::string log = folder_ / "output";
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ > 0) return;
  const int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  dup2(fd, STDOUT_FILENO);
  dup2(fd, STDERR_FILENO);
  if (file_size_limit > 0) {
    std::signal(SIGXFSZ, SIG_IGN);  // so that write() fails instead
    const rlimit limit{static_cast<rlim_t>(file_size_limit), static_cast<rlim_t>(file_size_limit)};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  std::vector<char*> argv{const_cast<char*>(path.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execv(path.c_str(), argv.data());
  _exit(127);
}

Process::~Process() {
  if (ended_) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, &status_, 0);
}

std::string Process::output() const {
  std::ifstream file(folder_ / "output");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

bool Process::wait_for_output(const std::string& text, int count) {
  while (true) {
    const std::string all = output();
    int found = 0;
    for (std::size_t at = all.find(text); at != std::string::npos; at = all.find(text, at + 1)) {
      ++found;
    }
    if (found >= count) return true;
    if (!ended_ && waitpid(pid_, &status_, WNOHANG) == pid_) ended_ = true;
    if (ended_) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

void Process::send(int signal_number) const { kill(pid_, signal_number); }

Outcome Process::wait() {
  if (!ended_) waitpid(pid_, &status_, 0);
  ended_ = true;
  Outcome outcome;
  outcome.exit_code = WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  outcome.output = output();
  return outcome;
}

Outcome run_program(const std::string& program, const std::vector<std::string>& arguments) {
  return Process(program, arguments).wait();
}

Outcome finetune(const std::vector<std::string>& arguments) {
  return run_program("finetune", arguments);
}

Outcome predict(const std::vector<std::string>& arguments) {
  return run_program("predict", arguments);
}

std::string draw_photos(const std::string& folder, const PhotoOptions& options) {
  std::mt19937 random(options.seed);
  for (int c = 0; c < options.classes; ++c) {
    const std::string class_folder = fmt::format("{}/class{}", folder, c);
    fs::create_directories(class_folder);
    for (int i = 0; i < options.members; ++i) {
      data::Image image;
      image.width = image.height = options.size;
      image.pixels.resize(static_cast<std::size_t>(3 * options.size * options.size));
      for (std::size_t p = 0; p < image.pixels.size(); ++p) {
        const bool tinted = static_cast<int>(p % 3) == c % 3;
        image.pixels[p] = static_cast<std::uint8_t>(random() % 160 + (tinted ? 80 : 0));
      }
      const std::string name = options.groups ? fmt::format("p{}{}_{}.png", c, i / 2, i % 2)
                                              : fmt::format("photo{:02}.png", i);
      const std::vector<std::uint8_t> bytes = data::encode_png(image);
      std::ofstream(class_folder + "/" + name, std::ios::binary)
          .write(reinterpret_cast<const char*>(bytes.data()),
                 static_cast<std::streamsize>(bytes.size()));
    }
  }
  return folder;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

nlohmann::json read_json(const std::string& path) { return nlohmann::json::parse(read_text(path)); }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::vector<std::vector<std::string>> read_plain_csv(const std::string& path) {
  std::vector<std::vector<std::string>> rows;
  for (const std::string& line : lines_of(read_text(path))) {
    std::vector<std::string> row;
    std::istringstream stream(line);
    for (std::string field; std::getline(stream, field, ',');) row.push_back(field);
    rows.push_back(row);
  }
  return rows;
}

std::vector<std::string> operator+(std::vector<std::string> base,
                                   const std::vector<std::string>& more) {
  base.insert(base.end(), more.begin(), more.end());
  return base;
}

}  // namespace hanok::test
