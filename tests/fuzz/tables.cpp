// Tables: CSV as such, and what is read from it about a data set.
#include <cstdlib>
#include <filesystem>

#include "hanok/apps/training/samples/corrections.h"
#include "hanok/data/csv.h"
#include "hanok/data/dataset.h"
#include "hanok/data/splits.h"
#include "tests/fuzz/scratch.h"
#include "tests/fuzz/targets.h"

namespace hanok::fuzz {
namespace {

/// A data set of a few samples, which the tables of folds and corrections are about.
data::Dataset small_dataset() {
  data::Dataset dataset;
  dataset.root = scratch_folder();
  dataset.layout = "folder";
  dataset.class_names = {"cat", "dog"};
  for (const char* path : {"cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"}) {
    dataset.samples.push_back({path, path[0] == 'd' ? 1 : 0, path});
  }
  return dataset;
}

}  // namespace

void run_csv(Bytes bytes) {
  const std::string path = scratch_file("table.csv", bytes);
  expect_refusal_or_result(path, [&] {
    const data::Csv csv = data::read_csv(path);
    for (const auto& row : csv.rows) {
      if (row.size() != csv.header.size()) std::abort();
    }
  });
  expect_refusal_or_result(path, [&] { data::read_csv_header(path); });
}

// The first byte chooses the layout: a table of images, or the competition's list of people.
void run_labels(Bytes bytes) {
  ByteSource source(bytes);
  const bool people = source.flag();
  const std::string path = scratch_file("data/labels.csv", source.rest());
  scratch_file("data/1.png", "");
  scratch_file("data/deep/2.png", "");
  expect_refusal_or_result(path, [&] {
    std::vector<std::string> warnings;
    if (people) {
      data::read_people(path, warnings);
      return;
    }
    const data::Dataset dataset = data::load_csv_dataset(path);
    for (const data::Sample& sample : dataset.samples) {
      // Nothing outside of the table's folder is ever read.
      const std::filesystem::path image = std::filesystem::path(sample.path).lexically_normal();
      if (image.empty() || image.is_absolute() || *image.begin() == "..") std::abort();
    }
  });
}

void run_folds(Bytes bytes) {
  ByteSource source(bytes);
  const bool groups = source.flag();
  const std::string path = scratch_file("folds.csv", source.rest());
  expect_refusal_or_result(path, [&] {
    data::Dataset dataset = small_dataset();
    std::vector<std::string> warnings;
    if (groups) {
      data::apply_group_file(dataset, path);
    } else {
      data::read_folds(path, dataset, warnings);
    }
  });
}

void run_corrections(Bytes bytes) {
  const std::string path = scratch_file("corrections.csv", bytes);
  expect_refusal_or_result(path, [&] {
    const data::Dataset dataset = small_dataset();
    const std::vector<data::BadImage> bad = {{"dog/3.png", "damaged"}};
    for (const std::int64_t label : training::read_corrections(path, dataset, bad)) {
      if (label != training::kDropped && (label < 0 || label > 1)) std::abort();
    }
  });
}

}  // namespace hanok::fuzz
