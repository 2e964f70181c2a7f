#include "hanok/apps/preflight/autotune.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <limits>
#include <utility>

#include "hanok/apps/cli/progress.h"
#include "hanok/data/dataset.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/generator.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"

namespace hanok::training {
namespace {

constexpr int kCalls = 4;             // of each algorithm; the first only warms the caches
constexpr double kWorthwhile = 0.95;  // of the shipped algorithm's time

struct PassName {
  Conv2dPass pass;
  const char* name;
};
constexpr std::array<PassName, 3> kPasses = {{{Conv2dPass::Forward, "forward"},
                                              {Conv2dPass::BackwardData, "backward_data"},
                                              {Conv2dPass::BackwardWeights, "backward_weights"}}};

/// The columns of the sizes, in the order of a line.
struct SizeColumn {
  const char* name;
  std::int64_t& (*size)(Conv2dShape&);
};
constexpr std::array<SizeColumn, 17> kSizes = {{
    {"images", [](Conv2dShape& s) -> std::int64_t& { return s.n; }},
    {"channels", [](Conv2dShape& s) -> std::int64_t& { return s.c; }},
    {"height", [](Conv2dShape& s) -> std::int64_t& { return s.h; }},
    {"width", [](Conv2dShape& s) -> std::int64_t& { return s.w; }},
    {"filters", [](Conv2dShape& s) -> std::int64_t& { return s.k; }},
    {"kernel_height", [](Conv2dShape& s) -> std::int64_t& { return s.r; }},
    {"kernel_width", [](Conv2dShape& s) -> std::int64_t& { return s.s; }},
    {"groups", [](Conv2dShape& s) -> std::int64_t& { return s.groups; }},
    {"stride_height", [](Conv2dShape& s) -> std::int64_t& { return s.window.stride_h; }},
    {"stride_width", [](Conv2dShape& s) -> std::int64_t& { return s.window.stride_w; }},
    {"pad_height", [](Conv2dShape& s) -> std::int64_t& { return s.window.pad_h; }},
    {"pad_width", [](Conv2dShape& s) -> std::int64_t& { return s.window.pad_w; }},
    {"dilation_height", [](Conv2dShape& s) -> std::int64_t& { return s.window.dilation_h; }},
    {"dilation_width", [](Conv2dShape& s) -> std::int64_t& { return s.window.dilation_w; }},
    {"extra_height", [](Conv2dShape& s) -> std::int64_t& { return s.extra_h; }},
    {"extra_width", [](Conv2dShape& s) -> std::int64_t& { return s.extra_w; }},
    {"int16", [](Conv2dShape& s) -> std::int64_t& { return s.int16; }},
}};

Tensor noise(const Shape& shape) {
  Generator generator(0);
  return random_normal(shape, 0, 1, generator);
}

/// The convolutions of a step and of validation, each with the shipped choice.
Conv2dChoices convolutions_of(nn::Module& model, const Options& options) {
  const NominalBatch nominal(options.batch_size);
  Conv2dChoices found;
  const UseConv2dChoices record(found, UseConv2dChoices::Missing::Record);
  const Shape images{2, 3, options.image_size, options.image_size};  // batch norm wants two
  model.train();
  ops::sum(model(noise(images))).backward();
  model.eval();
  const NoGrad no_grad;
  model(noise(images));
  return found;
}

/// The fastest of some calls, in seconds.
double measure(const Conv2dChoices::Choice& choice) {
  Conv2dChoices only;
  only.set(choice);
  const UseConv2dChoices use(only);
  const Conv2dShape& s = choice.shape;
  Tensor x = noise(s.input_shape());
  Tensor w = noise(s.weight_shape());
  Tensor y = noise(s.output_shape());
  Backend& backend = backend_of(Device::cpu());
  ExecContext& context = context_of(Device::cpu());
  double fastest = std::numeric_limits<double>::infinity();
  for (int call = 0; call < kCalls; ++call) {
    const Clock::time_point start = Clock::now();
    switch (choice.pass) {
      case Conv2dPass::Forward:
        backend.run(context,
                    Conv2dForward{.shape = s, .x = x.view(), .w = w.view(), .y = y.mutable_view()});
        break;
      case Conv2dPass::BackwardData:
        backend.run(
            context,
            Conv2dBackwardData{.shape = s, .dy = y.view(), .w = w.view(), .dx = x.mutable_view()});
        break;
      case Conv2dPass::BackwardWeights:
        backend.run(context,
                    Conv2dBackwardWeights{
                        .shape = s, .x = x.view(), .dy = y.view(), .dw = w.mutable_view()});
        break;
    }
    if (call > 0) fastest = std::min(fastest, seconds_since(start));
  }
  return fastest;
}

const char* name_of_pass(Conv2dPass pass) {
  return std::find_if(kPasses.begin(), kPasses.end(),
                      [pass](const PassName& entry) { return entry.pass == pass; })
      ->name;
}

bool is_extra_padding(const SizeColumn& column) {
  return std::string_view(column.name).starts_with("extra_");
}

bool has_column(const data::Csv& csv, const std::string& name) {
  return std::find(csv.header.begin(), csv.header.end(), name) != csv.header.end();
}

/// Reads one field of a row; errors name file and line.
class Field {
 public:
  Field(const data::Csv& csv, std::size_t row, const char* column)
      : text_(csv.rows[row][csv.column(column)]),
        where_(fmt::format("{}:{}: {}", csv.path, csv.lines[row], column)) {}

  std::int64_t number() const {
    std::int64_t value = -1;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    if (error != std::errc() || end != text_.data() + text_.size() || value < 0) {
      fail("expected a whole number");
    }
    return value;
  }
  Conv2dPass pass() const {
    for (const PassName& entry : kPasses) {
      if (text_ == entry.name) return entry.pass;
    }
    fail("expected forward, backward_data or backward_weights");
  }
  Conv2dAlgorithm algorithm() const {
    for (const Conv2dAlgorithm algorithm : conv2d_algorithms()) {
      if (text_ == name_of(algorithm)) return algorithm;
    }
    fail("no algorithm has this name");
  }
  [[noreturn]] void fail(const std::string& reason) const {
    throw FormatError(fmt::format("{}: {}; got \"{}\"", where_, reason, text_));
  }

 private:
  const std::string& text_;
  std::string where_;
};

}  // namespace

std::vector<TunedConv2d> measure_conv2d(nn::Module& model, const Options& options) {
  std::vector<TunedConv2d> tuned;
  const std::vector<Conv2dChoices::Choice> met = convolutions_of(model, options).all();
  for (Conv2dChoices::Choice choice : met) {
    choice.shape.n = std::max<std::int64_t>(1, options.batch_size / options.accumulate);
    TunedConv2d best{choice, choice.algorithm, measure(choice), 0};
    best.shipped_seconds = best.seconds;
    for (const Conv2dAlgorithm algorithm : conv2d_algorithms()) {
      if (algorithm == best.shipped || !can_compute(algorithm, choice.pass, choice.shape)) continue;
      choice.algorithm = algorithm;
      const double seconds = measure(choice);
      if (seconds >= best.seconds || seconds > kWorthwhile * best.shipped_seconds) continue;
      best.choice = choice;
      best.seconds = seconds;
    }
    tuned.push_back(best);
  }
  return tuned;
}

std::string describe(const std::vector<TunedConv2d>& tuned) {
  std::size_t changed = 0;
  double seconds = 0;
  double shipped_seconds = 0;
  for (const TunedConv2d& one : tuned) {
    if (one.choice.algorithm != one.shipped) ++changed;
    seconds += one.seconds;
    shipped_seconds += one.shipped_seconds;
  }
  return fmt::format(
      "autotune: another algorithm for {} of {} convolutions (passes of one shape count once), "
      "{:.1f} ms instead of {:.1f} ms\n",
      changed, tuned.size(), 1e3 * seconds, 1e3 * shipped_seconds);
}

std::string to_csv(const std::vector<TunedConv2d>& tuned) {
  std::string out = "pass,algorithm,shipped,milliseconds,shipped_milliseconds";
  for (const SizeColumn& column : kSizes) out += fmt::format(",{}", column.name);
  for (const TunedConv2d& one : tuned) {
    out += fmt::format("\n{},{},{},{:.4f},{:.4f}", name_of_pass(one.choice.pass),
                       name_of(one.choice.algorithm), name_of(one.shipped), 1e3 * one.seconds,
                       1e3 * one.shipped_seconds);
    Conv2dShape shape = one.choice.shape;
    if (shape.nominal_n > 0) shape.n = shape.nominal_n;
    for (const SizeColumn& column : kSizes) out += fmt::format(",{}", column.size(shape));
  }
  return out + "\n";
}

Conv2dChoices read_conv2d_choices(const std::string& path) {
  const data::Csv csv = data::read_csv(path);
  Conv2dChoices choices;
  for (std::size_t row = 0; row < csv.rows.size(); ++row) {
    Conv2dChoices::Choice choice{Field(csv, row, "pass").pass(), {}, {}};
    for (const SizeColumn& column : kSizes) {
      // Without these columns the padding is the same at both ends.
      if (is_extra_padding(column) && !has_column(csv, column.name)) continue;
      column.size(choice.shape) = Field(csv, row, column.name).number();
    }
    const Field algorithm(csv, row, "algorithm");
    choice.algorithm = algorithm.algorithm();
    if (!can_compute(choice.algorithm, choice.pass, choice.shape)) {
      algorithm.fail("it cannot compute a convolution of these sizes");
    }
    choices.set(choice);
  }
  return choices;
}

}  // namespace hanok::training
