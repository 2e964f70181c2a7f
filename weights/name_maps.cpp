#include "hanok/weights/name_maps.h"

namespace hanok::weights {

std::optional<std::string> rename_to_torchvision(nn::StateDict&, const std::string&) { return {}; }

std::string difference_in_computation(const std::string&, const std::string&) { return ""; }

}  // namespace hanok::weights
