// Writes synthetic faces to disk in the mask competition's layout.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <thread>

#include "hanok/data/dataset.h"
#include "hanok/data/random.h"
#include "hanok/data/synthetic.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/thread_pool.h"

namespace fs = std::filesystem;

namespace hanok::data {
namespace {

constexpr std::array<const char*, 7> kStems = {"mask1", "mask2",          "mask3", "mask4",
                                               "mask5", "incorrect_mask", "normal"};
int mask_of_shot(std::size_t shot) { return shot < 5 ? 0 : shot == 5 ? 1 : 2; }

/// Shares of 3*gender + age group: as in the original, more women than men and few people aged 60
/// or more.
constexpr std::array<double, 6> kShares = {0.19, 0.14, 0.06, 0.27, 0.26, 0.08};

// Philox lanes of draws about people; draw_face uses lanes 0..2.
constexpr std::uint32_t kAgeLane = 3;
constexpr std::uint32_t kDealLane = 4;
constexpr std::uint32_t kWrongLane = 5;
constexpr std::uint32_t kNameLane = 6;

/// 3*gender + age group of each person, in random order: shares rounded to whole people (largest
/// remainders), no class empty if there are enough people.
std::vector<int> deal_classes(int people, std::uint64_t seed) {
  std::array<int, kShares.size()> counts{};
  std::array<double, kShares.size()> owed{};
  for (std::size_t c = 0; c < kShares.size(); ++c) {
    counts[c] = static_cast<int>(kShares[c] * people);
    if (counts[c] == 0 && people >= static_cast<int>(kShares.size())) counts[c] = 1;
    owed[c] = kShares[c] * people - counts[c];
  }
  std::vector<int> classes;
  for (std::size_t c = 0; c < kShares.size(); ++c) {
    classes.insert(classes.end(), static_cast<std::size_t>(counts[c]), static_cast<int>(c));
  }
  while (static_cast<int>(classes.size()) < people) {
    const auto most = std::max_element(owed.begin(), owed.end());
    classes.push_back(static_cast<int>(most - owed.begin()));
    *most -= 1;
  }
  classes.resize(static_cast<std::size_t>(people));
  RandomDraws(seed, RandomStream::Synthetic, 0, 0, kDealLane).shuffle(classes);
  return classes;
}

/// An age in a group; few are close to its limits, where looks are ambiguous.
int draw_age(int group, RandomDraws random) {
  const auto within = [&random](int low, int high) {
    return low + static_cast<int>(random.below(static_cast<std::uint32_t>(high - low + 1)));
  };
  const bool anywhere = random.chance(0.15F);
  if (group == 0) return anywhere ? within(18, 29) : within(18, 26);
  if (group == 1) return anywhere ? within(30, 59) : within(34, 55);
  return within(60, 72);
}

void write_file(const fs::path& path, const std::vector<std::uint8_t>& bytes) {
  errno = 0;
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) throw IoError(path.string() + ": cannot be written: " + std::strerror(errno));
}

/// Folders that are removed again unless the data set gets whole.
struct FoldersInProgress {
  std::vector<fs::path> made;
  ~FoldersInProgress() {
    for (const fs::path& folder : made) {
      std::error_code ignored;
      fs::remove_all(folder, ignored);
    }
  }
};

void write_text(const fs::path& path, const std::string& text) {
  write_file(path, {text.begin(), text.end()});
}

/// Extensions are mixed as in the original.
std::string extension_of(std::int64_t person) {
  return person % 11 == 3 ? ".png" : person % 7 == 2 ? ".jpeg" : ".jpg";
}

std::vector<std::uint8_t> encode_for(const std::string& extension, const Image& image) {
  return extension == ".png" ? encode_png(image) : encode_jpeg(image, 92);
}

/// A row of train.csv, and the attributes that are drawn.
struct Row {
  int gender, age;            // drawn
  int said_gender, said_age;  // in train.csv
  std::string id, folder;
};

std::vector<Row> make_rows(const SyntheticOptions& options) {
  std::vector<Row> rows;
  const std::vector<int> classes = deal_classes(options.people, options.seed);
  for (int i = 0; i < options.people; ++i) {
    const int gender = classes[static_cast<std::size_t>(i)] / 3;
    const int group = classes[static_cast<std::size_t>(i)] % 3;
    const int age = draw_age(group, {options.seed, RandomStream::Synthetic, i, 0, kAgeLane});
    rows.push_back({gender, age, gender, age, fmt::format("{:06}", i + 1), {}});
  }
  std::vector<std::size_t> order(rows.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  RandomDraws random(options.seed, RandomStream::Synthetic, 0, 0, kWrongLane);
  random.shuffle(order);
  order.resize(static_cast<std::size_t>(
      std::lround(options.wrong_label_fraction * static_cast<double>(rows.size()))));
  for (const std::size_t i : order) {
    Row& row = rows[i];
    if (random.chance(0.5F)) {
      row.said_gender = 1 - row.gender;
    } else {
      const bool younger = random.chance(0.5F);  // of the two neighbours of the middle group
      row.said_age = row.age < 30 || row.age >= 60 ? 45 : younger ? 22 : 61;
    }
  }
  for (Row& row : rows) {
    row.folder =
        fmt::format("{}_{}_Asian_{}", row.id, row.said_gender ? "female" : "male", row.said_age);
  }
  return rows;
}

/// 40 hexadecimal digits, as in the names of the original's eval photographs.
std::string eval_name(std::uint64_t seed, std::int64_t index) {
  RandomDraws random(seed, RandomStream::Synthetic, index, 0, kNameLane);
  std::string name;
  for (int i = 0; i < 5; ++i) name += fmt::format("{:08x}", random.bits());
  return name + ".jpg";
}

}  // namespace

void write_synthetic_competition(const std::string& root, const SyntheticOptions& options) {
  if (options.people < 1) {
    throw ValueError(fmt::format("write_synthetic_competition: {} people", options.people));
  }
  if (!(options.wrong_label_fraction >= 0 && options.wrong_label_fraction <= 1)) {
    throw ValueError(fmt::format("write_synthetic_competition: a fraction of {} wrong labels",
                                 options.wrong_label_fraction));
  }
  const fs::path train = fs::path(root) / "train";
  const fs::path eval = fs::path(root) / "eval";
  std::error_code error;
  if (fs::exists(train, error) || fs::exists(eval, error)) {
    throw ValueError(root + ": already holds train or eval; nothing is overwritten");
  }
  const std::vector<Row> rows = make_rows(options);
  FoldersInProgress folders{{train, eval}};
  const auto make = [&root, &error](const fs::path& folder) {
    fs::create_directories(folder, error);
    if (error) throw IoError(root + ": " + error.message());
  };
  for (const Row& row : rows) make(train / "images" / row.folder);
  make(eval / "images");

  const std::int64_t people = options.people;
  const auto draw_person = [&](std::int64_t person) {
    const Row& row = rows[static_cast<std::size_t>(person)];
    const std::string extension = extension_of(person);
    for (std::size_t shot = 0; shot < kStems.size(); ++shot) {
      const FaceAttributes attributes{mask_of_shot(shot), row.gender, row.age};
      const Image face = draw_face(attributes, options.seed, person,
                                   static_cast<std::int64_t>(shot), options.width, options.height);
      write_file(train / "images" / row.folder / (kStems[shot] + extension),
                 encode_for(extension, face));
    }
  };
  // People who are not in train, one photograph each.
  const auto draw_stranger = [&](std::int64_t index) {
    RandomDraws random(options.seed, RandomStream::Synthetic, people + index, 0, kAgeLane);
    FaceAttributes attributes;
    attributes.mask = mask_of_shot(random.below(7));
    attributes.gender = random.chance(0.6F) ? 1 : 0;
    attributes.age = 18 + static_cast<int>(random.below(55));
    const Image face =
        draw_face(attributes, options.seed, people + index, 0, options.width, options.height);
    write_file(eval / "images" / eval_name(options.seed, index), encode_jpeg(face, 92));
  };
  ThreadPool pool(static_cast<int>(std::max(1U, std::thread::hardware_concurrency())));
  pool.run(people, draw_person);
  pool.run(people, draw_stranger);

  std::string info = "ImageID,ans\n";
  for (std::int64_t i = 0; i < people; ++i) info += eval_name(options.seed, i) + ",0\n";
  write_text(eval / "info.csv", info);
  std::string table = "id,gender,race,age,path\n";
  for (const Row& row : rows) {
    table += fmt::format("{},{},Asian,{},{}\n", row.id, row.said_gender ? "female" : "male",
                         row.said_age, row.folder);
  }
  write_text(train / "train.csv", table);  // last: with it the data set is complete
  folders.made.clear();
}

}  // namespace hanok::data
