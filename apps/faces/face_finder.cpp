#include "hanok/apps/faces/face_finder.h"

#include <fmt/format.h>
#include <mutex>
#include <utility>

namespace hanok::faces {
namespace {

class MtcnnFinder final : public FaceFinder {
 public:
  MtcnnFinder() {
    free_.push_back(std::make_unique<Detector>(options_));
    const auto& [first, second, third] = options_.thresholds;
    constexpr std::size_t kDigits = 16;  // of the hash: enough to tell files apart
    name_ = fmt::format("mtcnn {} min {} thresholds {} {} {} factor {}",
                        free_.front()->weights_sha256().substr(0, kDigits), options_.min_face_size,
                        first, second, third, options_.scale_factor);
  }

  std::vector<Face> find(const data::Image& image) const override {
    std::unique_ptr<Detector> detector = take();
    std::vector<Face> faces = detector->detect(image);
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(detector));
    return faces;
  }

  std::string name() const override { return name_; }

 private:
  /// One that no other thread uses; made where there is none.
  std::unique_ptr<Detector> take() const {
    {
      const std::lock_guard lock(mutex_);
      if (!free_.empty()) {
        std::unique_ptr<Detector> detector = std::move(free_.back());
        free_.pop_back();
        return detector;
      }
    }
    return std::make_unique<Detector>(options_);
  }

  DetectorOptions options_;
  std::string name_;
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Detector>> free_;  // a detector serves one thread at a time
};

}  // namespace

std::unique_ptr<FaceFinder> make_mtcnn() { return std::make_unique<MtcnnFinder>(); }

}  // namespace hanok::faces
