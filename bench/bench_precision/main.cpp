// How accurate --precision int16 is.
//   bench_precision layers --model M --data DIR     every convolution of a training step
//   bench_precision gradients --model M --data DIR  the gradients of a training step
//   bench_precision synthetic                       convolutions of ResNet18 over drawn operands
//   bench_precision logits --model M --data DIR     a whole network's outputs
//   bench_precision outputs ...                     outputs of a network for given inputs, for
//                                                   peers/run.py
#include <CLI/CLI.hpp>
#include <algorithm>
#include <fmt/format.h>
#include <functional>
#include <string>
#include <vector>

#include "bench/bench_precision/tables.h"
#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/terminal.h"
#include "hanok/apps/run/files.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/precision.h"
#include "hanok/engine/runtime.h"
#include "hanok/weights/weights.h"

namespace {

using hanok::bench::NetworkOptions;
using hanok::training::Reporter;

struct Request {
  NetworkOptions network;
  hanok::bench::SyntheticOptions synthetic;
  std::int64_t exact = 64;
  std::string json, inputs, outputs, precision = "f32";
};

void add_network(CLI::App& command, NetworkOptions& network) {
  command.add_option("--model", network.model, "network, as finetune's")->required();
  command.add_option("--weights", network.weights, "imagenet, none, or a file")
      ->capture_default_str();
}

void add_photographs(CLI::App& command, Request& request) {
  add_network(command, request.network);
  command.add_option("--data", request.network.data, "photographs, as finetune takes them")
      ->required();
  command.add_option("--image-size", request.network.image_size, "pixels")->capture_default_str();
  command.add_option("--batch-size", request.network.batch_size, "photographs at a time")
      ->capture_default_str();
  command.add_option("--json", request.json, "file that bench_chart draws");
}

template <typename Rows>
void show(const Rows& rows, const std::string& conditions, const Request& request,
          Reporter& reporter) {
  reporter.print(conditions + "\n\n" + hanok::bench::to_text(rows));
  if (request.json.empty()) return;
  const auto json = hanok::bench::to_json(rows, conditions);
  hanok::training::write_file(request.json, json.dump(1) + "\n");
}

std::string conditions_of(const NetworkOptions& network, const std::string& photographs) {
  return fmt::format("{} with weights {}, {} from {}, on {}.", network.model, network.weights,
                     photographs, network.data, hanok::backend_of(hanok::Device::cpu()).name());
}

/// Reads the tensor "images" and writes the tensor "logits" of the first 16, in batches.
void write_outputs(const Request& request) {
  constexpr std::int64_t kImages = 16;
  const hanok::training::LoadedModel loaded = hanok::bench::network_to_evaluate(request.network);
  loaded.model->eval();
  const hanok::NoGrad no_grad;
  const hanok::PrecisionScope precision(hanok::precision_of(request.precision));
  const auto file = hanok::weights::load(request.inputs);
  const hanok::Tensor& images = file.tensors.at("images");
  const std::int64_t count = std::min(kImages, images.size(0));
  std::vector<hanok::Tensor> logits;
  for (std::int64_t first = 0; first < count; first += request.network.batch_size) {
    const std::int64_t last = std::min(first + request.network.batch_size, count);
    logits.push_back((*loaded.model)(hanok::ops::slice(images, 0, first, last)));
  }
  hanok::nn::StateDict outputs;
  outputs.insert("logits", hanok::ops::concat(logits, 0));
  hanok::weights::save_safetensors(request.outputs, outputs);
}

int run(int argc, char** argv, Reporter& reporter) {
  CLI::App app("Measures the error of --precision int16.\n", "bench_precision");
  app.require_subcommand(1);
  Request request;
  NetworkOptions& network = request.network;
  CLI::App* layers = app.add_subcommand("layers", "every convolution of one training step");
  add_photographs(*layers, request);
  CLI::App* gradients = app.add_subcommand("gradients", "the gradients of one training step");
  add_photographs(*gradients, request);
  CLI::App* synthetic = app.add_subcommand("synthetic", "ResNet18's over drawn operands");
  synthetic->add_option("--batch-size", request.synthetic.batch_size, "images")
      ->capture_default_str();
  synthetic
      ->add_option("--largest-channels", request.synthetic.largest_channels,
                   "leave out convolutions with more")
      ->capture_default_str();
  synthetic->add_option("--json", request.json, "file that bench_chart draws");
  CLI::App* logits = app.add_subcommand("logits", "a whole network's outputs");
  add_photographs(*logits, request);
  logits->add_option("--exact", request.exact, "photographs to compute in double as well")
      ->capture_default_str();
  CLI::App* outputs = app.add_subcommand("outputs", "a network's outputs for given inputs");
  add_network(*outputs, network);
  outputs->add_option("--inputs", request.inputs, "file with a tensor images")->required();
  outputs->add_option("--batch-size", network.batch_size, "images at a time")
      ->capture_default_str();
  outputs->add_option("--precision", request.precision, "f32 or int16")->capture_default_str();
  outputs->add_option("--out", request.outputs, "safetensors file to write")->required();

  const auto conditions_of_step = [&] {
    return conditions_of(network, fmt::format("{} photographs of {} pixels", network.batch_size,
                                              network.image_size));
  };
  layers->callback([&] {
    show(hanok::bench::measure_layers(network, reporter), conditions_of_step(), request, reporter);
  });
  gradients->callback([&] {
    show(hanok::bench::measure_gradients(network, reporter), conditions_of_step(), request,
         reporter);
  });
  synthetic->callback([&] {
    show(hanok::bench::measure_synthetic(request.synthetic),
         fmt::format("Convolutions of ResNet18 at batch {}, operands drawn, on {}.",
                     request.synthetic.batch_size, hanok::backend_of(hanok::Device::cpu()).name()),
         request, reporter);
  });
  logits->callback([&] {
    const auto rows = hanok::bench::measure_logits(network, request.exact, reporter);
    show(rows, conditions_of(network, "all photographs"), request, reporter);
  });
  outputs->callback([&] { write_outputs(request); });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) throw hanok::training::UsageError(error.what());
    return app.exit(error);
  }
  return hanok::training::kSuccess;
}

}  // namespace

int main(int argc, char** argv) {
  return hanok::training::run_program(
      "bench_precision", [&](Reporter& reporter) { return run(argc, argv, reporter); });
}
