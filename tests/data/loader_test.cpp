#include "hanok/data/loader.h"

#include <gmock/gmock.h>
#include <limits>
#include <set>

#include "hanok/data/sampler.h"
#include "hanok/engine/allocator.h"
#include "hanok/engine/reclaim.h"
#include "hanok/kernels/base/error.h"
#include "tests/data/support.h"
#include "tests/support/little_address_space.h"
#include "tests/support/sanitized.h"

namespace hanok::data {
namespace {

using test::message_of;
using test::noise;
using test::TempFolder;
using testing::ElementsAre;
using testing::HasSubstr;

/// 23 small files in two classes.
class LoaderTest : public testing::Test {
 protected:
  LoaderTest() {
    for (int i = 0; i < 23; ++i) {
      const Image image = noise("image " + std::to_string(i), 14 + i % 3, 11);
      folder_.write((i % 3 ? "a/" : "b/") + std::to_string(100 + i) + ".png", encode_png(image));
    }
    dataset_ = load_image_folder(folder_.path());
    options_.preprocessing.image_size = 12;
    options_.batch_size = 4;
    options_.augmentation = named_augmentation("light");
    options_.seed = 5;
  }

  /// The results of some epochs as plain numbers.
  struct Output {
    std::vector<std::vector<float>> images;
    std::vector<std::vector<std::int64_t>> labels, samples;
    friend bool operator==(const Output&, const Output&) = default;
  };
  static void drain(Loader& loader, Output& output) {
    Batch batch;
    while (loader.next(batch)) {
      output.images.push_back(batch.images.to_vector());
      output.labels.push_back(batch.labels.to_int_vector());
      output.samples.push_back(batch.samples);
    }
  }
  Output run(const LoaderOptions& options, int epochs = 2) const {
    Loader loader(dataset_, options);
    Output output;
    for (int epoch = 0; epoch < epochs; ++epoch) {
      loader.start_epoch(epoch, shuffled(23, 1, epoch));
      drain(loader, output);
    }
    return output;
  }

  TempFolder folder_;
  Dataset dataset_;
  LoaderOptions options_;
};

TEST_F(LoaderTest, SaysHowManyWorkersTheSystemStarted) {
  options_.workers = 50;
  const hanok::test::LittleAddressSpace room(rlim_t{5} << 29);  // space for two and a half stacks
  // The thread sanitizer takes space of its own for each thread.
  EXPECT_THAT(message_of<Error>([&] { const Loader loader(dataset_, options_); }),
              HasSubstr(hanok::test::kThreadSanitizer ? " of 50 workers"
                                                      : "the system started 2 of 50 workers"));
}

// Wherever memory was refused, the batch comes when it is asked for again, with the same bits.
TEST_F(LoaderTest, AfterALackOfMemoryTheSameBatchIsNext) {
  Allocator& allocator = allocator_of(Device::cpu());
  for (const int workers : {0, 2}) {
    options_.workers = workers;
    options_.cache.budget = 1 << 20;
    const Output expected = run(options_, 1);
    for (std::int64_t request = 1; request < 40; ++request) {
      Loader loader(dataset_, options_);
      Output output;
      allocator.refuse_request(request);
      for (bool started = false;;) {
        try {
          if (!started) loader.start_epoch(0, shuffled(23, 1, 0));
          started = true;
          drain(loader, output);
          break;
        } catch (const OutOfMemory&) {
        }
      }
      EXPECT_TRUE(output == expected) << "request " << request << ", workers " << workers;
      if (allocator.refuse_request(0)) break;  // there were fewer
      ASSERT_LT(request, 39);
    }
  }
}

TEST_F(LoaderTest, ImagesAreDecodedAgainOnceTheirCacheWasGivenBack) {
  options_.cache.budget = 1 << 20;
  const Output expected = run(options_);
  Loader loader(dataset_, options_);
  Output output;
  loader.start_epoch(0, shuffled(23, 1, 0));
  drain(loader, output);
  EXPECT_TRUE(reclaim_memory());
  EXPECT_FALSE(reclaim_memory());
  loader.start_epoch(1, shuffled(23, 1, 1));
  drain(loader, output);
  EXPECT_TRUE(output == expected);
}

TEST_F(LoaderTest, DeliversNormalisedImagesInOrder) {
  Loader loader(dataset_, options_);
  std::vector<std::int64_t> order = shuffled(23, 1, 0);
  loader.start_epoch(3, order);
  EXPECT_EQ(loader.batch_count(), 6);
  Batch batch;
  std::size_t seen = 0;
  while (loader.next(batch)) {
    const std::int64_t size = std::min<std::int64_t>(4, 23 - static_cast<std::int64_t>(seen));
    ASSERT_EQ(batch.images.shape(), (Shape{size, 3, 12, 12}));
    const std::vector<float> values = batch.images.to_vector();  // N,C,H,W
    const std::vector<std::int64_t> labels = batch.labels.to_int_vector();
    for (std::int64_t n = 0; n < size; ++n, ++seen) {
      const std::int64_t sample = order[seen];
      ASSERT_EQ(batch.samples[static_cast<std::size_t>(n)], sample);
      const std::size_t at = static_cast<std::size_t>(sample);
      EXPECT_EQ(labels[static_cast<std::size_t>(n)], dataset_.samples[at].label);
      const Image image =
          augment(preprocess(decode_image_file(dataset_.full_path(at)), options_.preprocessing),
                  options_.augmentation, 5, 3, sample);
      for (int c = 0; c < 3; ++c) {
        for (int y = 0; y < 12; ++y) {
          for (int x = 0; x < 12; ++x) {
            const std::size_t channel = static_cast<std::size_t>(c);
            const double expected =
                (image.row(y)[3 * x + c] / 255.0 - options_.preprocessing.mean[channel]) /
                options_.preprocessing.stddev[channel];
            const std::size_t i = static_cast<std::size_t>(((n * 3 + c) * 12 + y) * 12 + x);
            ASSERT_NEAR(values[i], expected, 1e-6);
          }
        }
      }
    }
  }
  EXPECT_EQ(seen, 23U);
  EXPECT_FALSE(loader.next(batch));
}

TEST_F(LoaderTest, CropsBeforePreprocessing) {
  const Rectangle part{2, 3, 9, 7};
  for (const std::size_t at : {0U, 5U, 22U}) dataset_.samples[at].crop = part;
  options_.augmentation = {};
  options_.batch_size = 23;
  Loader loader(dataset_, options_);
  std::vector<std::int64_t> order(23);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  for (int epoch = 0; epoch < 2; ++epoch) {  // the second one from the cache
    loader.start_epoch(epoch, order);
    Batch batch;
    ASSERT_TRUE(loader.next(batch));
    const std::vector<float> values = batch.images.to_vector();  // N,C,H,W
    for (std::size_t n = 0; n < 23; ++n) {
      const Image whole = decode_image_file(dataset_.full_path(n));
      const bool is_cropped = n == 0 || n == 5 || n == 22;
      const Image expected =
          preprocess(is_cropped ? crop(whole, part) : whole, options_.preprocessing);
      for (std::size_t c = 0; c < 3; ++c) {
        for (std::size_t pixel = 0; pixel < 144; ++pixel) {
          const float value = (static_cast<float>(expected.pixels[3 * pixel + c]) / 255.0F -
                               options_.preprocessing.mean[c]) /
                              options_.preprocessing.stddev[c];
          ASSERT_EQ(values[(n * 3 + c) * 144 + pixel], value) << n;
        }
      }
    }
  }
}

TEST_F(LoaderTest, CropsGiveTheSameBitsForAnyNumberOfWorkersAndCache) {
  for (std::size_t i = 0; i < 23; i += 2) {
    dataset_.samples[i].crop = Rectangle{static_cast<int>(i % 3), 1, 8, 9};
  }
  const Output reference = run(options_);
  for (const int workers : {0, 1, 5}) {
    for (const std::int64_t cache : {0, 1 << 20}) {
      LoaderOptions options = options_;
      options.workers = workers;
      options.cache.budget = cache;
      EXPECT_EQ(run(options), reference) << workers << " workers, cache " << cache;
    }
  }
}

TEST_F(LoaderTest, ACropBeyondTheImageNamesTheFile) {
  dataset_.samples[4].crop = Rectangle{0, 0, 500, 3};
  Loader loader(dataset_, options_);
  loader.start_epoch(0, {4});
  Batch batch;
  EXPECT_THAT(message_of<FormatError>([&] { loader.next(batch); }),
              testing::AllOf(testing::StartsWith(dataset_.full_path(4)), HasSubstr("500")));
}

TEST_F(LoaderTest, ABatchLargerThanTheDataIsAllOfThem) {
  LoaderOptions options = options_;
  options.batch_size = std::numeric_limits<std::int64_t>::max();
  Loader loader(dataset_, options);
  loader.start_epoch(0, shuffled(23, 1, 0));
  EXPECT_EQ(loader.batch_count(), 1);
  Batch batch;
  ASSERT_TRUE(loader.next(batch));
  EXPECT_EQ(batch.samples.size(), 23U);
  EXPECT_FALSE(loader.next(batch));
}

TEST_F(LoaderTest, SameBitsForAnyNumberOfWorkersPrefetchAndCache) {
  const Output reference = run(options_);
  ASSERT_EQ(reference.images.size(), 12U);
  for (const int workers : {0, 1, 5}) {
    for (const int prefetch : {1, 3, 50}) {
      for (const std::int64_t cache : {0, 2000, 1 << 20}) {
        LoaderOptions options = options_;
        options.workers = workers;
        options.prefetch = prefetch;
        options.cache.budget = cache;
        EXPECT_TRUE(run(options) == reference) << workers << " " << prefetch << " " << cache;
      }
    }
  }
}

TEST_F(LoaderTest, WhatMemoryDoesNotHoldLiesInAFile) {
  const Output reference = run(options_);
  const test::TempFolder spill;
  LoaderOptions options = options_;
  options.cache.spill_folder = spill.path();
  for (const std::int64_t budget : {0, 2000, 1 << 20}) {
    options.cache.budget = budget;
    EXPECT_TRUE(run(options) == reference) << budget;
  }
  EXPECT_TRUE(std::filesystem::is_empty(spill.path()));  // the file has no name
  options.cache.budget = 0;
  options.cache.spill_folder = spill.path() + "/absent";
  EXPECT_THROW(Loader(dataset_, options), IoError);
}

// Once every image is cached, an epoch reads no file.
TEST_F(LoaderTest, KeptImagesAreNotReadAgain) {
  const test::TempFolder spill;
  for (const std::int64_t budget : {0, 1 << 20}) {
    LoaderOptions options = options_;
    options.cache.budget = budget;
    options.cache.spill_folder = spill.path();
    Dataset dataset = dataset_;
    Loader loader(dataset, options);
    Batch batch;
    const std::vector<std::int64_t> order = shuffled(23, 1, 0);
    loader.start_epoch(0, order);
    while (loader.next(batch)) {
    }
    dataset.root = spill.path() + "/gone";
    loader.start_epoch(1, order);
    std::int64_t images = 0;
    while (loader.next(batch)) images += batch.labels.numel();
    EXPECT_EQ(images, 23);
  }
}

TEST_F(LoaderTest, ResumesAtABatch) {
  const Output whole = run(options_, 1);
  Loader loader(dataset_, options_);
  loader.start_epoch(0, shuffled(23, 1, 0), 4);
  EXPECT_EQ(loader.batch_count(), 6);
  Output rest;
  drain(loader, rest);
  ASSERT_EQ(rest.images.size(), 2U);
  EXPECT_EQ(rest.images[0], whole.images[4]);
  EXPECT_EQ(rest.images[1], whole.images[5]);
  loader.start_epoch(0, shuffled(23, 1, 0), 6);
  Batch batch;
  EXPECT_FALSE(loader.next(batch));
}

TEST_F(LoaderTest, DropLastLeavesOnlyFullBatches) {
  options_.drop_last = true;
  const Output output = run(options_, 1);
  ASSERT_EQ(output.images.size(), 5U);
  for (const auto& samples : output.samples) EXPECT_EQ(samples.size(), 4U);
}

TEST_F(LoaderTest, TheOrderMayRepeatAndLeaveOut) {
  Loader loader(dataset_, options_);
  loader.start_epoch(0, {7, 7, 7, 7, 7});
  Output output;
  drain(loader, output);
  EXPECT_THAT(output.samples, ElementsAre(ElementsAre(7, 7, 7, 7), ElementsAre(7)));
  // Repeated samples are augmented differently each time, independently of the batches.
  options_.batch_size = 1;
  options_.augmentation = named_augmentation("strong");
  Loader strong(dataset_, options_);
  Output whole, resumed;
  strong.start_epoch(0, {7, 7, 7, 7, 7});
  drain(strong, whole);
  strong.start_epoch(0, {7, 7, 7, 7, 7}, 3);
  drain(strong, resumed);
  EXPECT_NE(whole.images[0], whole.images[1]);
  EXPECT_NE(whole.images[1], whole.images[4]);
  ASSERT_EQ(resumed.images.size(), 2U);
  EXPECT_EQ(resumed.images[0], whole.images[3]);
}

TEST_F(LoaderTest, BatchesStayAsTheyAreWhileSomebodyHoldsThem) {
  options_.prefetch = 2;
  Loader loader(dataset_, options_);
  std::vector<Batch> held;
  std::vector<std::vector<float>> before;
  for (int epoch = 0; epoch < 3; ++epoch) {
    loader.start_epoch(epoch, shuffled(23, 1, epoch));
    Batch batch;
    while (loader.next(batch)) {
      before.push_back(batch.images.to_vector());
      if (held.size() % 2 == 0) {
        held.push_back(batch);
      } else {  // only a view of the same bytes is kept
        Batch view;
        view.images = batch.images.detach();
        held.push_back(view);
      }
    }
  }
  for (std::size_t i = 0; i < held.size(); ++i) {
    EXPECT_EQ(held[i].images.to_vector(), before[i]) << i;
  }
}

TEST_F(LoaderTest, BatchesAreUsedAgainOnceLetGo) {
  Loader loader(dataset_, options_);
  std::set<const void*> storages;
  for (int epoch = 0; epoch < 10; ++epoch) {
    loader.start_epoch(epoch, shuffled(20, 1, epoch));
    Batch batch;
    while (loader.next(batch)) storages.insert(batch.images.data<float>());
  }
  EXPECT_LE(storages.size(), static_cast<std::size_t>(options_.prefetch) + 2);
}

TEST_F(LoaderTest, AnUnreadableImageSurfacesInNextWhateverTheWorkers) {
  test::fs::resize_file(dataset_.full_path(9), 40);
  folder_.write(dataset_.samples[10].path, std::string("text"));
  test::fs::remove(dataset_.full_path(17));
  std::vector<std::int64_t> order(23);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
  for (const int workers : {0, 1, 4}) {
    options_.workers = workers;
    Loader loader(dataset_, options_);
    loader.start_epoch(0, order);
    Batch batch;
    EXPECT_TRUE(loader.next(batch));
    EXPECT_TRUE(loader.next(batch));
    EXPECT_THAT(message_of<FormatError>([&] { loader.next(batch); }),
                HasSubstr(dataset_.samples[9].path));
    EXPECT_TRUE(loader.next(batch));  // the rest of the epoch is unaffected
    EXPECT_EQ(batch.samples[0], 12);
    EXPECT_THAT(message_of<IoError>([&] { loader.next(batch); }),
                HasSubstr(dataset_.samples[17].path));
    EXPECT_TRUE(loader.next(batch));
    EXPECT_FALSE(loader.next(batch));
  }
}

TEST_F(LoaderTest, AnImageThatCannotBePreprocessedIsNamed) {
  folder_.write(dataset_.samples[2].path, encode_png(noise("a line", 8000, 1)));
  options_.preprocessing.resize = 200;
  Loader loader(dataset_, options_);
  loader.start_epoch(0, {2});
  Batch batch;
  EXPECT_THAT(message_of<FormatError>([&] { loader.next(batch); }),
              HasSubstr(dataset_.samples[2].path + ": resize: a shorter side of 200"));
}

TEST_F(LoaderTest, StopsAndStartsAnewInMidEpoch) {
  const Output reference = run(options_, 1);
  for (const int workers : {0, 1, 4}) {
    options_.workers = workers;
    for (int taken = 0; taken < 6; ++taken) {
      Loader loader(dataset_, options_);
      Batch batch;
      loader.start_epoch(7, shuffled(23, 9, 7));
      for (int i = 0; i < taken; ++i) ASSERT_TRUE(loader.next(batch));
      loader.start_epoch(0, shuffled(23, 1, 0));
      Output output;
      drain(loader, output);
      EXPECT_TRUE(output == reference);
      loader.start_epoch(1, shuffled(23, 1, 1));  // and is destroyed in the middle of this epoch
      if (taken % 2) loader.next(batch);
    }
  }
}

TEST_F(LoaderTest, NothingHappensBeforeAnEpochIsStarted) {
  Loader loader(dataset_, options_);
  Batch batch;
  EXPECT_FALSE(loader.next(batch));
  EXPECT_EQ(loader.batch_count(), 0);
}

TEST_F(LoaderTest, ErrorsNameTheValues) {
  const auto error_of = [&](auto change) {
    LoaderOptions options = options_;
    change(options);
    return message_of<ValueError>([&] { Loader(dataset_, options); });
  };
  EXPECT_THAT(error_of([](LoaderOptions& o) { o.batch_size = 0; }),
              HasSubstr("batch_size is 0, expected >= 1"));
  EXPECT_THAT(error_of([](LoaderOptions& o) { o.workers = -1; }), HasSubstr("workers is -1"));
  EXPECT_THAT(error_of([](LoaderOptions& o) { o.prefetch = 0; }), HasSubstr("prefetch is 0"));
  EXPECT_THAT(error_of([](LoaderOptions& o) { o.cache.budget = -1; }), HasSubstr("cache.budget"));
  EXPECT_THAT(error_of([](LoaderOptions& o) { o.preprocessing.image_size = 0; }),
              HasSubstr("image_size is 0"));
  EXPECT_THAT(error_of([](LoaderOptions& o) { o.preprocessing.stddev[1] = 0; }),
              HasSubstr("standard deviation"));
  Loader loader(dataset_, options_);
  EXPECT_THAT(message_of<ValueError>([&] {
                loader.start_epoch(0, {0, 23});
              }),
              HasSubstr("sample 23, the data set has 23"));
  EXPECT_THROW(loader.start_epoch(0, {-1}), ValueError);
  EXPECT_THAT(message_of<ValueError>([&] {
                loader.start_epoch(0, {0, 1, 2}, 2);
              }),
              HasSubstr("first_batch is 2, the epoch has 1 batches"));
}

}  // namespace
}  // namespace hanok::data
