// The readers behind weights::load(), one a layout. Each throws FormatError, file name first.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "hanok/weights/mapped_file.h"
#include "hanok/weights/torch_objects.h"
#include "hanok/weights/weights.h"

namespace hanok::weights {

WeightFile read_safetensors(const std::shared_ptr<const MappedFile>& file);
/// PyTorch >= 1.6: a zip archive, one entry a storage.
WeightFile read_pth_zip(const std::shared_ptr<const MappedFile>& file);
/// PyTorch 0.1.10 to 1.5: five pickles, then the storages.
WeightFile read_pth_legacy(const std::shared_ptr<const MappedFile>& file);
/// PyTorch before 0.1.10: a tar archive with the members storages, tensors and pickle.
WeightFile read_pth_tar(const std::shared_ptr<const MappedFile>& file);

/// All bytes of a storage (not of a view of it), checked to be numel * element_size of them.
using StorageBytes = std::function<Bytes(const StorageRef& storage)>;

/// Finds the state_dict in what a .pth file's pickle holds and makes its tensors. Names that are
/// not tensors are left out with a note.
void collect_state_dict(const pickle::Value& root, const std::shared_ptr<const MappedFile>& file,
                        const StorageBytes& storage_bytes, WeightFile& result);

}  // namespace hanok::weights
