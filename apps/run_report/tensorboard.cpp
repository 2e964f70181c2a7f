#include "hanok/apps/run_report/tensorboard.h"

#include <chrono>
#include <events.pb.h>  // made by CMake
#include <fmt/format.h>
#include <memory>
#include <utility>

#include "hanok/apps/run/files.h"
#include "hanok/apps/run/network.h"
#include "hanok/apps/run_report/augmented_sheet.h"
#include "hanok/apps/run_report/network_graph.h"
#include "hanok/apps/run_report/record_file.h"
#include "hanok/kernels/base/error.h"

namespace hanok::run_report {
namespace {

using training::EpochMetrics;

std::string record_of(const events::Event& event) { return to_record(event.SerializeAsString()); }

std::string scalars(const EpochMetrics& metrics, double wall_time) {
  events::Event event;
  event.set_wall_time(wall_time);
  event.set_step(metrics.epoch);
  const auto add = [&](const char* tag, double value) {
    events::Summary::Value* entry = event.mutable_summary()->add_value();
    entry->set_tag(tag);
    entry->set_simple_value(static_cast<float>(value));
  };
  add("loss/training", metrics.loss);
  add("loss/validation", metrics.val_loss);
  add("accuracy/training", metrics.accuracy);
  add("accuracy/validation", metrics.val_accuracy);
  add("macro_f1/validation", metrics.val_macro_f1);
  add("training/learning_rate", metrics.learning_rate);
  add("training/trainable_parameters", static_cast<double>(metrics.trainable_parameters));
  add("training/images_per_second", metrics.images_per_second);
  return record_of(event);
}

std::string beginning(const EventFileStart& start) {
  events::Event version;
  version.set_wall_time(start.wall_time);
  version.set_file_version("brain.Event:2");
  events::Event graph;
  graph.set_wall_time(start.wall_time);
  graph.set_graph_def(start.graph);
  events::Event picture;
  picture.set_wall_time(start.wall_time);
  events::Summary::Value* value = picture.mutable_summary()->add_value();
  value->set_tag("augmented photographs");
  value->mutable_image()->set_width(start.width);
  value->mutable_image()->set_height(start.height);
  value->mutable_image()->set_colorspace(3);
  value->mutable_image()->set_encoded_image_string(start.picture);
  return record_of(version) + record_of(graph) + record_of(picture);
}

/// When the file that is there was begun, so that its beginning stays as it is; else now.
double begun_at(const std::string& path) {
  if (training::exists(path)) {
    const std::vector<std::string> records = read_records(training::read_file(path)).records;
    events::Event first;
    if (!records.empty() && first.ParseFromString(records[0])) return first.wall_time();
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

}  // namespace

std::string graph_def(const training::Options& options, std::int64_t classes) {
  const nn::WithoutInit without_init;  // values do not show in a graph
  const std::unique_ptr<nn::Module> model =
      training::make_network(options.model, classes, options.image_size, options.hidden);
  events::GraphDef graph;
  graph.mutable_versions()->set_producer(22);  // the first to know _output_shapes as lists
  for (const GraphNode& entry : network_graph(*model, options.image_size)) {
    events::NodeDef* node = graph.add_node();
    node->set_name(entry.name);
    node->set_op(entry.op);
    for (const std::string& input : entry.inputs) node->add_input(input);
    events::TensorShape* shape =
        (*node->mutable_attr())["_output_shapes"].mutable_list()->add_shape();
    for (int i = 0; i < entry.shape.rank(); ++i) {
      shape->add_dim()->set_size(entry.shape[i]);
    }
  }
  return graph.SerializeAsString();
}

std::string event_file(const EventFileStart& start, const std::vector<EpochMetrics>& epochs,
                       int fold) {
  std::string file = beginning(start);
  double wall_time = start.wall_time;
  for (const EpochMetrics& metrics : epochs) {
    if (metrics.fold != fold) continue;
    wall_time += metrics.seconds;
    file += scalars(metrics, wall_time);
  }
  return file;
}

TensorBoardLog::TensorBoardLog(const training::RunFolder& folder, const training::Options& options,
                               const training::ExperimentData& data, training::Reporter& reporter)
    : folder_(folder), options_(options), data_(data), reporter_(reporter) {
  attempt([&] {
    start_.graph = graph_def(options, static_cast<std::int64_t>(data.dataset.class_names.size()));
  });
}

template <typename Work>
void TensorBoardLog::attempt(const Work& work) {
  if (failed_) return;
  try {
    work();
  } catch (const Error& error) {
    failed_ = true;
    reporter_.warn(fmt::format("no more is written for TensorBoard: {}", error.what()));
  }
}

void TensorBoardLog::start(int fold) {
  const data::Image picture = augmented_sheet(options_, data_, fold);
  const std::vector<std::uint8_t> jpeg = data::encode_jpeg(picture, 90);
  start_.picture.assign(jpeg.begin(), jpeg.end());
  start_.width = picture.width;
  start_.height = picture.height;
  start_.wall_time = begun_at(folder_.events(fold));
  training::make_folder(folder_.tensorboard(fold));
  fold_ = fold;
}

void TensorBoardLog::write(int fold, const std::vector<EpochMetrics>& epochs) {
  attempt([&] {
    if (fold != fold_) start(fold);
    training::grow_file(folder_.events(fold), event_file(start_, epochs, fold));
  });
}

}  // namespace hanok::run_report
