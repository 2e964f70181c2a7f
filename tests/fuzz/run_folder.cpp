// A run folder that somebody else made: its tables, JSON and TOML files, and its checkpoints.
#include <array>
#include <filesystem>

#include "hanok/apps/preflight/autotune.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/run/step_log.h"
#include "hanok/apps/run_report/record_file.h"
#include "hanok/apps/run_report/run_page.h"
#include "hanok/apps/run_report/run_record.h"
#include "tests/fuzz/scratch.h"
#include "tests/fuzz/targets.h"
#include "tests/support/recording_reporter.h"

namespace hanok::fuzz {
namespace {

/// What a run of two classes and two folds has, where the bytes do not say otherwise.
struct RunFile {
  const char* name;
  const char* content;  // null: there is none
};
constexpr std::array<RunFile, 12> kFiles = {{
    {"config.toml",
     "folds = 2\nfold = \"all\"\ndata = \"/nowhere\"\n[recorded]\nlayout = \"folder\"\n"
     "classes = [\"cat\", \"dog\"]\nfolds = 2\ngrouped = false\n"},
    {"folds.csv",
     "path,label,group,fold,bytes\ncat/1.png,cat,cat/1.png,0,10\ncat/2.png,cat,cat/2.png,1,10\n"
     "dog/1.png,dog,dog/1.png,0,10\ndog/2.png,dog,dog/2.png,1,10\n"},
    {"metrics.jsonl", nullptr},
    {"summary.json", nullptr},
    {"fold_0/result.json", nullptr},
    {"fold_0/predictions.csv",
     "path,label,prediction,correct,cat,dog\ncat/1.png,cat,cat,1,0.75,0.25\n"
     "dog/1.png,dog,cat,0,0.5,0.5\n"},
    {"unreadable.csv", nullptr},
    {"corrections.csv", nullptr},
    {"faces.csv", nullptr},
    {"fold_0/steps.csv", nullptr},
    {"conv2d_choices.csv", nullptr},
    {"events", nullptr},
}};

std::string write_run(ByteSource& source) {
  const std::string folder = scratch_folder() + "/run";
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  for (const RunFile& file : kFiles) {
    if (file.content != nullptr) scratch_file(std::string("run/") + file.name, file.content);
  }
  while (!source.empty()) {
    const RunFile& file = kFiles[source.below(kFiles.size())];
    scratch_file(std::string("run/") + file.name, source.take(source.number(2)));
  }
  return folder;
}

}  // namespace

// After the first byte, each file: a byte that chooses its name, two bytes for its length, its
// content. Only after a 'P' the page is made, which takes a hundred times as long as reading.
void run_run_folder(Bytes bytes) {
  ByteSource source(bytes);
  const bool make_page = source.byte() == 'P';
  const std::string folder = write_run(source);
  // Of errors the name is not compared: some are about the data that config.toml names.
  expect_refusal_or_result("", [&] {
    const run_report::RunRecord run = run_report::read_run(folder);
    if (make_page) run_report::run_page(run);
  });
  const auto has = [&](const char* name) {
    std::error_code ignored;
    return std::filesystem::exists(folder + "/" + name, ignored);
  };
  if (has("fold_0/steps.csv")) {
    expect_refusal_or_result(folder, [&] {
      test::RecordingReporter reporter;
      training::StepLog(reporter, folder + "/fold_0/steps.csv", 10);
    });
  }
  if (has("conv2d_choices.csv")) {
    expect_refusal_or_result(
        folder, [&] { training::read_conv2d_choices(folder + "/conv2d_choices.csv"); });
  }
  run_report::read_records(text_of(bytes));
}

// A small network's checkpoint with other metadata: a byte that chooses the key, two bytes for the
// length of its text, the text. The rest are the tensors' own.
void run_checkpoint(Bytes bytes) {
  static constexpr std::array<const char*, 12> kKeys = {
      "hanok.version",       "hanok.model",         "hanok.class_names", "hanok.hidden",
      "hanok.preprocessing", "hanok.state_version", "hanok.numbers",     "hanok.integers",
      "hanok.texts",         "hanok.epoch",         "hanok.macro_f1",    "format"};
  const training::ModelCard card{
      .model = "lenet", .class_names = {"cat", "dog"}, .preprocessing = {}};
  std::map<std::string, std::string> metadata = training::to_metadata(card);
  ByteSource source(bytes);
  const bool state = source.flag();
  if (state) {
    metadata["hanok.state_version"] = "1";
    for (const char* key : {"hanok.numbers", "hanok.integers", "hanok.texts"}) metadata[key] = "{}";
  }
  while (!source.empty()) {
    const char* key = kKeys[source.below(kKeys.size())];
    metadata[key] = text_of(source.take(source.number(2)));
  }
  nn::StateDict tensors;
  tensors.insert("fc.weight", Tensor::zeros({2, 4}));
  const std::string path = scratch_folder() + "/checkpoint.safetensors";
  expect_refusal_or_result(path, [&] {
    try {
      weights::save_safetensors(path, tensors, metadata);
    } catch (const ValueError&) {  // metadata that are not UTF-8
      return;
    }
    if (state) {
      training::load_state(path);
    } else {
      training::load_model(path);
    }
  });
}

}  // namespace hanok::fuzz
