// Names that other code bases give to the parameters of a network, mapped onto torchvision's names,
// which hanok uses. The tables are in name_maps.cpp, one per code base and family of models.
#pragma once

#include <optional>
#include <string>

#include "hanok/nn/state_dict.h"

#pragma GCC visibility push(default)
namespace hanok::weights {

/// Renames `tensors` to the names of `model` (a name of nn's registry) where they carry the names
/// of another code base; returns that code base's name ("timm", ...), or nothing where they need no
/// renaming or fit no table. A prefix in front of the names stays. Tensors that the other code base
/// keeps in another shape (a linear layer as a 1x1 convolution) are reshaped; names that the table
/// does not know stay as they are.
std::optional<std::string> rename_to_torchvision(nn::StateDict& tensors, const std::string& model);

/// One line on what these weights expect otherwise than `model` computes (padding, the epsilon of
/// batch norm), as far as the code base tells; empty if nothing is known to differ.
std::string difference_in_computation(const std::string& code_base, const std::string& model);

}  // namespace hanok::weights
#pragma GCC visibility pop
