#include "hanok/apps/faces/face_finder.h"

#include <fmt/format.h>

namespace hanok::faces {
namespace {

class MtcnnFinder final : public FaceFinder {
 public:
  std::vector<Face> find(const data::Image& image) const override {
    return detector_.detect(image);
  }
  std::string name() const override {
    constexpr std::size_t kDigits = 16;  // of the hash: enough to tell files apart
    const auto& [first, second, third] = options_.thresholds;
    return fmt::format("mtcnn {} min {} thresholds {} {} {} factor {}",
                       detector_.weights_sha256().substr(0, kDigits), options_.min_face_size, first,
                       second, third, options_.scale_factor);
  }

 private:
  DetectorOptions options_;
  Detector detector_{options_};
};

}  // namespace

std::unique_ptr<FaceFinder> make_mtcnn() { return std::make_unique<MtcnnFinder>(); }

}  // namespace hanok::faces
