// An epoch is split into batches, of which up to `prefetch` are prepared at a time. Workers take
// samples in order and write each directly into its place in its batch. next() returns batches in
// order, so the result depends neither on the number of workers nor on their speed.
#include "hanok/data/loader.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <new>
#include <numeric>
#include <system_error>
#include <thread>
#include <utility>

#ifdef __linux__
#include <sys/resource.h>
#endif

#include "hanok/data/image_cache.h"
#include "hanok/data/shards.h"
#include "hanok/engine/allocator.h"
#include "hanok/engine/autograd.h"
#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/thread_delays.h"
#include "hanok/kernels/base/thread_pool.h"

namespace hanok::data {
namespace {

/// Gives the compute threads precedence. (On Linux, `who` 0 is the calling thread alone.)
void lower_thread_priority() {
#ifdef __linux__
  constexpr int kNice = 10;
  setpriority(PRIO_PROCESS, 0, kNice);
#endif
}

/// (x/255 - mean) / stddev of every byte and channel, rounded as torchvision's ToTensor and
/// Normalize do.
using NormalizationTable = std::array<std::array<float, 256>, 3>;

NormalizationTable normalization_table(const Preprocessing& preprocessing) {
  NormalizationTable table{};
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t x = 0; x < 256; ++x) {
      table[c][x] =
          (static_cast<float>(x) / 255.0F - preprocessing.mean[c]) / preprocessing.stddev[c];
    }
  }
  return table;
}

void write_normalized(const Image& image, const NormalizationTable& table, float* out) {
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    for (std::size_t c = 0; c < 3; ++c) out[i + c] = table[c][image.pixels[i + c]];
  }
}

void check_options(const LoaderOptions& options) {
  const auto demand = [](bool holds, const char* what, std::int64_t value, const char* expected) {
    if (!holds) {
      throw ValueError(std::string("Loader: ") + what + " is " + std::to_string(value) +
                       ", expected " + expected);
    }
  };
  demand(options.batch_size >= 1, "batch_size", options.batch_size, ">= 1");
  demand(options.workers >= 0, "workers", options.workers, ">= 0");
  demand(options.prefetch >= 1, "prefetch", options.prefetch, ">= 1");
  demand(options.cache.budget >= 0, "cache.budget", options.cache.budget, ">= 0");
  demand(options.preprocessing.image_size >= 1, "image_size", options.preprocessing.image_size,
         ">= 1");
  for (const float stddev : options.preprocessing.stddev) {
    if (!(stddev > 0)) throw ValueError("Loader: a standard deviation is not positive");
  }
}

}  // namespace

struct Loader::Impl {
  /// A batch being prepared.
  struct Slot {
    Batch batch;
    std::int64_t begin = 0;               // index of its first sample in the epoch's order
    std::vector<std::int64_t> positions;  // in the batch, of the images to read
    View images;             // view of batch.images; taken once, since taking it counts as a write
    std::int64_t taken = 0;  // samples that a worker has started
    std::int64_t unfinished = 0;       // samples that are not written yet
    std::int64_t failed_position = 0;  // position of `error`: the lowest in the batch, so that the
    std::exception_ptr error;          // reported error does not depend on timing
    std::int64_t size() const { return static_cast<std::int64_t>(positions.size()); }
  };

  Impl(const Dataset& data, LoaderOptions opts)
      : dataset(data),
        options(std::move(opts)),
        table(normalization_table(options.preprocessing)),
        cache(static_cast<std::int64_t>(data.samples.size()), options.preprocessing.image_size,
              options.cache) {}

  /// Not in the constructor: if that threw, the destructor would not run and join the threads.
  void start_workers() {
    workers.reserve(static_cast<std::size_t>(options.workers));
    const auto start_missing = [this] {
      while (static_cast<int>(workers.size()) < options.workers) {
        workers.emplace_back([this] { work(); });
      }
    };
    try {
      start_missing();
      return;
    } catch (const std::system_error&) {
      allocator_of(Device::cpu()).release_cached();  // a stack needs room, too
    }
    try {
      start_missing();
    } catch (const std::system_error& error) {
      throw Error("Loader: the system started " + std::to_string(workers.size()) + " of " +
                  std::to_string(options.workers) + " workers (" + error.code().message() +
                  "); use fewer workers");
    }
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    work_available.notify_all();
    for (std::thread& worker : workers) worker.join();
  }

  // ---- the consumer's side ----

  void start_epoch(std::int64_t new_epoch, std::vector<std::int64_t> new_order,
                   std::int64_t first_batch) {
    for (const std::int64_t sample : new_order) {
      if (sample < 0 || sample >= static_cast<std::int64_t>(dataset.samples.size())) {
        throw ValueError("Loader: the order holds sample " + std::to_string(sample) +
                         ", the data set has " + std::to_string(dataset.samples.size()));
      }
    }
    const std::int64_t count = static_cast<std::int64_t>(new_order.size());
    const std::int64_t batches =
        options.drop_last ? count / options.batch_size
                          : count / options.batch_size + (count % options.batch_size > 0 ? 1 : 0);
    if (first_batch < 0 || first_batch > batches) {
      throw ValueError("Loader: first_batch is " + std::to_string(first_batch) +
                       ", the epoch has " + std::to_string(batches) + " batches");
    }
    abandon_epoch();
    epoch = new_epoch;
    order = std::move(new_order);
    occurrence.clear();
    std::vector<std::uint32_t> seen(dataset.samples.size());
    for (const std::int64_t sample : order) {
      occurrence.push_back(seen[static_cast<std::size_t>(sample)]++);
    }
    batch_count = batches;
    next_to_prepare = first_batch;
    fill_window();
  }

  bool next(Batch& batch) {
    batch = Batch();  // releases the old tensors, so that they can be reused
    fill_window();
    std::unique_lock lock(mutex);
    if (slots.empty()) {
      handed_out.clear();  // not kept while others work between epochs
      return false;
    }
    Slot& front = *slots.front();
    if (options.workers == 0) {
      lock.unlock();
      while (front.taken < front.size()) prepare(front, front.taken++);
      lock.lock();
    }
    batch_finished.wait(lock, [&] { return front.unfinished == 0; });
    if (front.error) {
      const std::exception_ptr error = front.error;
      if (!restart_after_lack_of_memory(front)) slots.pop_front();
      lock.unlock();
      if (options.workers > 0) work_available.notify_all();
      std::rethrow_exception(error);
    }
    const std::unique_ptr<Slot> finished = std::move(slots.front());
    slots.pop_front();
    lock.unlock();
    batch = std::move(finished->batch);
    return true;
  }

  /// If the batch failed for want of memory alone, prepares it anew. Needs the mutex.
  static bool restart_after_lack_of_memory(Slot& slot) {
    try {
      std::rethrow_exception(slot.error);
    } catch (const OutOfMemory&) {
    } catch (const std::bad_alloc&) {
    } catch (...) {
      return false;
    }
    slot.error = nullptr;
    slot.taken = 0;
    slot.unfinished = slot.size();
    return true;
  }

  /// Keeps `prefetch` batches in preparation while any are left, or as many as memory suffices for
  /// if that is at least one.
  void fill_window() {
    while (next_to_prepare < batch_count) {
      std::size_t in_preparation = 0;
      {
        const std::lock_guard lock(mutex);
        in_preparation = slots.size();
      }
      if (static_cast<int>(in_preparation) >= options.prefetch) return;
      try {
        std::unique_ptr<Slot> slot = make_slot(next_to_prepare);
        const std::lock_guard lock(mutex);
        slots.push_back(std::move(slot));
        ++next_to_prepare;
      } catch (const OutOfMemory&) {
        if (in_preparation == 0) throw;
        return;
      } catch (const std::bad_alloc&) {
        if (in_preparation == 0) throw;
        return;
      }
      work_available.notify_all();
    }
  }

  std::unique_ptr<Slot> make_slot(std::int64_t index) {
    const std::int64_t begin = index * options.batch_size;
    const std::int64_t size =
        std::min(options.batch_size, static_cast<std::int64_t>(order.size()) - begin);
    auto slot = std::make_unique<Slot>();
    slot->batch.samples.assign(order.begin() + begin, order.begin() + begin + size);
    slot->begin = begin;
    if (options.share) {
      slot->positions = options.share(size);
    } else {
      slot->positions.resize(static_cast<std::size_t>(size));
      std::iota(slot->positions.begin(), slot->positions.end(), 0);
    }
    slot->unfinished = slot->size();
    const std::int64_t side = options.preprocessing.image_size;
    slot->batch.images = reusable({slot->size(), 3, side, side});
    slot->images = slot->batch.images.mutable_view();
    std::vector<std::int64_t> labels;
    for (const std::int64_t sample : slot->batch.samples) {
      labels.push_back(dataset.samples[static_cast<std::size_t>(sample)].label);
    }
    slot->batch.labels = Tensor::from_vector(labels, {size});
    return slot;
  }

  /// A tensor of an earlier batch with no other owner, else a new one.
  Tensor reusable(const Shape& shape) {
    for (Tensor& tensor : handed_out) {
      if (tensor.shape() == shape && is_owned_alone(tensor)) {
        // The reference count alone does not order memory accesses. Copying and dropping a
        // shared_ptr makes the last reader's accesses happen before ours.
        std::shared_ptr<Storage>(tensor.storage()).reset();
        return tensor;
      }
    }
    const MemoryTag tag("batches");
    Tensor fresh = Tensor::empty(shape, {options.as_bytes ? DType::U8 : DType::F32});
    // Two more than are being prepared: the batch in use and the one before it.
    if (handed_out.size() >= static_cast<std::size_t>(options.prefetch) + 2) {
      handed_out.erase(handed_out.begin());
    }
    handed_out.push_back(fresh);
    return fresh;
  }

  /// Waits for samples that workers have started; drops the rest.
  void abandon_epoch() {
    std::unique_lock lock(mutex);
    for (const auto& slot : slots) {
      slot->unfinished -= slot->size() - slot->taken;
      slot->taken = slot->size();
    }
    batch_finished.wait(lock, [this] {
      return std::all_of(slots.begin(), slots.end(),
                         [](const auto& slot) { return slot->unfinished == 0; });
    });
    slots.clear();
    next_to_prepare = batch_count = 0;
  }

  // ---- the workers' side ----

  void work() {
    lower_thread_priority();
    std::unique_lock lock(mutex);
    for (;;) {
      Slot* slot = nullptr;
      work_available.wait(lock, [&] {
        const auto open = std::find_if(slots.begin(), slots.end(),
                                       [](const auto& s) { return s->taken < s->size(); });
        slot = open == slots.end() ? nullptr : open->get();
        return stopping || slot;
      });
      if (stopping) return;
      const std::int64_t position = slot->taken++;
      lock.unlock();
      if (delays != nullptr) delays->wait();
      prepare(*slot, position);
      if (delays != nullptr) delays->wait();
      lock.lock();
    }
  }

  /// Writes an image to its position in a batch.
  void write(const Image& image, const View& images, std::int64_t position) const {
    const std::int64_t offset = position * static_cast<std::int64_t>(image.pixels.size());
    if (images.dtype == DType::U8) {
      std::copy(image.pixels.begin(), image.pixels.end(), images.as<std::uint8_t>() + offset);
    } else {
      write_normalized(image, table, images.f32() + offset);
    }
  }

  /// Decodes and crops the image, and applies the deterministic part of preprocessing.
  Image read(std::int64_t sample) const {
    const auto i = static_cast<std::size_t>(sample);
    const Image image = decode_sample(dataset, i);
    try {
      return preprocess(image, options.preprocessing);
    } catch (const ValueError& error) {
      throw FormatError(dataset.full_path(i) + ": " + error.what());
    }
  }

  /// Prepares one sample of a batch, or stores its error.
  void prepare(Slot& slot, std::int64_t position) {
    std::exception_ptr error;
    try {
      const std::int64_t in_batch = slot.positions[static_cast<std::size_t>(position)];
      const std::int64_t sample = slot.batch.samples[static_cast<std::size_t>(in_batch)];
      const Image fixed = cache.get(sample, [&] { return read(sample); });
      if (options.augmentation.empty()) {
        write(fixed, slot.images, position);
      } else {
        write(augment(fixed, options.augmentation, options.seed, epoch, sample,
                      occurrence[static_cast<std::size_t>(slot.begin + in_batch)]),
              slot.images, position);
      }
    } catch (...) {
      error = std::current_exception();
    }
    const std::lock_guard lock(mutex);
    if (error && (!slot.error || position < slot.failed_position)) {
      slot.error = std::move(error);  // its reader is the last that holds it
      slot.failed_position = position;
    }
    if (--slot.unfinished == 0) batch_finished.notify_all();
  }

  const Dataset& dataset;
  const LoaderOptions options;
  const NormalizationTable table;
  const ThreadDelays* delays = ThreadDelays::from_environment();
  ImageCache cache;

  // Set by the consumer while no worker is active.
  std::int64_t epoch = 0;
  std::vector<std::int64_t> order;
  std::vector<std::uint32_t> occurrence;  // earlier occurrences of each entry's sample
  std::int64_t batch_count = 0;
  std::int64_t next_to_prepare = 0;
  std::vector<Tensor> handed_out;

  std::mutex mutex;  // guards the members below
  std::condition_variable work_available, batch_finished;
  std::deque<std::unique_ptr<Slot>> slots;  // in order; the front is handed out next
  bool stopping = false;
  std::vector<std::thread> workers;
};

Loader::Loader(const Dataset& dataset, LoaderOptions options) {
  check_options(options);
  impl_ = std::make_unique<Impl>(dataset, std::move(options));
  impl_->start_workers();
}

Loader::~Loader() = default;

void Loader::start_epoch(std::int64_t epoch, std::vector<std::int64_t> order,
                         std::int64_t first_batch) {
  impl_->start_epoch(epoch, std::move(order), first_batch);
}

bool Loader::next(Batch& batch) { return impl_->next(batch); }

std::int64_t Loader::batch_count() const { return impl_->batch_count; }

const Preprocessing& Loader::preprocessing() const { return impl_->options.preprocessing; }

std::int64_t Loader::batch_size() const { return impl_->options.batch_size; }

Image decode_sample(const Dataset& dataset, std::size_t sample) {
  Image image = decode_whole_sample(dataset, sample);
  const std::optional<Rectangle>& part = dataset.samples[sample].crop;
  if (!part) return image;
  try {
    return crop(image, *part);
  } catch (const ValueError& error) {
    throw FormatError(dataset.full_path(sample) + ": " + error.what());
  }
}

std::vector<BadImage> find_unreadable(const Dataset& dataset, int workers,
                                      const Preprocessing& preprocessing) {
  std::vector<std::string> reasons(dataset.samples.size());
  ThreadPool pool(std::max(workers, 1));
  pool.run(static_cast<std::int64_t>(reasons.size()), [&](std::int64_t index) {
    const std::size_t i = static_cast<std::size_t>(index);
    const std::string path = dataset.full_path(i);
    try {
      const Image image = decode_whole_sample(dataset, i);
      check_shape(image, preprocessing);
    } catch (const ValueError& error) {
      reasons[i] = path + ": " + error.what();
    } catch (const Error& error) {
      reasons[i] = error.what();
    }
  });
  std::vector<BadImage> bad;
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    if (!reasons[i].empty()) bad.push_back({dataset.samples[i].path, reasons[i]});
  }
  return bad;
}

}  // namespace hanok::data
