// How far a long loop is: a bar on a terminal, now and then a plain line elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace hanok::training {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start);
/// Since the operating system started this process, to its clock's 10 ms.
double seconds_since_process_start();
/// "45 s", "12 min 30 s", "3 h 05 min"
std::string duration_text(double seconds);

class Progress {
 public:
  /// `total` images in this loop. `label` stands in front: "fold 0 epoch 3/12".
  Progress(std::string label, std::int64_t total);
  /// Removes the bar.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `images_after` come after this loop's in the whole job; the time left counts them too.
  void advance(std::int64_t images, std::int64_t images_after);
  double images_per_second() const;

 private:
  std::string label_;
  std::int64_t total_;
  std::int64_t done_ = 0;
  bool terminal_;
  bool drawn_ = false;
  Clock::time_point start_;
  Clock::time_point last_;
};

}  // namespace hanok::training
