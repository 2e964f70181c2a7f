// Messages of library code to the user: it never prints, it calls a Reporter. Programs pass one
// that writes to the terminal (terminal.h); a test passes its own and reads the messages.
#pragma once

#include <cstdint>
#include <string>

#pragma GCC visibility push(default)
namespace hanok::training {

/// The progress of a long loop.
struct ProgressState {
  std::string label;  // "fold 0 epoch 3/12"
  std::string unit;   // of what follows: "images", "MB"
  std::int64_t done = 0, total = 0;
  double per_second = 0;
  double seconds_left = 0;  // of the whole job
};

/// The colours that printed text may have.
enum class TextColors {
  None,        // no escape sequence may be printed
  Palette256,  // xterm's 256
  All          // 24 bits
};

class Reporter {
 public:
  Reporter() = default;
  virtual ~Reporter() = default;
  Reporter(const Reporter&) = delete;
  Reporter& operator=(const Reporter&) = delete;

  /// Text as it is: one or more whole lines, the last newline included.
  virtual void print(const std::string& text) = 0;
  /// What the user should know though nothing failed. Prints "warning: TEXT" as a line.
  void warn(const std::string& text) { print("warning: " + text + "\n"); }

  /// The colours that print() shows; where text is kept or piped, none.
  virtual TextColors colors() const { return TextColors::None; }

  /// Shows the progress of a loop, in place of what was shown before.
  virtual void show_progress(const ProgressState& state) = 0;
  /// Removes it.
  virtual void clear_progress() = 0;
  /// Seconds between two calls of show_progress: a bar may move often, lines of a log should not.
  virtual double progress_interval() const = 0;
};

}  // namespace hanok::training
#pragma GCC visibility pop
