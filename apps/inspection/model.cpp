// inspect model: two real passes over one image. In the first, forward hooks on every module record
// inputs and outputs (hooks make conv_bn_act run its layers one after the other, so none is
// missed). The second runs as training does, and the graph that it records is the trace.
#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "hanok/apps/inspection/inspect.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run_report/network_graph.h"
#include "hanok/apps/training/freezing.h"
#include "hanok/engine/autograd.h"
#include "hanok/engine/runtime.h"
#include "hanok/engine/tensor_impl.h"
#include "hanok/kernels/cpu/conv2d/choose.h"
#include "hanok/nn/layers.h"
#include "hanok/nn/models/registry.h"

namespace hanok::inspection {
namespace {

/// The calls of one module during the pass.
struct Calls {
  std::int64_t count = 0;
  Shape output;  // of the last call
  double flop = 0;
  std::string kernel;                      // how a convolution is computed
  std::optional<Conv2dShape> convolution;  // of the last call
};

Conv2dShape conv_shape(const nn::Conv2d& layer, const Shape& x) {
  const nn::Conv2dOptions& o = layer.options;
  return {x[0], x[1], x[2], x[3], o.out_channels, o.kernel_h, o.kernel_w, o.groups, o.window};
}

/// A module's own parameters, without those of modules below it.
std::vector<Tensor> own_parameters(nn::Module& module) {
  std::vector<Tensor> own;
  for (const nn::NamedTensor& parameter : module.named_parameters()) {
    if (parameter.name.find('.') == std::string::npos) own.push_back(parameter.tensor);
  }
  return own;
}

/// Multiply-adds times two; `known` becomes false for a layer with a weight matrix of a kind that
/// has no formula here.
double flop_of(nn::Module& module, const Shape& input, const Shape& output, bool& known) {
  if (const auto* conv = dynamic_cast<nn::Conv2d*>(&module)) return conv_shape(*conv, input).flop();
  if (const auto* linear = dynamic_cast<nn::Linear*>(&module)) {
    return 2.0 * static_cast<double>(output.numel()) * static_cast<double>(linear->in_features);
  }
  for (const Tensor& parameter : own_parameters(module)) {
    // A scale or shift of channels, [C] or [C,1,1], is no matrix.
    known = known && (parameter.rank() < 2 || parameter.numel() == parameter.size(0));
  }
  return 0;
}

struct Profile {
  std::map<const nn::Module*, Calls> calls;
  std::set<std::string> without_formula;  // types
};

Profile profile(nn::Module& model, const Tensor& images) {
  Profile result;
  std::vector<std::pair<nn::Module*, int>> hooks;
  for (nn::Module* module : model.modules()) {
    const int id = module->register_forward_hook(
        [&result](nn::Module& called, const Tensor& input, const Tensor& output) {
          Calls& calls = result.calls[&called];
          bool known = true;
          ++calls.count;
          calls.output = output.shape();
          calls.flop += flop_of(called, input.shape(), output.shape(), known);
          if (!known) result.without_formula.insert(called.type_name());
          if (const auto* conv = dynamic_cast<nn::Conv2d*>(&called)) {
            calls.convolution = conv_shape(*conv, input.shape());
            calls.kernel =
                backend_of(Device::cpu()).conv2d_algorithm(Conv2dPass::Forward, *calls.convolution);
          }
        });
    hooks.emplace_back(module, id);
  }
  const NoGrad no_grad;
  model(images);
  for (const auto& [module, id] : hooks) module->remove_forward_hook(id);
  return result;
}

std::int64_t parameter_count(nn::Module& module) {
  std::int64_t count = 0;
  for (const Tensor& parameter : module.parameters()) count += parameter.numel();
  return count;
}

double flop_below(nn::Module& module, const Profile& profile) {
  double sum = 0;
  for (nn::Module* each : module.modules()) {
    const auto found = profile.calls.find(each);
    if (found != profile.calls.end()) sum += found->second.flop;
  }
  return sum;
}

/// "3.63 G", "236.03 M", "0"
std::string with_unit(double value) {
  if (value >= 1e9) return fmt::format("{:.2f} G", value / 1e9);
  if (value >= 1e6) return fmt::format("{:.2f} M", value / 1e6);
  if (value >= 1e3) return fmt::format("{:.2f} k", value / 1e3);
  return fmt::format("{:.0f}", value);
}

void print_tree(nn::Module& model, const Profile& profile, Reporter& reporter) {
  struct Row {
    std::string name;
    nn::Module* module;
  };
  std::vector<Row> rows;
  std::size_t width = 6;
  for (const nn::NamedModule& named : model.named_modules()) {
    // The tree's depth is the number of names on the way down.
    const auto depth =
        named.name.empty()
            ? std::size_t{0}
            : 1 + static_cast<std::size_t>(std::count(named.name.begin(), named.name.end(), '.'));
    const std::string last = named.name.substr(named.name.rfind('.') + 1);
    std::string text(2 * depth, ' ');
    text += (last.empty() ? "" : last + ": ") + named.module->type_name();
    width = std::max(width, text.size());
    rows.push_back({text, named.module});
  }
  reporter.print(fmt::format("{:<{}}  {:<18}{:>12}{:>11}  {}\n", "module", width, "output",
                             "parameters", "FLOPs", "kernel"));
  for (const Row& row : rows) {
    const auto found = profile.calls.find(row.module);
    const Calls calls = found == profile.calls.end() ? Calls{} : found->second;
    std::string line = fmt::format("{:<{}}  {:<18}{:>12}{:>11}  {}", row.name, width,
                                   calls.count == 0 ? "not called" : calls.output.to_string(),
                                   parameter_count(*row.module),
                                   with_unit(flop_below(*row.module, profile)), calls.kernel);
    if (calls.count > 1) line += fmt::format(" (called {} times)", calls.count);
    line.erase(line.find_last_not_of(' ') + 1);
    reporter.print(fmt::format("{}\n", line));
  }
}

/// The choice of algorithm for each convolution in all passes of a training step.
void print_kernels(nn::Module& model, const Profile& profile, std::int64_t batch,
                   Reporter& reporter) {
  struct Row {
    std::string name, input, forward, backward_data, backward_weights;
  };
  std::vector<Row> rows = {
      {"convolution", "input", "forward", "backward data", "backward weights"}};
  for (const nn::NamedModule& named : model.named_modules()) {
    const auto found = profile.calls.find(named.module);
    if (found == profile.calls.end() || !found->second.convolution) continue;
    Conv2dShape shape = *found->second.convolution;
    shape.n = batch;
    const auto chosen = [&](Conv2dPass pass) {
      return describe_conv2d(pass, shape, WeightsAre::Plain);
    };
    rows.push_back({named.name, shape.input_shape().to_string(), chosen(Conv2dPass::Forward),
                    chosen(Conv2dPass::BackwardData), chosen(Conv2dPass::BackwardWeights)});
  }
  std::size_t width = 0;
  for (const Row& row : rows) width = std::max(width, row.name.size());
  reporter.print(fmt::format("\nalgorithms of a training step of {} images on the CPU ({})\n",
                             batch, backend_of(Device::cpu()).name()));
  for (const Row& row : rows) {
    reporter.print(fmt::format("{:<{}}  {:<19} {:<21} {:<21} {}\n", row.name, width, row.input,
                               row.forward, row.backward_data, row.backward_weights));
  }
  reporter.print(
      "Evaluation chooses the same for its forward pass; its weights are packed once, so that\n"
      "winograd4x4 runs staged there instead of by panels.\n");
}

void print_trace(nn::Module& model, const Tensor& images, const Tensor& logits,
                 Reporter& reporter) {
  std::map<const TensorImpl*, std::string> owner;  // of each parameter: its module's path
  for (const nn::NamedTensor& parameter : model.named_parameters()) {
    owner[parameter.tensor.id()] = parameter.name.substr(0, parameter.name.rfind('.'));
  }
  owner[images.id()] = "images";
  std::map<const Node*, std::size_t> line_of;
  reporter.print(
      "\nforward trace: the ops of an evaluation pass, as they ran; #N is line N's result\n");
  for (const Node* node : run_report::recorded_nodes(logits)) {
    const std::size_t line = line_of.size() + 1;
    line_of[node] = line;
    std::string from;
    std::string layer;
    for (const Edge& edge : node->edges) {
      if (edge.node != nullptr) from += fmt::format(" #{}", line_of.at(edge.node.get()));
      if (edge.leaf == nullptr) continue;
      const auto found = owner.find(edge.leaf.get());
      const std::string source =
          found == owner.end() ? edge.leaf->shape.to_string() : found->second;
      if (source != layer) from += " " + source;  // weight and bias of a layer: named once
      layer = source;
    }
    reporter.print(fmt::format("{:>4}  {:<25}{:<18} from{}\n", line, node->name(),
                               node->output_shape.to_string(), from));
  }
}

}  // namespace

void inspect_model(const ModelOptions& options, Reporter& reporter) {
  const auto model = nn::make_model(options.model, options.classes, options.image_size);
  model->eval();
  Tensor images = Tensor::zeros({1, 3, options.image_size, options.image_size});
  const Profile noted = profile(*model, images);
  print_tree(*model, noted, reporter);

  std::int64_t buffers = 0;
  for (const nn::NamedTensor& buffer : model->named_buffers()) buffers += buffer.tensor.numel();
  const std::int64_t parameters = parameter_count(*model);
  const double flop = flop_below(*model, noted);
  reporter.print(fmt::format(
      "\nparameters: {} ({:.2f} MiB), and {} values that are saved but not learned\n", parameters,
      static_cast<double>(parameters) * sizeof(float) / (1 << 20), buffers));
  reporter.print(fmt::format(
      "FLOPs of one image: {} ({} multiply-adds), of convolutions and linear layers{}\n",
      with_unit(flop), with_unit(flop / 2), noted.without_formula.empty() ? "" : "; at least:"));
  for (const std::string& type : noted.without_formula) {
    reporter.print(fmt::format("  {} has weights, but no formula here\n", type));
  }

  reporter.print(fmt::format("\nstages of finetune --mode gradual, each adds a part\n{}",
                             training::stages_table(*model, nn::head_name(options.model))));

  if (options.kernels) print_kernels(*model, noted, options.batch, reporter);

  images.set_requires_grad(true);  // so that ops before the first parameter are recorded as well
  const Tensor logits = (*model)(images);
  print_trace(*model, images, logits, reporter);
  if (!options.dot.empty()) {
    training::write_file(options.dot, graph_to_dot(logits));
    reporter.print(fmt::format("\ngraph: {} (dot -Tsvg draws it)\n", options.dot));
  }
}

}  // namespace hanok::inspection
