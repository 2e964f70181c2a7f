// The readers behind weights::load(), one per layout. Each throws FormatError, file name first.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hanok/weights/mapped_file.h"
#include "hanok/weights/torch_objects.h"
#include "hanok/weights/weights.h"

namespace hanok::weights {

WeightFile read_safetensors(const std::shared_ptr<const MappedFile>& file);
/// PyTorch >= 1.6: a zip archive with one entry per storage.
WeightFile read_pth_zip(const std::shared_ptr<const MappedFile>& file,
                        const std::vector<Rename>& renames);
/// PyTorch 0.1.10 to 1.5: five pickles, then the storages.
WeightFile read_pth_legacy(const std::shared_ptr<const MappedFile>& file,
                           const std::vector<Rename>& renames);
/// PyTorch before 0.1.10: a tar archive with the members storages, tensors and pickle.
WeightFile read_pth_tar(const std::shared_ptr<const MappedFile>& file,
                        const std::vector<Rename>& renames);

/// All bytes of a storage (not of a view of it): numel * element_size of them, which is checked.
using StorageBytes = std::function<Bytes(const StorageRef& storage)>;

/// Names are copied where prefixes are removed and dictionaries joined, so a long one that a few
/// bytes refer to again and again would take any time. Throws FormatError beyond this length.
inline constexpr std::size_t kLongestName = 1000;
void check_name_length(const std::string& path, const std::string& name);

/// Finds the state_dict in the object of a .pth file's pickle, makes its tensors and renames them.
/// Entries that are not tensors are ignored with a note.
void collect_state_dict(const pickle::Value& root, const std::shared_ptr<const MappedFile>& file,
                        const StorageBytes& storage_bytes, const std::vector<Rename>& renames,
                        WeightFile& result);

}  // namespace hanok::weights
